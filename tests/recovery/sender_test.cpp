#include <tandem/recovery/sender.hpp>

#include <gtest/gtest.h>

#include "world.hpp"

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;
using test::t0;
using test::world;

TEST(sender, the_window_bounds_what_is_in_flight) {
    world w(test::plain(10000, controller_kind::fixed_window));
    EXPECT_EQ(w.path.allowance(t0), 10000u);
    w.send_range(0, 9, t0);
    EXPECT_EQ(w.path.allowance(t0), 1000u);
    EXPECT_FALSE(w.path.window_blocked());
    w.send(9, t0, 1);
    EXPECT_TRUE(w.path.window_blocked());  // no room for a whole datagram
    EXPECT_EQ(w.path.allowance(t0), 999u);
    w.send_range(10, 13, t0);  // probes ignore it
    EXPECT_EQ(w.path.allowance(t0), 0u);
    w.ack({{0, 13}}, t0 + 100ms);
    EXPECT_EQ(w.path.allowance(t0), 10000u);
    EXPECT_EQ(w.path.pacer_release(t0), std::nullopt);
}

// RFC 9002 7.7: 5/4 of the window per round trip, twice in slow start.
TEST(sender, pacing_follows_window_and_round_trip) {
    auto config = test::plain(100'000, controller_kind::fixed_window);
    config.pacing = true;
    world w(config);
    w.send_range(0, 10, t0);
    w.ack({{0, 10}}, t0 + 100ms);  // 1.25 * 100000 bytes in 100 ms: 1.25 bytes a microsecond
    w.send_range(10, 20, t0 + 100ms);
    EXPECT_EQ(w.path.allowance(t0 + 100ms), 0u);
    ASSERT_EQ(w.path.pacer_release(t0 + 100ms), t0 + 101ms);  // a quantum: 1250 bytes
    EXPECT_EQ(w.path.allowance(t0 + 101ms), 1250u);
    EXPECT_EQ(w.path.pacer_release(t0 + 101ms), std::nullopt);
    EXPECT_FALSE(w.path.window_blocked());

    auto slow_start = test::plain(100'000);
    slow_start.pacing = true;
    world s(slow_start);
    s.send_range(0, 10, t0);
    s.ack({{0, 10}}, t0 + 100ms);
    s.send_range(10, 20, t0 + 100ms);
    EXPECT_EQ(s.path.allowance(t0 + 101ms), 2000u);
}

TEST(sender, before_the_first_sample_a_whole_initial_window_may_leave) {
    sender s({.controller = {.max_datagram_size = 1200}});
    EXPECT_EQ(s.allowance(t0), 12000u);
}

TEST(sender, the_pacer_is_not_asked_when_the_window_blocks) {
    auto config = test::plain(10000, controller_kind::fixed_window);
    config.pacing = true;
    world w(config);
    w.send_range(0, 10, t0);
    EXPECT_TRUE(w.path.window_blocked());
    EXPECT_EQ(w.path.pacer_release(t0), std::nullopt);
}

// RFC 9002 7.8
TEST(sender, a_window_grows_only_while_it_is_used) {
    world w(test::plain(20000));
    w.send_range(0, 5, t0);  // a quarter of it
    w.ack({{0, 5}}, t0 + 100ms);
    EXPECT_EQ(w.path.congestion_window(), 20000u);
    w.send_range(5, 15, t0 + 100ms);  // half of it: enough in slow start
    w.ack({{5, 15}}, t0 + 200ms);
    EXPECT_EQ(w.path.congestion_window(), 30000u);

    world avoidance(test::plain(40000));
    avoidance.path.on_ecn_ce(t0, t0);
    ASSERT_EQ(avoidance.path.congestion_window(), 20000u);
    std::uint64_t n = 0;
    for (int i = 0; i < 20; ++i) {
        avoidance.send_range(n, n + 19, t0 + 1s + i * 100ms);  // all but one datagram
        avoidance.ack({{n, n + 19}}, t0 + 1s + (i + 1) * 100ms);
        n += 19;
    }
    EXPECT_EQ(avoidance.path.congestion_window(), 20000u);
    for (int i = 0; i < 2; ++i) {
        avoidance.send_range(n, n + 20, t0 + 10s + i * 100ms);
        avoidance.ack({{n, n + 20}}, t0 + 10s + (i + 1) * 100ms);
        n += 20;
    }
    EXPECT_EQ(avoidance.path.congestion_window(), 21000u);  // a datagram for the first window, and 20 of 21 for the next
}

// RFC 9002 7.3.2: bytes sent before the recovery period do not grow the window, later ones do.
TEST(sender, what_was_sent_before_recovery_grows_nothing) {
    world w(test::plain(40000));
    w.send_range(0, 40, t0);
    w.path.on_ecn_ce(t0 + 100ms, t0);
    EXPECT_EQ(w.path.congestion_window(), 20000u);
    EXPECT_TRUE(w.path.in_recovery(t0 + 100ms));
    EXPECT_FALSE(w.path.in_recovery(t0 + 100ms + 1ns));
    w.ack({{0, 30}}, t0 + 101ms);
    EXPECT_EQ(w.path.congestion_window(), 20000u);
    w.send_range(40, 50, t0 + 110ms);
    w.ack({{30, 50}}, t0 + 210ms);  // half of it from before
    EXPECT_EQ(w.path.congestion_window(), 20000u);
    EXPECT_FALSE(w.path.recovering());
    w.send_range(50, 70, t0 + 220ms);
    w.ack({{50, 60}}, t0 + 320ms);
    EXPECT_EQ(w.path.congestion_window(), 21000u);  // 10 + 10 datagrams sent since
}

TEST(sender, one_reduction_for_ce_marks_of_one_round_trip) {
    world w(test::plain(40000));
    w.path.on_ecn_ce(t0, t0 - 1ms);
    w.path.on_ecn_ce(t0 + 1ms, t0);
    w.path.on_lost(t0 + 2ms, 1000, t0);
    EXPECT_EQ(w.path.congestion_window(), 20000u);
    w.path.on_ecn_ce(t0 + 3ms, t0 + 2ms);
    EXPECT_EQ(w.path.congestion_window(), 10000u);
}

TEST(sender, a_larger_datagram_size_reaches_all_parts) {
    sender s({.controller = {.kind = controller_kind::new_reno, .max_datagram_size = 1000}});
    s.set_max_datagram_size(1400);
    EXPECT_EQ(s.max_datagram_size(), 1400u);
    EXPECT_EQ(s.congestion_window(), 14000u);
    EXPECT_EQ(s.allowance(t0), 14000u);
}

// A controller sees bytes and times: the same ones make the same windows, whatever carries them and however they are
// acknowledged.
TEST(sender, two_senders_with_the_same_bytes_have_the_same_windows) {
    for (const auto kind : {controller_kind::new_reno, controller_kind::cubic}) {
        world every(test::plain(0, kind)), batched(test::plain(0, kind));
        std::uint64_t sent[2] = {0, 0}, acknowledged[2] = {0, 0};
        for (int round = 0; round < 60; ++round) {
            const auto now = t0 + round * 100ms;
            for (const int i : {0, 1}) {
                auto& w = i == 0 ? every : batched;
                const auto first = acknowledged[i];
                if (i == 0) {
                    for (auto n = first; n < sent[i]; ++n) w.ack_and_detect({{n, n + 1}}, now);
                } else if (sent[i] > first) {
                    w.ack_and_detect({{first, sent[i]}}, now);
                }
                acknowledged[i] = sent[i];
                if (round == 5) w.path.on_ecn_ce(now, now - 100ms);
                while (!w.path.window_blocked()) w.send(sent[i]++, now + 1us);
            }
            ASSERT_NEAR(static_cast<double>(every.path.congestion_window()),
                        static_cast<double>(batched.path.congestion_window()), 1000)
                << round;
        }
        EXPECT_GT(every.path.congestion_window(), 160'000u);
    }
}

// The last packets before a recovery period are found lost only when later ones arrived, whose ACKs have ended the period. RFC
// 9002 7.3.2: they were sent before it began, so they are no reason for another reduction.
TEST(sender, losses_of_before_a_period_that_are_found_after_it_reduce_nothing) {
    world w(test::plain(40'000));
    w.send_range(0, 20, t0);
    EXPECT_EQ(w.ack_and_detect({{1, 4}}, t0 + 100ms).size(), 1u);
    EXPECT_EQ(w.path.congestion_window(), 21'500u);
    w.send_range(20, 24, t0 + 101ms);
    w.ack_and_detect({{4, 19}}, t0 + 110ms);
    EXPECT_EQ(w.ack_and_detect({{20, 24}}, t0 + 201ms), (std::vector<std::uint64_t>{19}));
    EXPECT_FALSE(w.path.recovering());
    EXPECT_GE(w.path.congestion_window(), 21'500u);
    w.send(24, t0 + 202ms);
    w.send_range(25, 29, t0 + 203ms);
    EXPECT_EQ(w.ack_and_detect({{25, 29}}, t0 + 300ms).size(), 1u);  // this one is new
    EXPECT_LE(w.path.congestion_window(), 12'000u);
}

}  // namespace
}  // namespace tandem::recovery
