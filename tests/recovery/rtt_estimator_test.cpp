#include <tandem/recovery/rtt_estimator.hpp>

#include <gtest/gtest.h>

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;

// RFC 9002 6.2.2: before any sample.
TEST(rtt_estimator, starts_from_the_initial_rtt) {
    rtt_estimator rtt;
    EXPECT_FALSE(rtt.has_sample());
    EXPECT_EQ(rtt.smoothed(), 333ms);
    EXPECT_EQ(rtt.variation(), 166'500us);
    EXPECT_EQ(rtt.timeout(), 999ms);
    EXPECT_EQ(rtt_estimator(1s).timeout(), 3s);
}

// RFC 9002 5.3, RFC 6298 2.2: the first sample, whose delay is ignored.
TEST(rtt_estimator, the_first_sample_replaces_the_initial_rtt) {
    rtt_estimator rtt;
    rtt.update(100ms, 20ms);
    EXPECT_TRUE(rtt.has_sample());
    EXPECT_EQ(rtt.latest(), 100ms);
    EXPECT_EQ(rtt.minimum(), 100ms);
    EXPECT_EQ(rtt.smoothed(), 100ms);
    EXPECT_EQ(rtt.variation(), 50ms);
    EXPECT_EQ(rtt.timeout(), 300ms);
}

TEST(rtt_estimator, later_samples_are_averaged) {
    rtt_estimator rtt;
    rtt.update(100ms, 0ms);
    rtt.update(180ms, 0ms);
    EXPECT_EQ(rtt.latest(), 180ms);
    EXPECT_EQ(rtt.minimum(), 100ms);
    EXPECT_EQ(rtt.variation(), 57'500us);  // (3 * 50 + |100 - 180|) / 4: the smoothed RTT before this sample
    EXPECT_EQ(rtt.smoothed(), 110ms);      // (7 * 100 + 180) / 8
    rtt.update(60ms, 0ms);
    EXPECT_EQ(rtt.minimum(), 60ms);
    EXPECT_EQ(rtt.variation(), 55'625us);  // (3 * 57.5 + 50) / 4
    EXPECT_EQ(rtt.smoothed(), 103'750us);
}

TEST(rtt_estimator, the_reported_delay_is_taken_off_unless_that_leads_below_the_minimum) {
    rtt_estimator rtt;
    rtt.update(100ms, 0ms);
    rtt.update(124ms, 24ms);  // exactly the minimum is left
    EXPECT_EQ(rtt.smoothed(), 100ms);
    EXPECT_EQ(rtt.latest(), 124ms);
    rtt.update(108ms, 9ms);  // not believed
    EXPECT_EQ(rtt.smoothed(), 101ms);
    EXPECT_EQ(rtt.minimum(), 100ms);
}

TEST(rtt_estimator, the_timeout_allows_for_the_granularity) {
    rtt_estimator rtt;
    for (int i = 0; i < 200; ++i) rtt.update(50ms, 0ms);
    EXPECT_LT(rtt.variation(), 1us);
    EXPECT_EQ(rtt.timeout(), 51ms);
}

// RFC 9002 5.2
TEST(rtt_estimator, the_minimum_starts_again_when_told) {
    rtt_estimator rtt;
    rtt.update(10ms, 0ms);
    rtt.restart_minimum();
    rtt.update(80ms, 0ms);
    EXPECT_EQ(rtt.minimum(), 80ms);
    rtt.update(90ms, 0ms);
    EXPECT_EQ(rtt.minimum(), 80ms);
}

}  // namespace
}  // namespace tandem::recovery
