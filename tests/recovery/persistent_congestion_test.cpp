#include <tandem/recovery/persistent_congestion.hpp>

#include <gtest/gtest.h>

#include "world.hpp"

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;
using test::t0;
using test::world;

rtt_estimator sampled(duration rtt) {
    rtt_estimator e;
    e.update(rtt, 0ms);
    return e;
}

// RFC 9002 7.6.1
TEST(persistent_congestion, the_duration_is_three_timeouts_with_the_ack_delay) {
    EXPECT_EQ(persistent_congestion(25ms).minimum(sampled(100ms)), 975ms);
}

// RFC 9002 7.6.2: "the duration between the send times of these two packets exceeds the persistent congestion duration"
TEST(persistent_congestion, the_losses_must_span_more_than_the_duration) {
    const auto rtt = sampled(100ms);
    persistent_congestion p(25ms);
    EXPECT_FALSE(p.on_lost(t0 + 1ms, rtt, t0));
    EXPECT_FALSE(p.on_lost(t0 + 500ms, rtt, t0));
    EXPECT_FALSE(p.on_lost(t0 + 976ms, rtt, t0));
    EXPECT_TRUE(p.on_lost(t0 + 976ms + 1ns, rtt, t0));
    EXPECT_FALSE(p.on_lost(t0 + 977ms, rtt, t0));  // once
}

TEST(persistent_congestion, an_acknowledgment_between_breaks_it) {
    const auto rtt = sampled(100ms);
    persistent_congestion p(25ms);
    p.on_lost(t0 + 1ms, rtt, t0);
    p.on_acknowledged();
    EXPECT_FALSE(p.on_lost(t0 + 2s, rtt, t0));
    EXPECT_TRUE(p.on_lost(t0 + 3s, rtt, t0));
}

TEST(persistent_congestion, what_was_sent_before_the_first_sample_does_not_count) {
    const auto rtt = sampled(100ms);
    persistent_congestion p(25ms);
    EXPECT_FALSE(p.on_lost(t0, rtt, std::nullopt));
    EXPECT_FALSE(p.on_lost(t0 + 1s, rtt, t0 + 1s));
    EXPECT_FALSE(p.on_lost(t0 + 1900ms, rtt, t0 + 1s));
    EXPECT_TRUE(p.on_lost(t0 + 2900ms, rtt, t0 + 1s));
}

// The first packet is acknowledged after 100 ms: the timeout is 300 ms, with the delay 325, three of them 975.
struct sparse : world {
    explicit sparse(bool enabled = true) {
        if (enabled) log.enable_persistent_congestion(25ms);
        send(0, t0);
        ack({{0, 1}}, t0 + 100ms);
    }
};

// RFC 9002 7.6.3, with a unit of 163 ms: six units are more than three timeouts, and the losses span seven.
TEST(persistent_congestion, the_example_of_the_rfc) {
    sparse w;
    const auto unit = 163ms;
    for (std::uint64_t i = 1; i <= 6; ++i) w.send(i, t0 + 200ms + (i - 1) * unit);
    w.send(7, t0 + 200ms + 7 * unit);   // PTO 1
    w.send(8, t0 + 200ms + 11 * unit);  // PTO 2
    const auto now = t0 + 200ms + 11 * unit + 100ms;
    w.ack({{8, 9}}, now);
    const auto l = w.log.detect_lost(w.tolerance, w.path, now);
    EXPECT_EQ(l.packets.size(), 7u);
    EXPECT_TRUE(l.persistent_congestion);
    EXPECT_EQ(w.path.congestion_window(), 2000u);
    EXPECT_EQ(w.path.ssthresh(), 50000u);
    EXPECT_FALSE(w.path.recovering());  // RFC 9002 B.8
    EXPECT_EQ(w.path.rtt().minimum(), 100ms);
    w.send(9, now);
    w.ack({{9, 10}}, now + 400ms);
    EXPECT_EQ(w.path.rtt().minimum(), 400ms);  // RFC 9002 5.2: it may be another path now
}

TEST(persistent_congestion, only_if_asked_for) {
    sparse w(false);
    w.send(1, t0 + 200ms);
    w.send(2, t0 + 5s);
    w.send(3, t0 + 5s);
    w.ack({{3, 4}}, t0 + 6s);
    EXPECT_FALSE(w.log.detect_lost(w.tolerance, w.path, t0 + 6s).persistent_congestion);
}

TEST(persistent_congestion, losses_found_one_after_the_other_count_together) {
    sparse w;
    for (std::uint64_t i = 1; i <= 3; ++i) w.send(i, t0 + 200ms + (i - 1) * 600ms);
    w.send(4, t0 + 1450ms);
    w.ack({{4, 5}}, t0 + 1500ms);  // the first three are outstanding: 1 and 2 are late by now, 3 is not
    auto l = w.log.detect_lost(w.tolerance, w.path, t0 + 1500ms);
    EXPECT_EQ(l.packets.size(), 2u);
    EXPECT_FALSE(l.persistent_congestion);  // 600 ms apart
    ASSERT_TRUE(w.log.loss_time());
    l = w.log.detect_lost(w.tolerance, w.path, *w.log.loss_time());
    EXPECT_EQ(l.packets.size(), 1u);
    EXPECT_TRUE(l.persistent_congestion);  // 1200 ms apart
}

TEST(persistent_congestion, not_with_an_acknowledged_one_between) {
    sparse w;
    w.send(1, t0 + 200ms);
    w.send(2, t0 + 900ms);
    w.send(3, t0 + 1600ms);
    w.send(4, t0 + 3s);
    w.ack({{2, 3}, {4, 5}}, t0 + 3100ms);
    const auto l = w.log.detect_lost(w.tolerance, w.path, t0 + 3100ms);
    EXPECT_EQ(l.packets.size(), 2u);  // 1 and 3, 1.4 s apart
    EXPECT_FALSE(l.persistent_congestion);
}

TEST(persistent_congestion, not_for_what_is_not_ack_eliciting) {
    sparse w;
    w.send(1, t0 + 200ms, 50, false);
    w.send(2, t0 + 3s, 50, false);
    w.send(3, t0 + 3s);
    w.ack({{3, 4}}, t0 + 4s);
    EXPECT_FALSE(w.log.detect_lost(w.tolerance, w.path, t0 + 4s).persistent_congestion);
}

}  // namespace
}  // namespace tandem::recovery
