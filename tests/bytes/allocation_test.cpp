// Steady traffic makes no heap allocation.
#include "allocation_counter.hpp"

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include <tandem/bytes/receive_buffer.hpp>
#include <tandem/bytes/send_buffer.hpp>

namespace tandem {
namespace {

using namespace std::chrono_literals;
constexpr std::size_t packet = 1200;
const std::vector<std::uint8_t> data(packet, 7);

TEST(allocations, receiving_in_order_makes_none) {
    receive_buffer b;
    std::array<std::uint8_t, 5 * packet> out;
    byte_time_runs times;
    std::uint64_t at = 0, before = 0;
    for (int i = 0; i < 20000; ++i) {
        if (i == 6000) before = test::allocations();
        b.insert(at, data, time_point{} + i * 1us);
        at += packet;
        if (i % 5 == 4) {
            times.clear();
            b.read(out, &times);
        }
    }
    EXPECT_EQ(test::allocations(), before);
}

TEST(allocations, receiving_with_a_loss_in_every_window_makes_none) {
    receive_buffer b;
    std::vector<std::uint8_t> out(100 * packet);
    std::uint64_t before = 0;
    for (std::uint64_t window = 0; window < 200; ++window) {
        if (window == 20) before = test::allocations();
        const auto first = window * 100 * packet;
        for (std::uint64_t i = 1; i < 100; ++i) {
            if (i != 50) b.insert(first + i * packet, data, time_point{} + (window * 1000 + i) * 1us);
        }
        b.insert(first, data, time_point{} + (window * 1000 + 200) * 1us);
        b.insert(first + 50 * packet, data, time_point{} + (window * 1000 + 200) * 1us);
        ASSERT_EQ(b.read(out), out.size());
    }
    EXPECT_EQ(test::allocations(), before);
}

TEST(allocations, sending_with_acknowledgments_and_losses_makes_none) {
    send_buffer b;
    std::uint64_t before = 0;
    for (std::uint64_t i = 0; i < 20000; ++i) {
        if (i == 2000) before = test::allocations();
        b.append(data);
        b.sent(b.next(packet, UINT64_MAX));
        if (i >= 100 && i % 10 == 0) {
            const auto first = (i - 100) * packet;  // ten packets are acknowledged a hundred packets later, the first one resent
            b.acknowledged({first + packet, first + 10 * packet});
            b.lost({first, first + packet});
            b.sent(b.next(packet, UINT64_MAX));
            b.acknowledged({first, first + packet});
        }
    }
    EXPECT_EQ(test::allocations(), before);
}

}  // namespace
}  // namespace tandem
