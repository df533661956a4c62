#include <tandem/bytes/receive_buffer.hpp>

#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tandem/bytes/random.hpp>

#include "seed.hpp"

namespace tandem {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
constexpr time_point t0{};

std::vector<std::uint8_t> pattern(std::uint64_t offset, std::size_t size) {
    std::vector<std::uint8_t> out(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>((offset + i) * 131 >> 4);
    return out;
}

std::optional<std::uint64_t> insert(receive_buffer& b, std::uint64_t begin, std::uint64_t end, time_point now = t0) {
    return b.insert(begin, pattern(begin, end - begin), now);
}

std::vector<std::uint8_t> read(receive_buffer& b, std::size_t n, byte_time_runs* times = nullptr) {
    std::vector<std::uint8_t> out(n);
    out.resize(b.read(out, times));
    return out;
}

TEST(receive_buffer, in_order) {
    receive_buffer b;
    EXPECT_EQ(insert(b, 0, 100), 100u);
    EXPECT_EQ(b.readable(), 100u);
    EXPECT_EQ(b.front().size(), 100u);
    EXPECT_EQ(read(b, 60), pattern(0, 60));
    EXPECT_EQ(read(b, 60), pattern(60, 40));
    EXPECT_EQ(b.read_offset(), 100u);
    EXPECT_TRUE(b.front().empty());
    EXPECT_EQ(read(b, 60).size(), 0u);
}

TEST(receive_buffer, out_of_order_and_overlapping) {
    receive_buffer b;
    EXPECT_EQ(insert(b, 50, 100), 50u);
    EXPECT_EQ(b.readable(), 0u);
    EXPECT_EQ(b.highest_received(), 100u);
    EXPECT_EQ(insert(b, 80, 120), 20u);
    EXPECT_EQ(insert(b, 10, 60), 40u);
    EXPECT_EQ(insert(b, 0, 200), 90u);
    EXPECT_EQ(insert(b, 0, 200), 0u);
    EXPECT_EQ(insert(b, 20, 20), 0u);
    EXPECT_EQ(read(b, 1000), pattern(0, 200));
    EXPECT_EQ(insert(b, 0, 200), 0u);
    EXPECT_EQ(insert(b, 150, 210), 10u);
    EXPECT_EQ(read(b, 1000), pattern(200, 10));
}

TEST(receive_buffer, of_overlapping_bytes_the_first_copy_wins) {
    receive_buffer b;
    b.insert(2, std::vector<std::uint8_t>{'c', 'd'}, t0);
    b.insert(0, std::vector<std::uint8_t>{'A', 'B', 'C', 'D', 'E'}, t0);
    EXPECT_EQ(read(b, 10), (std::vector<std::uint8_t>{'A', 'B', 'c', 'd', 'E'}));
}

TEST(receive_buffer, received_ranges_are_what_a_sack_tells) {
    receive_buffer b;
    insert(b, 20, 30);
    EXPECT_THAT(std::vector<range>(b.received().begin(), b.received().end()), ElementsAre(range{20, 30}));
    insert(b, 0, 10);
    insert(b, 40, 50);
    read(b, 5);
    EXPECT_THAT(std::vector<range>(b.received().begin(), b.received().end()),
                ElementsAre(range{0, 10}, range{20, 30}, range{40, 50}));
    EXPECT_EQ(b.readable_end(), 10u);
}

TEST(receive_buffer, bytes_that_come_in_order_are_readable_when_they_arrive) {
    receive_buffer b;
    byte_time_runs times;
    insert(b, 0, 10, t0 + 1ms);
    insert(b, 10, 20, t0 + 1ms);
    insert(b, 20, 30, t0 + 2ms);
    read(b, 25, &times);
    EXPECT_THAT(times, ElementsAre(byte_times{20, t0 + 1ms, t0 + 1ms}, byte_times{5, t0 + 2ms, t0 + 2ms}));
    read(b, 25, &times);
    EXPECT_EQ(times.back(), (byte_times{10, t0 + 2ms, t0 + 2ms}));
}

TEST(receive_buffer, bytes_behind_a_hole_are_readable_when_it_is_filled) {
    receive_buffer b;
    byte_time_runs times;
    insert(b, 0, 10, t0 + 1ms);
    insert(b, 30, 40, t0 + 3ms);
    insert(b, 20, 30, t0 + 4ms);
    insert(b, 50, 60, t0 + 5ms);
    insert(b, 10, 25, t0 + 9ms);  // fills the first hole; the bytes from 20 on had come before
    EXPECT_EQ(b.readable_end(), 40u);
    read(b, 100, &times);
    EXPECT_THAT(times, ElementsAre(byte_times{10, t0 + 1ms, t0 + 1ms}, byte_times{10, t0 + 9ms, t0 + 9ms},
                                   byte_times{10, t0 + 4ms, t0 + 9ms}, byte_times{10, t0 + 3ms, t0 + 9ms}));
    times.clear();
    insert(b, 40, 50, t0 + 10ms);
    read(b, 100, &times);
    EXPECT_THAT(times, ElementsAre(byte_times{10, t0 + 10ms, t0 + 10ms}, byte_times{10, t0 + 5ms, t0 + 10ms}));
}

TEST(receive_buffer, one_byte_at_a_high_offset_costs_one_small_block) {
    receive_buffer b;
    EXPECT_EQ(insert(b, std::uint64_t{1} << 40, (std::uint64_t{1} << 40) + 1), 1u);
    EXPECT_LE(b.allocated(), block_list::block_size);
}

TEST(receive_buffer, a_byte_in_every_other_place_is_refused_at_the_cap) {
    receive_buffer b;
    std::uint64_t accepted = 0;
    for (std::uint64_t i = 0; i < 4 * receive_buffer::max_gaps; ++i) {
        if (!insert(b, 2 * i + 1, 2 * i + 2)) break;
        ++accepted;
    }
    EXPECT_EQ(accepted, receive_buffer::max_gaps);
    EXPECT_EQ(b.received().size(), receive_buffer::max_gaps);
    EXPECT_LE(b.allocated(), block_list::block_size);
    // What makes no new hole is still taken, and makes room.
    EXPECT_EQ(insert(b, 0, 1), 1u);
    EXPECT_EQ(insert(b, 2, 3), 1u);
    EXPECT_EQ(insert(b, 5000, 5001), 1u);
    EXPECT_EQ(insert(b, 5002, 5003), 1u);
    EXPECT_EQ(insert(b, 5010, 5011), std::nullopt);
}

TEST(receive_buffer, the_number_of_time_runs_is_capped_and_no_byte_is_forgotten) {
    constexpr std::uint64_t n = 3 * receive_buffer::max_time_runs;
    receive_buffer b;
    for (std::uint64_t i = 1; i < n; ++i) insert(b, i, i + 1, t0 + duration(i));  // readable only after the first byte
    insert(b, 0, 1, t0 + 1s);
    for (std::uint64_t i = n; i < 2 * n; ++i) insert(b, i, i + 1, t0 + 1s + duration(i));
    byte_time_runs times;
    EXPECT_EQ(read(b, 2 * n, &times), pattern(0, 2 * n));
    EXPECT_LE(times.size(), receive_buffer::max_time_runs);
    std::uint64_t bytes = 0;
    for (const auto& run : times) {
        EXPECT_LE(run.arrived, run.readable);
        bytes += run.bytes;
    }
    EXPECT_EQ(bytes, 2 * n);
}

TEST(receive_buffer, the_number_of_time_runs_beyond_holes_is_capped) {
    constexpr std::uint64_t n = receive_buffer::max_time_runs + 10;
    receive_buffer b;
    for (std::uint64_t i = 1; i < n; ++i) insert(b, i, i + 1, t0 + duration(i));
    for (std::uint64_t i = n + 1; i < 2 * n; ++i) insert(b, i, i + 1, t0 + duration(i));
    insert(b, 0, 1, t0 + 1s);
    read(b, n);
    byte_time_runs times;
    insert(b, n, n + 1, t0 + 1s);
    EXPECT_EQ(read(b, n, &times), pattern(n, n));
    EXPECT_THAT(times, ElementsAre(byte_times{1, t0 + 1s, t0 + 1s}, byte_times{n - 1, t0 + duration(n + 1), t0 + 1s}));
}

TEST(receive_buffer, clear_drops_the_bytes_and_keeps_the_offsets) {
    receive_buffer b;
    insert(b, 0, 100);
    insert(b, 200, 300);
    read(b, 50);
    b.clear();
    EXPECT_EQ(b.read_offset(), 100u);
    EXPECT_EQ(b.readable(), 0u);
    EXPECT_EQ(b.highest_received(), 300u);
    EXPECT_EQ(b.allocated(), 0u);
    EXPECT_EQ(insert(b, 100, 250), 150u);
    EXPECT_EQ(read(b, 1000), pattern(100, 150));
}

TEST(receive_buffer, agrees_with_a_naive_model) {
    struct byte {
        bool here = false;
        time_point arrived;
        time_point readable;
    };
    random_source random(test::seed());
    for (int round = 0; round < 20; ++round) {
        const std::uint64_t span = round % 2 ? 3000 : 60000;
        receive_buffer b;
        std::vector<byte> model(span);
        std::uint64_t contiguous = 0, consumed = 0, highest = 0;
        for (int i = 0; i < 600; ++i) {
            const auto now = t0 + duration(i / 3);
            if (random.below(4) > 0) {
                const auto near = std::min(span - 1, contiguous + random.below(span / 10));
                const auto begin = random.below(3) == 0 ? contiguous : near;
                const auto end = std::min(span, begin + random.below(span / 20));
                std::uint64_t fresh = 0;
                for (auto n = begin; n < end; ++n) {
                    if (!model[n].here) model[n] = {true, now, {}}, ++fresh;
                }
                if (begin < end) highest = std::max(highest, end);
                ASSERT_EQ(insert(b, begin, end, now), fresh);
                while (contiguous < span && model[contiguous].here) model[contiguous++].readable = now;
            } else {
                byte_time_runs times;
                const auto n = random.below(span / 5);
                const auto got = read(b, n, &times);
                ASSERT_EQ(got, pattern(consumed, std::min(n, contiguous - consumed)));
                for (const auto& run : times) {
                    for (std::uint64_t k = 0; k < run.bytes; ++k, ++consumed) {
                        ASSERT_EQ(run.arrived, model[consumed].arrived);
                        ASSERT_EQ(run.readable, model[consumed].readable);
                    }
                }
            }
            ASSERT_EQ(b.read_offset(), consumed);
            ASSERT_EQ(b.readable_end(), contiguous);
            ASSERT_EQ(b.highest_received(), highest);
            const auto front = b.front();
            ASSERT_EQ(std::vector<std::uint8_t>(front.begin(), front.end()), pattern(consumed, front.size()));
            ASSERT_EQ(front.empty(), consumed == contiguous);
        }
    }
}

}  // namespace
}  // namespace tandem
