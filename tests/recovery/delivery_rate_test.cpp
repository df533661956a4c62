#include <tandem/recovery/delivery_rate.hpp>

#include <vector>

#include <gtest/gtest.h>

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;
constexpr time_point t0 = time_point{} + 1s;

TEST(delivery_rate, one_flight_is_measured_over_a_round_trip) {
    delivery_rate d;
    std::vector<delivery_snapshot> sent;
    for (std::uint64_t i = 1; i <= 4; ++i) sent.push_back(d.on_sent(t0, 1000, i * 1000));
    const auto rate = d.on_ack(t0 + 100ms, 4000, t0, sent.back(), 100ms);
    EXPECT_EQ(rate.delivered, 4000u);
    EXPECT_EQ(rate.interval, 100ms);
    EXPECT_FALSE(rate.app_limited);
    EXPECT_EQ(d.delivered(), 4000u);
}

// Ten datagrams sent 10 ms apart whose acknowledgments come all at once: the send interval counts, not the ACK's.
TEST(delivery_rate, compressed_acknowledgments_do_not_pass_for_speed) {
    delivery_rate d;
    std::vector<delivery_snapshot> sent;
    for (std::uint64_t i = 0; i < 20; ++i) sent.push_back(d.on_sent(t0 + i * 10ms, 1000, (i + 1) * 1000));
    auto rate = d.on_ack(t0 + 300ms, 10000, t0 + 90ms, sent[9], 50ms);
    EXPECT_EQ(rate.interval, 300ms);
    rate = d.on_ack(t0 + 301ms, 10000, t0 + 190ms, sent[19], 50ms);
    EXPECT_EQ(rate.delivered, 20000u);
    EXPECT_EQ(rate.interval, 301ms);
}

TEST(delivery_rate, a_sample_shorter_than_the_minimum_rtt_is_invalid) {
    delivery_rate d;
    const auto sent = d.on_sent(t0, 1000, 1000);
    EXPECT_EQ(d.on_ack(t0 + 10ms, 1000, t0, sent, 11ms).interval, duration{});
}

TEST(delivery_rate, the_application_limited_bubble_marks_samples_until_it_is_delivered) {
    delivery_rate d;
    const auto before = d.on_sent(t0, 1000, 1000);
    d.on_app_limited(1000);
    const auto inside = d.on_sent(t0 + 1ms, 1000, 2000);
    EXPECT_FALSE(before.app_limited);
    EXPECT_TRUE(inside.app_limited);
    EXPECT_FALSE(d.on_ack(t0 + 50ms, 1000, t0, before, 1ms).app_limited);
    EXPECT_TRUE(d.on_sent(t0 + 50ms, 1000, 2000).app_limited);
    EXPECT_TRUE(d.on_ack(t0 + 51ms, 1000, t0 + 1ms, inside, 1ms).app_limited);
    EXPECT_FALSE(d.on_sent(t0 + 52ms, 1000, 2000).app_limited);
}

TEST(delivery_rate, silence_does_not_count) {
    delivery_rate d;
    const auto first = d.on_sent(t0, 1000, 1000);
    d.on_ack(t0 + 10ms, 1000, t0, first, 10ms);
    const auto second = d.on_sent(t0 + 10s, 1000, 1000);
    EXPECT_EQ(d.on_ack(t0 + 10s + 10ms, 1000, t0 + 10s, second, 10ms).interval, 10ms);
}

}  // namespace
}  // namespace tandem::recovery
