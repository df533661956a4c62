#include <tandem/recovery/bbr_model.hpp>

#include <gtest/gtest.h>

#include <tandem/bytes/random.hpp>
#include "seed.hpp"

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;
constexpr time_point t0 = time_point{} + 1s;

TEST(round_counter, a_round_ends_with_what_was_sent_after_it_began) {
    round_counter r;
    EXPECT_TRUE(r.on_ack(0, 1000));  // sent when nothing was delivered
    EXPECT_FALSE(r.on_ack(0, 2000));
    EXPECT_FALSE(r.on_ack(999, 3000));
    EXPECT_TRUE(r.on_ack(1000, 4000));
    EXPECT_EQ(r.count(), 2u);
}

TEST(max_bandwidth, holds_this_cycle_and_the_one_before) {
    max_bandwidth m;
    m.update(100);
    m.update(70);
    EXPECT_EQ(m.value(), 100u);
    m.advance();
    m.update(50);
    EXPECT_EQ(m.value(), 100u);
    m.advance();
    EXPECT_EQ(m.value(), 50u);
    m.advance();  // a cycle without samples forgets nothing
    EXPECT_EQ(m.value(), 50u);
}

TEST(full_pipe, three_rounds_without_a_quarter_more) {
    full_pipe p;
    for (std::uint64_t rate : {100, 200, 400, 499, 499}) p.on_round(rate);
    EXPECT_FALSE(p.now());
    p.on_round(499);
    EXPECT_TRUE(p.now());
    EXPECT_TRUE(p.reached());
    p.restart(499);
    EXPECT_FALSE(p.now());
    EXPECT_TRUE(p.reached());
    p.on_round(700);
    p.on_round(700);
    p.on_round(900);  // grows again
    p.on_round(900);
    p.on_round(900);
    EXPECT_FALSE(p.now());
}

TEST(min_rtt, lower_samples_count_at_once_and_higher_ones_when_the_old_are_ten_seconds_old) {
    min_rtt_filter f;
    f.update(t0, 50ms);
    f.update(t0 + 1s, 40ms);
    f.update(t0 + 2s, 60ms);
    EXPECT_EQ(f.value(), 40ms);
    EXPECT_FALSE(f.probe_due());
    f.update(t0 + 6s + 1ms, 70ms);  // 5 s after the last minimum: it is time to look
    EXPECT_TRUE(f.probe_due());
    EXPECT_EQ(f.value(), 40ms);
    f.update(t0 + 11s + 1ms, 65ms);
    EXPECT_EQ(f.value(), 65ms);
}

// Against the definition, within the quarter of the window that Nichols' algorithm may forget early.
TEST(windowed_max, is_the_maximum_of_the_window) {
    random_source random(test::seed());
    windowed_max filter;
    std::vector<std::uint64_t> all;
    for (std::uint64_t at = 0; at < 10'000; ++at) {
        all.push_back(random.below(1000));
        filter.update(all.back(), at, 10);
        const auto most =
            *std::max_element(all.end() - static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(at + 1, 11)), all.end());
        const auto recent =
            *std::max_element(all.end() - static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(at + 1, 4)), all.end());
        ASSERT_LE(filter.value(), most) << at;
        ASSERT_GE(filter.value(), recent) << at;
    }
}

// 1000 bytes a millisecond, but acknowledged ten at a time.
TEST(ack_aggregation, measures_what_comes_at_once) {
    ack_aggregation a;
    a.restart(t0);
    for (std::uint64_t round = 1; round <= 20; ++round) a.update(t0 + round * 10ms, 10'000, 1'000'000, 100'000, round, 10);
    EXPECT_EQ(a.extra(), 10'000u);
    ack_aggregation bounded;
    bounded.update(t0, 10'000, 0, 4000, 1, 10);
    EXPECT_EQ(bounded.extra(), 4000u);
}

}  // namespace
}  // namespace tandem::recovery
