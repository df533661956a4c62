#include <tandem/recovery/reordering.hpp>

#include <gtest/gtest.h>

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;
constexpr time_point t0{};

rtt_estimator steady(duration rtt) {
    rtt_estimator e;
    e.update(rtt, 0ms);
    return e;
}

TEST(reordering, both_kinds_start_with_three_packets_and_nine_eighths) {
    for (const auto kind : {reordering_kind::adaptive, reordering_kind::fixed}) {
        reordering_tolerance t(kind);
        EXPECT_EQ(t.packets(), 3u);
        EXPECT_EQ(t.time(steady(80ms)), 90ms);
    }
}

// RFC 9002 6.1.2: the larger of smoothed and latest, and at least the granularity.
TEST(reordering, time_counts_from_the_longer_round_trip) {
    reordering_tolerance t;
    auto rtt = steady(80ms);
    rtt.update(160ms, 0ms);
    EXPECT_EQ(t.time(rtt), 180ms);
    rtt.update(16ms, 0ms);
    EXPECT_EQ(t.time(rtt), rtt.smoothed() + rtt.smoothed() / 8);
    EXPECT_EQ(t.time(steady(100us)), 1ms);
}

TEST(reordering, fixed_never_changes) {
    reordering_tolerance t(reordering_kind::fixed);
    t.on_late_arrival(20, 50ms, steady(80ms), t0);
    t.on_dsack(steady(80ms), t0);
    EXPECT_EQ(t.packets(), 3u);
    EXPECT_EQ(t.time(steady(80ms)), 90ms);
}

TEST(reordering, packets_widen_to_what_was_seen_and_beyond_the_cap_only_time_counts) {
    reordering_tolerance t;
    t.on_late_arrival(5, -10ms, steady(80ms), t0);
    EXPECT_EQ(t.packets(), 6u);
    t.on_late_arrival(4, -10ms, steady(80ms), t0);
    EXPECT_EQ(t.packets(), 6u);
    EXPECT_EQ(t.time(steady(80ms)), 90ms);  // it was the packets, not the time
    t.on_late_arrival(reordering_tolerance::max_packets, -10ms, steady(80ms), t0);
    EXPECT_EQ(t.packets(), reordering_tolerance::time_only);
}

// RFC 8985 6.2 step 4: quarters of the minimum RTT; 3.3.2: at most a smoothed RTT.
TEST(reordering, time_widens_in_steps_that_cover_the_lateness) {
    reordering_tolerance t;
    const auto rtt = steady(80ms);
    t.on_late_arrival(1, 1ms, rtt, t0);
    EXPECT_EQ(t.time(rtt), 110ms);
    t.on_late_arrival(1, 20ms, rtt, t0);
    EXPECT_EQ(t.time(rtt), 130ms);
    t.on_late_arrival(1, 21ms, rtt, t0);
    EXPECT_EQ(t.time(rtt), 160ms);  // 170, but for the bound
    t.on_late_arrival(1, 10s, rtt, t0);
    EXPECT_EQ(t.time(rtt), 160ms);
}

TEST(reordering, a_dsack_widens_the_time_once_a_round_trip) {
    reordering_tolerance t;
    const auto rtt = steady(80ms);
    t.on_dsack(rtt, t0);
    t.on_dsack(rtt, t0 + 79ms);
    EXPECT_EQ(t.time(rtt), 110ms);
    EXPECT_EQ(t.packets(), reordering_tolerance::time_only);
    t.on_dsack(rtt, t0 + 80ms);
    EXPECT_EQ(t.time(rtt), 130ms);
}

// RFC 8985 6.2: "RACK persists using the inflated RACK.reo_wnd for up to 16 loss recoveries"
TEST(reordering, relaxes_after_sixteen_recoveries_without_spurious_loss) {
    reordering_tolerance t;
    const auto rtt = steady(80ms);
    t.on_late_arrival(9, 5ms, rtt, t0);
    for (int i = 0; i < 10; ++i) t.on_recovery_end(rtt);
    t.on_late_arrival(1, -1ms, rtt, t0);  // the count starts again
    for (int i = 0; i < 15; ++i) t.on_recovery_end(rtt);
    EXPECT_EQ(t.packets(), 10u);
    EXPECT_EQ(t.time(rtt), 110ms);
    t.on_recovery_end(rtt);
    EXPECT_EQ(t.packets(), 3u);
    EXPECT_EQ(t.time(rtt), 90ms);
    t.on_recovery_end(rtt);
    EXPECT_EQ(t.packets(), 3u);
}

}  // namespace
}  // namespace tandem::recovery
