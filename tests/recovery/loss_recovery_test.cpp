#include <tandem/recovery/loss_recovery.hpp>

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "world.hpp"

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;
using test::t0;
using test::world;
using testing::ElementsAre;

TEST(loss_recovery, reports_what_is_newly_acknowledged_in_order_and_once) {
    world w;
    w.send_range(0, 10, t0);
    EXPECT_EQ(w.path.bytes_in_flight(), 10000u);
    auto d = w.ack({{7, 9}, {1, 3}}, t0 + 100ms);  // as QUIC's ACK ranges descend
    EXPECT_THAT(world::numbers(d.newly), ElementsAre(1, 2, 7, 8));
    EXPECT_EQ(d.largest->number, 8u);
    EXPECT_TRUE(d.any_ack_eliciting);
    EXPECT_EQ(w.path.bytes_in_flight(), 6000u);
    EXPECT_EQ(w.log.ack_eliciting_outstanding(), 6u);
    d = w.ack({{2, 4}, {0, 1}, {5, 9}}, t0 + 101ms);  // no order at all, and most of it said before
    EXPECT_THAT(world::numbers(d.newly), ElementsAre(0, 3, 5, 6));
    EXPECT_TRUE(w.ack({{0, 4}, {5, 9}}, t0 + 102ms).newly.empty());
    EXPECT_EQ(w.log.largest_acknowledged(), 8u);
    EXPECT_EQ(w.path.delivered(), 8000u);
}

TEST(loss_recovery, ignores_numbers_never_sent) {
    world w;
    w.send(3, t0);
    w.send(5, t0);
    const auto d = w.ack({{0, 1000}}, t0 + 1ms);
    EXPECT_THAT(world::numbers(d.newly), ElementsAre(3, 5));
    EXPECT_EQ(w.log.largest_acknowledged(), 5u);
    EXPECT_EQ(w.log.find(4), nullptr);
    EXPECT_EQ(w.log.largest_sent(), 5u);
}

// RFC 9002 5.1
TEST(loss_recovery, takes_the_rtt_from_the_largest_if_it_is_newly_acknowledged) {
    world w;
    w.send_range(0, 3, t0);
    w.send(3, t0 + 10ms);
    w.ack({{3, 4}}, t0 + 110ms);
    EXPECT_EQ(w.path.rtt().latest(), 100ms);
    EXPECT_EQ(w.path.first_rtt_sample(), t0 + 110ms);
    w.ack({{2, 4}}, t0 + 500ms);  // the largest is old news
    EXPECT_EQ(w.path.rtt().latest(), 100ms);
    w.ack({{0, 4}}, t0 + 600ms, {.explicit_sample = 70ms});  // TCP's timestamp says so
    EXPECT_EQ(w.path.rtt().latest(), 70ms);
}

