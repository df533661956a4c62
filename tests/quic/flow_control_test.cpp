#include <chrono>

#include <gtest/gtest.h>

#include <tandem/quic/flow_control.hpp>

namespace tandem::quic {
namespace {

using namespace std::chrono_literals;
time_point at(duration d) { return time_point{} + d; }

TEST(receive_credit, announced_again_when_half_is_consumed) {
    receive_credit c(1000, 1000);
    EXPECT_EQ(c.limit(), 1000U);
    c.consume(499, at(0ms), 0ms);
    EXPECT_FALSE(c.announcement_due());
    c.consume(1, at(0ms), 0ms);
    EXPECT_TRUE(c.announcement_due());
    EXPECT_EQ(c.announce(), 1500U);
    EXPECT_EQ(c.limit(), 1500U);
    EXPECT_FALSE(c.announcement_due());
}

TEST(receive_credit, window_doubles_when_the_application_keeps_up_with_the_path) {
    receive_credit c(1000, 3000);
    c.consume(500, at(0ms), 100ms);  // half a window in no time
    EXPECT_EQ(c.window(), 2000U);
    c.consume(1000, at(99ms), 100ms);
    EXPECT_EQ(c.window(), 3000U);  // not above the maximum
    c.consume(1500, at(150ms), 100ms);
    EXPECT_EQ(c.window(), 3000U);
    EXPECT_EQ(c.announce(), 6000U);
}

TEST(receive_credit, window_stays_when_reading_is_slower_than_the_path) {
    receive_credit c(1000, 8000);
    c.consume(1, at(0ms), 100ms);
    c.consume(499, at(100ms), 100ms);
    EXPECT_EQ(c.window(), 1000U);
    c.consume(500, at(200ms), 100ms);
    EXPECT_EQ(c.window(), 1000U);
    // Without a measured round trip nothing is known.
    c.consume(5000, at(200ms), 0ms);
    EXPECT_EQ(c.window(), 1000U);
}

TEST(receive_credit, lost_announcement_is_repeated_if_it_was_the_last) {
    receive_credit c(1000, 1000);
    c.consume(600, at(0ms), 0ms);
    const auto first = c.announce();
    c.consume(600, at(0ms), 0ms);
    const auto second = c.announce();
    c.on_lost(first);
    EXPECT_FALSE(c.announcement_due());
    c.on_lost(second);
    EXPECT_TRUE(c.announcement_due());
    EXPECT_EQ(c.announce(), second);
    EXPECT_FALSE(c.announcement_due());
}

TEST(receive_credit, widens_up_to_its_maximum) {
    receive_credit c(1000, 4000);
    c.widen(3000);
    EXPECT_EQ(c.window(), 3000U);
    EXPECT_TRUE(c.announcement_due());
    c.widen(9000);
    EXPECT_EQ(c.window(), 4000U);
    c.widen(10);
    EXPECT_EQ(c.window(), 4000U);
}

TEST(send_credit, ignores_smaller_limits_and_says_blocked_once_per_limit) {
    send_credit c;
    EXPECT_TRUE(c.raise(100));
    EXPECT_FALSE(c.raise(100));
    EXPECT_FALSE(c.raise(50));
    c.use(100);
    EXPECT_EQ(c.available(), 0U);
    c.block();
    EXPECT_TRUE(c.blocked_due());
    EXPECT_EQ(c.announce_blocked(), 100U);
    c.block();
    EXPECT_FALSE(c.blocked_due());
    c.on_blocked_lost(100);
    EXPECT_TRUE(c.blocked_due());
    EXPECT_TRUE(c.raise(200));
    EXPECT_FALSE(c.blocked_due());
    c.on_blocked_lost(100);
    EXPECT_FALSE(c.blocked_due());
    c.use(100);
    c.block();
    EXPECT_TRUE(c.blocked_due());
}

}  // namespace
}  // namespace tandem::quic
