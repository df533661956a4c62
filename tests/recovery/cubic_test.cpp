#include <tandem/recovery/cubic.hpp>

#include <cmath>

#include <gtest/gtest.h>

#include "controller_events.hpp"

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;
using test::acked;
constexpr time_point t0{};
constexpr double segment = 1000;

cubic make(std::uint64_t segments) {
    return cubic(
        {.kind = controller_kind::cubic, .max_datagram_size = 1000, .initial_window = segments * 1000, .hystart = false});
}

// Acknowledges whole windows, segment by segment, evenly over each round trip, until `end`; f(now) after each round trip.
template <class F>
void run(cubic& c, time_point& now, time_point end, const rtt_estimator& rtt, F f) {
    while (now < end) {
        const auto window = c.window();
        const auto segments = window / 1000;
        for (std::uint64_t i = 0; i < segments; ++i) {
            c.on_ack(
                acked(now + duration(rtt.smoothed().count() * static_cast<std::int64_t>(i) / static_cast<std::int64_t>(segments)),
                      1000, rtt));
        }
        now += rtt.smoothed();
        f(now);
    }
}

// RFC 9438 figure 1
double w_cubic(double t, double k, double w_max) { return 0.4 * std::pow(t - k, 3) + w_max; }

TEST(cubic, slow_start_doubles) {
    auto c = make(10);
    c.on_ack(acked(t0, 10000, test::steady(100ms)));
    EXPECT_EQ(c.window(), 20000u);
}

// RFC 9438 4.6
TEST(cubic, a_loss_takes_three_tenths) {
    auto c = make(100);
    c.on_congestion({.now = t0, .bytes_lost = 1000});
    EXPECT_EQ(c.window(), 70000u);
    EXPECT_EQ(c.ssthresh(), 70000u);
    for (int i = 0; i < 30; ++i) c.on_congestion({.now = t0, .ecn = true});
    EXPECT_EQ(c.window(), 2000u);
}