// RFC 5681 3.1, RFC 3042 2: a window grows by what TCP acknowledges cumulatively. QUIC's acknowledgments are all alike.
TEST(loss_recovery, what_is_heard_of_beyond_a_hole_grows_no_window) {
    for (const bool quic : {true, false}) {
        world w(test::plain(10'000));
        w.send_range(0, 10, t0);
        w.ack({{1, 3}}, t0 + 100ms, {.advances = quic});
        EXPECT_EQ(w.path.congestion_window(), quic ? 12'000u : 10'000u);
        EXPECT_THAT(w.detect(t0 + 100ms), ElementsAre());
        w.ack({{0, 1}}, t0 + 101ms);  // the hole
        EXPECT_EQ(w.path.congestion_window(), quic ? 13'000u : 11'000u);
    }
}

TEST(loss_recovery, where_reordering_is_normal_all_that_arrives_grows_the_window) {
    world w(test::plain(10'000));
    w.send_range(0, 10, t0);
    w.ack({{0, 1}}, t0 + 100ms);
    w.tolerance.on_late_arrival(8, -1ms, w.path.rtt(), t0 + 100ms);
    w.ack({{2, 4}}, t0 + 101ms, {.advances = false});
    EXPECT_EQ(w.path.congestion_window(), 13'000u);
}

// RFC 9000 9.4: what went over another path says nothing about this one, but is still acknowledged or lost.
TEST(loss_recovery, what_was_sent_on_a_path_that_was_left_counts_for_none) {
    world w;
    w.send_range(0, 6, t0);
    w.log.leave_path(w.path);
    EXPECT_EQ(w.path.bytes_in_flight(), 0u);
    EXPECT_EQ(w.log.ack_eliciting_outstanding(), 6u);
    const auto window = w.path.congestion_window();
    const auto d = w.ack({{5, 6}}, t0 + 100ms);
    EXPECT_THAT(world::numbers(d.newly), ElementsAre(5));
    EXPECT_FALSE(w.path.rtt().has_sample());
    w.send(6, t0 + 110ms);
    w.ack({{5, 7}}, t0 + 150ms);
    EXPECT_EQ(w.path.rtt().latest(), 40ms);
    EXPECT_THAT(w.detect(t0 + 150ms), ElementsAre(0, 1, 2, 3, 4));
    EXPECT_EQ(w.path.bytes_in_flight(), 0u);
    EXPECT_GE(w.path.congestion_window(), window);  // no congestion on this path
}

TEST(loss_recovery, takes_no_rtt_when_nothing_was_ack_eliciting) {
    world w;
    w.send(0, t0, 50, false);
    const auto d = w.ack({{0, 1}}, t0 + 100ms);
    EXPECT_FALSE(d.any_ack_eliciting);
    EXPECT_FALSE(w.path.rtt().has_sample());
    w.send(1, t0 + 200ms);
    w.ack({{1, 2}}, t0 + 300ms, {.take_from_largest = false});
    EXPECT_FALSE(w.path.rtt().has_sample());
}

// RFC 9002 6.1.1
TEST(loss_recovery, three_packets_behind_is_lost) {
    world w;
    w.send_range(0, 10, t0);
    EXPECT_THAT(w.ack_and_detect({{2, 3}}, t0 + 100ms), ElementsAre());
    EXPECT_THAT(w.ack_and_detect({{3, 4}}, t0 + 100ms), ElementsAre(0));
    EXPECT_THAT(w.ack_and_detect({{6, 7}}, t0 + 100ms), ElementsAre(1));
    EXPECT_EQ(w.log.find(0)->state, fate::lost);
    EXPECT_EQ(w.log.find(0)->contents, 0);
    EXPECT_EQ(w.log.total_lost(), 2u);
    EXPECT_EQ(w.path.bytes_in_flight(), 5000u);
}

// RFC 9002 6.1.2 and A.3
TEST(loss_recovery, nine_eighths_of_the_round_trip_after_it_was_sent_is_lost) {
    world w;
    w.send(0, t0);
    w.send(1, t0 + 15ms);
    w.send(2, t0 + 20ms);
    w.send(3, t0 + 20ms);
    w.ack({{2, 3}}, t0 + 85ms);  // RTT 65 ms: 9/8 are 73.125 ms
    EXPECT_THAT(w.detect(t0 + 85ms), ElementsAre(0));
    ASSERT_EQ(w.log.loss_time(), t0 + 15ms + 73125us);
    EXPECT_THAT(w.detect(*w.log.loss_time() - 1ns), ElementsAre());
    EXPECT_THAT(w.detect(*w.log.loss_time()), ElementsAre(1));
    EXPECT_EQ(w.log.loss_time(), std::nullopt);  // nothing sent before the largest acknowledged is left
    EXPECT_THAT(w.detect(t0 + 10s), ElementsAre());
}

TEST(loss_recovery, nothing_sent_after_the_largest_acknowledged_is_lost) {
    world w;
    w.send_range(0, 5, t0);
    EXPECT_THAT(w.detect(t0 + 100s), ElementsAre());
    w.ack({{0, 1}}, t0 + 100s);
    EXPECT_THAT(w.detect(t0 + 200s), ElementsAre());
    EXPECT_EQ(w.log.loss_time(), std::nullopt);
}

// Each acknowledgment repeats all that was received around holes that stay: nothing is counted twice.
TEST(loss_recovery, repeated_ranges_around_holes) {
    world w(test::plain(10'000'000, controller_kind::fixed_window), reordering_kind::fixed);
    std::uint64_t newly = 0, lost = 0;
    range_set received;
    for (std::uint64_t n = 0; n < 3000; ++n) {
        const auto now = t0 + n * 1us;
        w.send(n, now);
        if (n < 100 || (n - 100) % 50 == 7) continue;
        received.insert({n - 100, n - 99});
        std::vector<range> ranges(received.begin(), received.end());
        std::reverse(ranges.begin(), ranges.end());
        newly += w.log.on_ack(ranges, {}, w.tolerance, w.path, now).newly.size();
        lost += w.detect(now).size();
    }
    EXPECT_EQ(newly, received.count());
    EXPECT_EQ(lost, 58u);
    EXPECT_EQ(lost, w.log.total_lost());
    EXPECT_EQ(w.path.bytes_in_flight(), w.log.ack_eliciting_outstanding() * 1000);
    EXPECT_EQ(w.log.ack_eliciting_outstanding(), 3000 - newly - lost);
}

TEST(loss_recovery, one_congestion_event_for_losses_of_one_round_trip) {
    world w;
    w.send_range(0, 20, t0);
    EXPECT_EQ(w.ack_and_detect({{10, 11}}, t0 + 100ms).size(), 8u);
    EXPECT_EQ(w.path.congestion_window(), 50000u);
    EXPECT_EQ(w.ack_and_detect({{15, 16}}, t0 + 101ms).size(), 4u);  // sent before the period began
    EXPECT_EQ(w.path.congestion_window(), 50000u);
    EXPECT_TRUE(w.path.recovering());
    w.send_range(20, 30, t0 + 110ms);
    w.ack({{20, 21}}, t0 + 210ms);
    EXPECT_FALSE(w.path.recovering());
    w.ack({{29, 30}}, t0 + 211ms);
    EXPECT_FALSE(w.detect(t0 + 211ms).empty());
    EXPECT_EQ(w.path.congestion_window(), 25000u);
}

TEST(loss_recovery, losing_what_is_not_in_flight_is_no_congestion) {
    world w;
    w.send(0, t0, 50, false);
    w.send_range(1, 5, t0);
    EXPECT_THAT(w.ack_and_detect({{1, 5}}, t0 + 100ms), ElementsAre(0));
    EXPECT_EQ(w.path.congestion_window(), 100'000u);
    EXPECT_EQ(w.path.bytes_in_flight(), 0u);
}

TEST(loss_recovery, a_timeout_loses_all_and_collapses_the_window) {
    world w;
    w.send_range(0, 5, t0);
    w.ack({{1, 2}}, t0 + 100ms);
    const auto l = w.log.lose_all(w.path, t0 + 1s);
    EXPECT_THAT(world::numbers(l.packets), ElementsAre(0, 2, 3, 4));
    EXPECT_TRUE(l.persistent_congestion);
    EXPECT_EQ(w.path.bytes_in_flight(), 0u);
    EXPECT_EQ(w.path.congestion_window(), 2000u);
    EXPECT_EQ(w.path.ssthresh(), 50000u);
    EXPECT_EQ(w.log.ack_eliciting_outstanding(), 0u);
    EXPECT_EQ(w.log.loss_time(), std::nullopt);
}

// RFC 9002 6.4
TEST(loss_recovery, forgotten_packets_leave_flight_and_nothing_else_happens) {
    world w;
    w.send_range(0, 5, t0);
    w.ack({{0, 1}}, t0 + 10ms);
    const auto window = w.path.congestion_window();
    w.log.forget(1, w.path);
    EXPECT_EQ(w.path.bytes_in_flight(), 3000u);
    EXPECT_EQ(w.log.find(1), nullptr);
    w.log.forget_all(w.path);
    EXPECT_EQ(w.path.bytes_in_flight(), 0u);
    EXPECT_EQ(w.log.ack_eliciting_outstanding(), 0u);
    EXPECT_EQ(w.path.congestion_window(), window);
    EXPECT_TRUE(w.ack({{0, 5}}, t0 + 20ms).newly.empty());
    w.send(5, t0 + 30ms);
    EXPECT_THAT(w.ack_and_detect({{5, 6}}, t0 + 40ms), ElementsAre());
}

TEST(loss_recovery, visits_the_outstanding_oldest_first) {
    world w;
    w.send_range(0, 8, t0);
    w.ack_and_detect({{4, 5}, {6, 7}}, t0 + 100ms);
    std::vector<std::uint64_t> seen;
    w.log.for_each_outstanding([&](transmission<int>& t) {
        seen.push_back(t.number);
        return true;
    });
    EXPECT_THAT(seen, ElementsAre(5, 7));
    seen.clear();
    w.log.for_each_outstanding([&](transmission<int>& t) {
        seen.push_back(t.number);
        return false;
    });
    EXPECT_THAT(seen, ElementsAre(5));
    EXPECT_EQ(w.log.last_ack_eliciting_sent(), t0);
}

// What a timeout is computed from: RFC 9002 6.2.1.
TEST(loss_recovery, the_probe_timeout_has_its_parts) {
    world w;
    EXPECT_EQ(w.log.last_ack_eliciting_sent(), std::nullopt);
    w.send(0, t0);
    w.send(1, t0 + 5ms, 50, false);
    EXPECT_EQ(w.log.last_ack_eliciting_sent(), t0);
    w.ack({{0, 1}}, t0 + 100ms);
    EXPECT_EQ(w.path.rtt().timeout(), 300ms);
    EXPECT_EQ(w.log.ack_eliciting_outstanding(), 0u);
}

}  // namespace
}  // namespace tandem::recovery
