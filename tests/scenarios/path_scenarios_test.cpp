// The adversities that are the same for QUIC and TCP, each over both, every kind of link and many seeds: what is sent arrives
// unchanged, nothing stalls, and neither memory nor the number of packets runs away.
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "path_scenarios.hpp"
#include "quic_scenario.hpp"
#include "seed.hpp"
#include "tcp_scenario.hpp"

namespace tandem::test {

void PrintTo(const path_scenario& s, std::ostream* out) { *out << s.name; }

namespace {

class PathScenario : public testing::TestWithParam<path_scenario> {};

TEST_P(PathScenario, OverQuic) {
    over_all_links([](const link_kind& kind, std::uint64_t seed) { quic::test::play_once(GetParam(), kind, seed); });
}

TEST_P(PathScenario, OverTcp) {
    over_all_links([](const link_kind& kind, std::uint64_t seed) { tcp::test::play_once(GetParam(), kind, seed); });
}

INSTANTIATE_TEST_SUITE_P(, PathScenario, testing::ValuesIn(path_scenarios()),
                         [](const auto& one) { return std::string(one.param.name); });

// Links that do all of it to most packets.
TEST(EverythingReorderedDuplicatedAndLate, OverBoth) {
    const auto& plain = path_scenarios().front();
    for (std::uint64_t n = 0; n < 8 * seeds(); ++n) {
        sim::link_config link{.delay = std::chrono::milliseconds(30)};
        link.jitter = std::chrono::milliseconds(10 + 20 * (n % 5));
        link.reorder = 0.5;
        link.reorder_delay = std::chrono::milliseconds(20 * (1 + n % 8));
        link.duplicate = 1;
        SCOPED_TRACE("TANDEM_SEED=" + std::to_string(seed() + n));
        quic::test::play_once(plain, {"bad", link}, seed() + n);
        tcp::test::play_once(plain, {"bad", link}, seed() + n);
        if (HasFailure()) return;
    }
}

}  // namespace
}  // namespace tandem::test
