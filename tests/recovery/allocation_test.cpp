// Steady traffic makes no heap allocation per packet.
#include "allocation_counter.hpp"

#include <gtest/gtest.h>

#include "world.hpp"

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;
using test::t0;
using test::world;

// A window of 500 packets, acknowledged two at a time a round trip later; one in 997 is lost.
std::uint64_t allocations_in_steady_state(controller_kind kind) {
    auto config = test::plain(500'000, kind);
    config.pacing = true;
    world w(config);
    std::uint64_t before = 0;
    for (std::uint64_t n = 0; n < 60000; ++n) {
        if (n == 20000) before = tandem::test::allocations();
        const auto now = t0 + n * 10us;
        if (w.path.allowance(now) > 0) w.path.on_app_limited();
        w.send(n, now);
        if (n < 500 || n % 2 == 0) continue;
        const auto end = n - 498;
        const bool one_is_lost = (end - 2) % 997 == 0;
        const range acknowledged[] = {{one_is_lost ? end - 1 : end - 2, end}};
        w.log.on_ack(acknowledged, {}, w.tolerance, w.path, now);
        w.log.detect_lost(w.tolerance, w.path, now);
    }
    EXPECT_GT(w.log.total_lost(), 20u);
    return tandem::test::allocations() - before;
}

TEST(allocations, none_per_packet_whatever_the_controller) {
    for (const auto kind : {controller_kind::new_reno, controller_kind::cubic, controller_kind::fixed_window}) {
        EXPECT_EQ(allocations_in_steady_state(kind), 0u);
    }
}

}  // namespace
}  // namespace tandem::recovery
