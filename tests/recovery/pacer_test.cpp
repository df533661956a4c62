#include <tandem/recovery/pacer.hpp>

#include <gtest/gtest.h>

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;
constexpr time_point t0 = time_point{} + 5s;

TEST(pacer, holds_nothing_back_before_it_knows_a_rate) {
    pacer p(1000);
    p.on_sent(t0, 1'000'000);
    EXPECT_EQ(p.allowance(t0), UINT64_MAX);
    EXPECT_EQ(p.release(t0), t0);
}

// RFC 9002 7.7: a burst of the initial window, then one datagram at a time.
TEST(pacer, at_low_rates_it_releases_datagrams_one_by_one) {
    pacer p(1000);
    p.set_rate(1'000'000, t0);  // a datagram each millisecond
    EXPECT_EQ(p.allowance(t0), 10000u);
    p.on_sent(t0, 10000);
    EXPECT_EQ(p.allowance(t0), 0u);
    EXPECT_EQ(p.release(t0), t0 + 1ms);
    EXPECT_EQ(p.allowance(t0 + 1ms - 1ns), 0u);
    EXPECT_EQ(p.release(t0 + 500us), t0 + 1ms);
    EXPECT_EQ(p.allowance(t0 + 1ms), 1000u);
    p.on_sent(t0 + 1ms, 1000);
    EXPECT_EQ(p.release(t0 + 1ms), t0 + 2ms);
    EXPECT_EQ(p.allowance(t0 + 1h), 10000u);
}

TEST(pacer, at_high_rates_it_releases_trains) {
    pacer p(1500);
    p.set_rate(1'250'000'000, t0);           // 10 Gbit/s
    EXPECT_EQ(p.allowance(t0), 2'500'000u);  // 2 ms
    p.on_sent(t0, 2'500'000);
    EXPECT_EQ(p.release(t0), t0 + 52429ns);  // 64 KiB, rounded up
    EXPECT_EQ(p.allowance(t0 + 52428ns), 0u);
    EXPECT_GE(p.allowance(t0 + 52429ns), 65536u);
    p.set_rate(12'500'000, t0 + 1ms);  // 100 Mbit/s: what a millisecond carries
    p.on_sent(t0 + 1ms, p.allowance(t0 + 1ms));
    EXPECT_EQ(p.release(t0 + 1ms), t0 + 2ms);
    EXPECT_EQ(p.allowance(t0 + 2ms), 12500u);
}

TEST(pacer, the_long_run_rate_is_exact) {
    pacer p(1000);
    p.set_rate(333'333, t0);
    time_point now = t0;
    std::uint64_t sent = 0;
    while (now < t0 + 10s) {
        const auto n = p.allowance(now);
        ASSERT_GT(n, 0u);
        p.on_sent(now, 1000);
        sent += 1000;
        now = p.release(now);
    }
    EXPECT_NEAR(static_cast<double>(sent), 10 * 333'333 + 10000, 2000);
}

TEST(pacer, probes_are_owed_for) {
    pacer p(1000);
    p.set_rate(1'000'000, t0);
    p.on_sent(t0, 13000);  // nothing held them back
    EXPECT_EQ(p.release(t0), t0 + 4ms);
}

TEST(pacer, a_change_of_rate_keeps_what_was_saved_up) {
    pacer p(1000);
    p.set_rate(1'000'000, t0);
    p.on_sent(t0, 10000);
    p.set_rate(100'000, t0 + 500us);  // half a datagram is there
    EXPECT_EQ(p.release(t0 + 500us), t0 + 500us + 5ms);
}

TEST(pacer, does_not_overflow_after_long_silence_at_the_highest_rate) {
    pacer p(1000);
    p.set_rate(UINT64_MAX, t0);
    EXPECT_EQ(p.rate(), pacer::max_rate);
    p.on_sent(t0, 1'000'000);
    EXPECT_EQ(p.allowance(t0 + 24h * 365), 2'000'000'000u);
    p.on_sent(t0 + 24h * 365, 2'000'000'000);
    EXPECT_EQ(p.release(t0 + 24h * 365), t0 + 24h * 365 + 66ns);
}

}  // namespace
}  // namespace tandem::recovery
