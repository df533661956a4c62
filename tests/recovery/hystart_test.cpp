#include <tandem/recovery/hystart.hpp>

#include <gtest/gtest.h>

#include <tandem/recovery/new_reno.hpp>

#include "controller_events.hpp"

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;

// Rounds of ten acknowledgments; the first of a round is of something sent when the round before began.
struct rounds {
    hystart h;
    time_point now{};
    time_point previous = now;

    // Returns whether slow start ended during the round.
    bool run(duration rtt, int samples = 10) {
        now += rtt;
        const auto began = now;
        bool over = false;
        for (int i = 0; i < samples; ++i) {
            over |= h.on_ack(now, i == 0 ? previous : previous - 1us, rtt);
            now += 100us;
        }
        previous = began;
        return over;
    }
};

TEST(hystart, a_steady_round_trip_time_keeps_slow_start) {
    rounds r;
    for (int i = 0; i < 50; ++i) ASSERT_FALSE(r.run(40ms));
    EXPECT_FALSE(r.h.in_css());
    EXPECT_EQ(r.h.growth(1000), 1000u);
}

// RFC 9406 4.2: the threshold is an eighth of the last round's minimum, at least 4 and at most 16 ms.
TEST(hystart, a_rise_by_the_threshold_begins_conservative_slow_start) {
    for (const auto& [base, rise] : {std::pair<duration, duration>{80ms, 10ms}, {10ms, 4ms}, {400ms, 16ms}}) {
        rounds below;
        below.run(base);
        below.run(base + rise - 1us);
        EXPECT_FALSE(below.h.in_css()) << base.count();
        rounds above;
        above.run(base);
        above.run(base + rise);
        EXPECT_TRUE(above.h.in_css()) << base.count();
        EXPECT_EQ(above.h.growth(1000), 250u);
    }
}

TEST(hystart, fewer_than_eight_samples_decide_nothing) {
    rounds r;
    r.run(80ms);
    r.run(200ms, 7);
    EXPECT_FALSE(r.h.in_css());
    rounds enough;
    enough.run(80ms);
    enough.run(200ms, 8);
    EXPECT_TRUE(enough.h.in_css());
}

TEST(hystart, acknowledgments_without_a_sample_do_not_count) {
    hystart h;
    time_point now{};
    for (int i = 0; i < 100; ++i) h.on_ack(now += 1ms, time_point{} - 1s, std::nullopt);
    EXPECT_FALSE(h.in_css());
}

TEST(hystart, a_fall_below_the_baseline_resumes_slow_start) {
    rounds r;
    r.run(80ms);
    r.run(95ms);
    ASSERT_TRUE(r.h.in_css());
    r.run(94ms);
    EXPECT_FALSE(r.h.in_css());
    for (int i = 0; i < 20; ++i) ASSERT_FALSE(r.run(94ms));
}

// RFC 9406 4.2: the partial round in which it began counts as the first of five.
TEST(hystart, slow_start_ends_after_five_rounds) {
    rounds r;
    r.run(80ms);
    r.run(95ms);
    ASSERT_TRUE(r.h.in_css());
    for (int i = 0; i < 4; ++i) EXPECT_FALSE(r.run(95ms)) << i;
    EXPECT_TRUE(r.run(95ms));
}

TEST(hystart, the_controllers_leave_slow_start_with_it_before_any_loss) {
    for (const auto kind : {controller_kind::new_reno, controller_kind::cubic}) {
        const auto c = make_controller({.kind = kind, .max_datagram_size = 1000});
        time_point now{}, previous{};
        std::uint64_t window_at_exit = 0;
        for (int round = 0; round < 12; ++round) {
            rtt_estimator rtt;
            rtt.update(round < 4 ? 80ms : 100ms, 0ms);  // the queue begins to fill in the fifth round
            now += rtt.latest();
            const auto began = now;
            const auto in_round = c->window() / 1000;
            for (std::uint64_t i = 0; i < in_round; ++i) {
                c->on_ack({.now = now,
                           .acknowledged = 1000,
                           .newest_sent = i == 0 ? previous : previous - 1us,
                           .rtt = rtt,
                           .rtt_sampled = true,
                           .window_limited = true});
                now += 10us;
                if (c->ssthresh() != UINT64_MAX && window_at_exit == 0) window_at_exit = c->ssthresh();
            }
            previous = began;
        }
        // Four doublings of ten, then five rounds by a quarter (its first partly doubling).
        EXPECT_GT(window_at_exit, 160'000u * 5 / 4) << c->name();
        EXPECT_LT(window_at_exit, 160'000u * 4) << c->name();
        EXPECT_LT(c->window(), window_at_exit * 11 / 10) << c->name();
    }
}

}  // namespace
}  // namespace tandem::recovery