// RFC 9438 4.2, 4.4 and 4.5: concave up to W_max at K, a plateau, then convex.
TEST(cubic, follows_the_closed_formula) {
    auto c = make(1000);
    const auto rtt = test::steady(100ms);
    c.on_congestion({.now = t0, .bytes_lost = 1000});
    ASSERT_EQ(c.window(), 700'000u);
    const double k = std::cbrt(300 / 0.4);
    ASSERT_NEAR(k, 9.086, 0.001);
    time_point now = t0;
    double highest_before_k = 0;
    run(c, now, t0 + 15s, rtt, [&](time_point at) {
        const double t = std::chrono::duration<double>(at - t0).count();
        const double window = static_cast<double>(c.window()) / segment;
        // In round trip n the window moves to the curve's value one round trip ahead.
        ASSERT_GT(window, w_cubic(t - 0.1, k, 1000) * 0.985) << t;
        ASSERT_LT(window, w_cubic(t + 0.1, k, 1000) * 1.015) << t;
        if (t < k - 0.2) highest_before_k = window;
    });
    EXPECT_LT(highest_before_k, 1000);
    EXPECT_GT(c.window(), 1'050'000u);
}

// RFC 9438 4.3: on a short path CUBIC grows as Reno would: alpha = 9/17 of a segment a round trip, and 1 once past the old
// window.
TEST(cubic, is_friendly_to_reno) {
    auto c = make(20);
    const auto rtt = test::steady(10ms);
    c.on_congestion({.now = t0, .bytes_lost = 1000});
    ASSERT_EQ(c.window(), 14000u);
    time_point now = t0;
    int round_trips = 0;
    run(c, now, t0 + 100ms, rtt, [&](time_point) { ++round_trips; });
    EXPECT_EQ(round_trips, 10);
    EXPECT_NEAR(static_cast<double>(c.window()), 14000 + 10 * 9.0 / 17 * segment, 300);
    while (c.window() < 20000) run(c, now, now + 10ms, rtt, [](time_point) {});
    const auto before = c.window();
    run(c, now, now + 100ms, rtt, [](time_point) {});
    EXPECT_NEAR(static_cast<double>(c.window() - before), 10 * segment, 700);
}

TEST(cubic, growth_counts_bytes_and_not_acknowledgments) {
    auto one_by_one = make(20), batched = make(20);
    const auto rtt = test::steady(10ms);
    one_by_one.on_congestion({.now = t0});
    batched.on_congestion({.now = t0});
    for (int i = 0; i < 140; ++i) one_by_one.on_ack(acked(t0 + 50ms, 500, rtt));
    for (int i = 0; i < 14; ++i) batched.on_ack(acked(t0 + 50ms, 5000, rtt));
    EXPECT_NEAR(static_cast<double>(one_by_one.window()), static_cast<double>(batched.window()), 50);
}

// RFC 9438 4.7
TEST(cubic, fast_convergence_lowers_the_plateau) {
    const auto rtt = test::steady(100ms);
    auto c = make(1000);
    c.on_congestion({.now = t0});       // W_max = 1000
    c.on_congestion({.now = t0 + 1s});  // at 700, below W_max: W_max = 700 * 0.85 = 595, window 490
    ASSERT_EQ(c.window(), 490'000u);
    const double k = std::cbrt((595 - 490) / 0.4);
    time_point now = t0 + 1s;
    run(c, now, now + std::chrono::duration_cast<duration>(std::chrono::duration<double>(k)), rtt, [](time_point) {});
    EXPECT_NEAR(static_cast<double>(c.window()), 595'000, 2000);
}

// RFC 9438 4.2: "In the convex region ... target ... 1.5 * cwnd"
TEST(cubic, never_grows_by_more_than_half_a_window_in_a_round_trip) {
    auto c = make(10);
    const auto rtt = test::steady(100ms);
    c.on_congestion({.now = t0});
    c.on_ack(acked(t0, 1, rtt));
    const auto before = c.window();
    // Much time later, all of it window-limited: the curve is far above.
    for (std::uint64_t i = 0; i < before; i += 1000) c.on_ack(acked(t0 + 60s, 1000, rtt));
    EXPECT_LE(c.window(), before * 7 / 4);
    EXPECT_GT(c.window(), before * 5 / 4);
}

// RFC 9438 4.2 and 5.8
TEST(cubic, time_without_growth_does_not_count) {
    const auto rtt = test::steady(100ms);
    auto busy = make(100), idle = make(100), limited = make(100);
    for (auto* c : {&busy, &idle, &limited}) {
        c->on_congestion({.now = t0});
        c->on_ack(acked(t0, 1000, rtt));
    }
    time_point now = t0;
    run(busy, now, t0 + 2s, rtt, [](time_point) {});

    idle.on_restart(t0 + 60s, true);  // after a minute of nothing in flight
    now = t0 + 60s;
    run(idle, now, t0 + 62s, rtt, [](time_point) {});
    EXPECT_NEAR(static_cast<double>(idle.window()), static_cast<double>(busy.window()), 1500);

    for (time_point at = t0; at <= t0 + 60s; at += 100ms) {
        auto ack = acked(at, 1000, rtt);
        ack.window_limited = false;
        limited.on_ack(ack);
    }
    now = t0 + 60s;
    run(limited, now, t0 + 62s, rtt, [](time_point) {});
    EXPECT_NEAR(static_cast<double>(limited.window()), static_cast<double>(busy.window()), 1500);
}

// RFC 9438 4.8: K = 0, and the plateau is where congestion avoidance begins.
TEST(cubic, after_a_timeout_it_starts_slowly_and_then_from_a_plateau) {
    const auto rtt = test::steady(100ms);
    auto c = make(1000);
    c.on_congestion({.now = t0});
    c.on_persistent_congestion(t0);
    EXPECT_EQ(c.window(), 2000u);
    EXPECT_EQ(c.ssthresh(), 700'000u);
    c.on_ack(acked(t0, 698'000, rtt));
    ASSERT_EQ(c.window(), 700'000u);
    time_point now = t0 + 1s;
    run(c, now, t0 + 7s, rtt, [](time_point) {});
    EXPECT_NEAR(static_cast<double>(c.window()), w_cubic(6, 0, 700) * segment, 5000);
}

// RFC 9438 4.9.2
TEST(cubic, a_spurious_congestion_event_is_undone) {
    const auto rtt = test::steady(100ms);
    auto undone = make(1000), undisturbed = make(1000);
    time_point a = t0, b = t0;
    for (auto* c : {&undone, &undisturbed}) c->on_congestion({.now = t0});
    run(undone, a, t0 + 3s, rtt, [](time_point) {});
    run(undisturbed, b, t0 + 3s, rtt, [](time_point) {});
    undone.on_congestion({.now = a});
    EXPECT_LT(undone.window(), undisturbed.window());
    undone.on_spurious_congestion();
    EXPECT_EQ(undone.window(), undisturbed.window());
    EXPECT_EQ(undone.ssthresh(), undisturbed.ssthresh());
    run(undone, a, t0 + 6s, rtt, [](time_point) {});
    run(undisturbed, b, t0 + 6s, rtt, [](time_point) {});
    EXPECT_EQ(undone.window(), undisturbed.window());
}

TEST(cubic, undo_keeps_a_window_that_has_grown_larger_since) {
    auto c = make(10);
    const auto rtt = test::steady(10ms);
    c.on_congestion({.now = t0});
    time_point now = t0;
    while (c.window() < 12000) run(c, now, now + 10ms, rtt, [](time_point) {});
    const auto window = c.window();
    c.on_spurious_congestion();
    EXPECT_EQ(c.window(), window);
}

}  // namespace
}  // namespace tandem::recovery
