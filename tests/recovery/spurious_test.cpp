// Losses that were none: undo, and what the tolerance learns.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "world.hpp"

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;
using test::t0;
using test::world;
using testing::ElementsAre;

TEST(spurious, when_all_losses_of_the_period_arrive_the_window_is_restored) {
    for (const auto kind : {controller_kind::new_reno, controller_kind::cubic}) {
        world w(test::plain(100'000, kind));
        w.send_range(0, 20, t0);
        EXPECT_THAT(w.ack_and_detect({{5, 7}}, t0 + 100ms), ElementsAre(0, 1, 2, 3));
        EXPECT_LT(w.path.congestion_window(), 100'000u);
        auto d = w.ack({{0, 3}}, t0 + 101ms);
        EXPECT_EQ(d.late, 3u);
        EXPECT_FALSE(d.undo);
        EXPECT_LT(w.path.congestion_window(), 100'000u);
        d = w.ack({{3, 4}}, t0 + 102ms);
        EXPECT_EQ(d.late, 1u);
        EXPECT_TRUE(d.undo);
        EXPECT_EQ(w.path.congestion_window(), 100'000u);
        EXPECT_EQ(w.path.ssthresh(), UINT64_MAX);
        EXPECT_FALSE(w.path.recovering());
        EXPECT_EQ(w.log.total_spurious(), 4u);
        EXPECT_EQ(w.path.bytes_in_flight(), 14000u);  // neither lost nor late counts twice
        EXPECT_EQ(w.path.delivered(), 6000u);
    }
}

TEST(spurious, a_loss_that_is_real_forbids_the_undo) {
    world w;
    w.send_range(0, 20, t0);
    w.ack_and_detect({{5, 6}}, t0 + 100ms);
    EXPECT_FALSE(w.ack({{0, 2}}, t0 + 101ms).undo);
    w.send_range(20, 30, t0 + 110ms);
    w.ack({{20, 21}}, t0 + 210ms);
    EXPECT_EQ(w.path.ssthresh(), 50000u);
}

TEST(spurious, losses_of_an_earlier_period_do_not_undo_the_present_one) {
    world w;
    w.send_range(0, 10, t0);
    EXPECT_THAT(w.ack_and_detect({{3, 10}}, t0 + 100ms), ElementsAre(0, 1, 2));
    w.send_range(10, 20, t0 + 110ms);
    EXPECT_THAT(w.ack_and_detect({{13, 20}}, t0 + 210ms), ElementsAre(10, 11, 12));
    const auto window = w.path.congestion_window();
    EXPECT_FALSE(w.ack({{0, 3}}, t0 + 211ms).undo);
    EXPECT_EQ(w.path.congestion_window(), window);
    EXPECT_TRUE(w.ack({{10, 13}}, t0 + 212ms).undo);
    EXPECT_GT(w.path.congestion_window(), window);
}

TEST(spurious, a_ce_mark_in_the_period_forbids_the_undo) {
    world w;
    w.send_range(0, 10, t0);
    w.ack_and_detect({{3, 10}}, t0 + 100ms);
    w.path.on_ecn_ce(t0 + 100ms, t0);
    EXPECT_EQ(w.path.congestion_window(), 50000u);
    EXPECT_FALSE(w.ack({{0, 3}}, t0 + 101ms).undo);
    EXPECT_EQ(w.path.congestion_window(), 50000u);
}

// Eifel, RFC 4015: the originals arrive after the timeout.
TEST(spurious, a_timeout_that_was_too_early_is_undone_and_is_no_reordering) {
    world w;
    w.send(0, t0);
    w.ack({{0, 1}}, t0 + 100ms);
    w.send_range(1, 6, t0 + 1s);
    w.log.lose_all(w.path, t0 + 2s);
    EXPECT_EQ(w.path.congestion_window(), 2000u);
    w.send(6, t0 + 2s);
    for (std::uint64_t n = 1; n < 5; ++n) EXPECT_FALSE(w.ack({{n, n + 1}}, t0 + 2100ms).undo);
    EXPECT_TRUE(w.ack({{5, 6}}, t0 + 2100ms).undo);
    EXPECT_GE(w.path.congestion_window(), 100'000u);
    EXPECT_EQ(w.tolerance.packets(), 3u);
}

TEST(spurious, lost_ones_are_forgotten_after_three_timeouts) {
    world w;
    w.send_range(0, 5, t0);
    w.ack_and_detect({{4, 5}}, t0 + 100ms);  // RTT 100 ms: the timeout is 300 ms
    w.send(5, t0 + 100ms + 900ms - 1ns);
    EXPECT_NE(w.log.find(0), nullptr);
    w.send(6, t0 + 100ms + 900ms);
    EXPECT_EQ(w.log.find(0), nullptr);
    EXPECT_EQ(w.ack({{0, 1}}, t0 + 1s).late, 0u);
}

TEST(spurious, the_number_of_lost_ones_kept_is_capped) {
    world w(test::plain(1'000'000'000, controller_kind::fixed_window));
    constexpr std::uint64_t kept = loss_recovery<int>::max_kept;
    for (std::uint64_t n = 0; n < 4 * kept; ++n) {
        w.send(n, t0 + n * 1ns);
        if (n % 4 == 3) w.ack_and_detect({{n, n + 1}}, t0 + n * 1ns + 1us);  // three of four are lost
    }
    EXPECT_LE(w.log.log_capacity(), 2 * kept);
    EXPECT_EQ(w.log.find(0), nullptr);
    EXPECT_NE(w.log.find(3 * kept + 100), nullptr);
}

// Every tenth packet takes a way that is longer by five packets. Once seen, it is not taken for a loss again; RFC 9002's fixed
// three packets take it for one each time.
TEST(spurious, reordering_is_learned) {
    for (const auto kind : {reordering_kind::adaptive, reordering_kind::fixed}) {
        world w(test::plain(1'000'000, controller_kind::fixed_window), kind);
        std::vector<std::uint64_t> delayed;
        for (std::uint64_t n = 0; n < 1000; ++n) {
            const auto now = t0 + n * 1ms;
            w.send(n, now);
            if (n < 100) continue;
            const auto arrives = n - 100;
            if (arrives % 10 == 0) {
                delayed.push_back(arrives);
            } else {
                w.ack_and_detect({{arrives, arrives + 1}}, now);
            }
            if (!delayed.empty() && arrives == delayed.front() + 5) {
                w.ack_and_detect({{delayed.front(), delayed.front() + 1}}, now);
                delayed.clear();
            }
        }
        EXPECT_EQ(w.log.total_spurious(), w.log.total_lost());
        EXPECT_EQ(w.log.total_lost(), kind == reordering_kind::adaptive ? 1u : 90u);
    }
}

TEST(spurious, the_tolerance_relaxes_after_sixteen_real_recoveries) {
    world w(test::plain(1'000'000, controller_kind::fixed_window));
    w.send_range(0, 10, t0);
    w.ack_and_detect({{8, 9}}, t0 + 80ms);
    w.ack({{0, 1}}, t0 + 81ms);  // eight behind
    EXPECT_EQ(w.tolerance.packets(), 9u);
    w.send(10, t0 + 90ms);
    w.ack({{10, 11}}, t0 + 170ms);  // ends the first
    std::uint64_t n = 11;
    for (int recovery = 1; recovery < 16; ++recovery) {
        EXPECT_EQ(w.tolerance.packets(), 9u);
        const auto now = t0 + 1s + recovery * 1s;
        w.send_range(n, n + 20, now);
        w.ack_and_detect({{n + 1, n + 20}}, now + 80ms);  // the first of twenty is lost
        w.send(n + 20, now + 90ms);
        w.ack({{n + 20, n + 21}}, now + 170ms);
        n += 21;
    }
    EXPECT_EQ(w.tolerance.packets(), 3u);
}

}  // namespace
}  // namespace tandem::recovery
