#include <tandem/sim/loss.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace {

using tandem::sim::loss_config;
using tandem::sim::loss_trace;

constexpr std::uint64_t seed = 20240817;  // printed by every assertion that depends on it

std::vector<bool> draw(const loss_config& config, std::size_t n, std::uint64_t with_seed = seed) {
    loss_trace trace(config, with_seed);
    std::vector<bool> out(n);
    for (std::size_t i = 0; i < n; ++i) out[i] = trace.next();
    return out;
}

double share(const std::vector<bool>& losses) {
    return static_cast<double>(std::count(losses.begin(), losses.end(), true)) / static_cast<double>(losses.size());
}

double mean_run(const std::vector<bool>& losses) {
    std::size_t lost = 0, runs = 0;
    for (std::size_t i = 0; i < losses.size(); ++i) {
        lost += losses[i];
        runs += losses[i] && (i == 0 || !losses[i - 1]);
    }
    return static_cast<double>(lost) / static_cast<double>(runs);
}

TEST(loss_trace, bernoulli_has_its_rate_and_no_memory) {
    const auto losses = draw(loss_config::bernoulli(0.05), 200'000);
    EXPECT_NEAR(share(losses), 0.05, 0.002) << "seed " << seed;
    EXPECT_NEAR(mean_run(losses), 1 / 0.95, 0.02) << "seed " << seed;
}

TEST(loss_trace, gilbert_has_its_rate_and_burst_length) {
    const auto config = loss_config::bursts(0.02, 5);
    EXPECT_NEAR(config.average(), 0.02, 1e-12);
    const auto losses = draw(config, 500'000);
    EXPECT_NEAR(share(losses), 0.02, 0.002) << "seed " << seed;
    EXPECT_NEAR(mean_run(losses), 5, 0.3) << "seed " << seed;
}

TEST(loss_trace, full_gilbert_elliott_average) {
    const loss_config config{0.01, 0.5, 0.1, 0.3};
    EXPECT_NEAR(config.average(), 0.25 * 0.5 + 0.75 * 0.01, 1e-12);
    EXPECT_NEAR(share(draw(config, 500'000)), config.average(), 0.003) << "seed " << seed;
}

TEST(loss_trace, same_seed_same_trace_other_seed_another) {
    const auto config = loss_config::bursts(0.1, 3);
    EXPECT_EQ(draw(config, 1000), draw(config, 1000));
    EXPECT_NE(draw(config, 1000), draw(config, 1000, seed + 1));
}

TEST(loss_trace, losses_of_a_lower_rate_are_among_those_of_a_higher_one) {
    const auto low = draw(loss_config::bernoulli(0.01), 10'000);
    const auto high = draw(loss_config::bernoulli(0.03), 10'000);
    for (std::size_t i = 0; i < low.size(); ++i) EXPECT_LE(low[i], high[i]) << "opportunity " << i << " seed " << seed;
}

TEST(loss_trace, skipping_opportunities_does_not_change_the_others) {
    const auto config = loss_config::bursts(0.2, 3);
    const auto all = draw(config, 300);
    loss_trace some(config, seed);
    for (std::size_t i = 0; i < all.size(); i += 7) EXPECT_EQ(some.lost(i), all[i]) << i;
}

TEST(loss_trace, extremes) {
    EXPECT_EQ(share(draw({}, 1000)), 0);
    EXPECT_FALSE(loss_config{}.random());
    EXPECT_EQ(share(draw(loss_config::bernoulli(1), 1000)), 1);
    EXPECT_EQ(share(draw(loss_config::bursts(0, 4), 1000)), 0);
    EXPECT_EQ(share(draw(loss_config::bursts(1, 4), 1000)), 1);
}

}  // namespace
