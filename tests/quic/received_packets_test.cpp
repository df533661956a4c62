#include <chrono>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include <tandem/quic/frame_reader.hpp>
#include <tandem/quic/received_packets.hpp>

namespace tandem::quic {
namespace {

using namespace std::chrono_literals;

time_point at(duration d) { return time_point{} + d; }
constexpr auto plain = ecn::not_ect;

struct sent_ack {
    std::vector<range> ranges;
    std::uint64_t delay = 0;
    std::optional<ecn_counts> ecn;
};

std::optional<sent_ack> acknowledge(received_packets& r, time_point now, std::size_t room = 1200) {
    std::vector<std::uint8_t> packet(room);
    frame_writer out(packet);
    if (!r.write_ack(out, now, 3)) return std::nullopt;
    ack_ranges ranges;
    frame_reader in(out.written(), encryption_level::one_rtt, ranges);
    frame f;
    EXPECT_TRUE(in.next(f));
    const auto& ack = std::get<ack_frame>(f);
    return sent_ack{{ack.ranges.begin(), ack.ranges.end()}, ack.delay, ack.ecn};
}

void receive(received_packets& r, std::initializer_list<packet_number> numbers, time_point now, bool eliciting = true) {
    for (const auto n : numbers) r.on_received(n, eliciting, plain, now);
}

TEST(received_packets, duplicates) {
    received_packets r(25ms);
    EXPECT_FALSE(r.is_duplicate(0));
    receive(r, {0, 1, 3}, at(0ms));
    EXPECT_TRUE(r.is_duplicate(0));
    EXPECT_TRUE(r.is_duplicate(3));
    EXPECT_FALSE(r.is_duplicate(2));
    EXPECT_FALSE(r.is_duplicate(4));
    EXPECT_EQ(r.largest(), 3U);
}

// RFC 9000 13.2.1 and 13.2.2
TEST(received_packets, second_ack_eliciting_packet_is_acknowledged_at_once) {
    received_packets r(25ms);
    receive(r, {0}, at(10ms));
    EXPECT_FALSE(r.ack_due(at(10ms)));
    EXPECT_EQ(r.ack_timer(), at(35ms));
    EXPECT_TRUE(r.ack_useful());
    EXPECT_FALSE(r.ack_due(at(35ms) - 1ns));
    EXPECT_TRUE(r.ack_due(at(35ms)));
    receive(r, {1}, at(12ms));
    EXPECT_TRUE(r.ack_due(at(12ms)));
    EXPECT_EQ(r.ack_timer(), std::nullopt);
    acknowledge(r, at(12ms));
    EXPECT_FALSE(r.ack_due(at(100ms)));
    EXPECT_FALSE(r.ack_useful());
    receive(r, {2}, at(50ms));
    EXPECT_EQ(r.ack_timer(), at(75ms));
}

TEST(received_packets, packets_that_elicit_nothing_cause_no_ack) {
    received_packets r(25ms);
    receive(r, {0, 1, 2, 5, 9}, at(0ms), false);
    EXPECT_FALSE(r.ack_due(at(1s)));
    EXPECT_EQ(r.ack_timer(), std::nullopt);
    EXPECT_FALSE(r.ack_useful());
    EXPECT_TRUE(acknowledge(r, at(1s)));  // but may ride along
}

TEST(received_packets, out_of_order_is_acknowledged_at_once) {
    received_packets gap(25ms);
    receive(gap, {0}, at(0ms));
    acknowledge(gap, at(0ms));
    receive(gap, {2}, at(1ms));
    EXPECT_TRUE(gap.ack_due(at(1ms)));
    acknowledge(gap, at(1ms));
    receive(gap, {3}, at(2ms));
    EXPECT_FALSE(gap.ack_due(at(2ms)));  // the gap is old
    acknowledge(gap, at(2ms));
    receive(gap, {1}, at(3ms));
    EXPECT_TRUE(gap.ack_due(at(3ms)));
}

TEST(received_packets, congestion_mark_is_acknowledged_at_once) {
    received_packets r(25ms);
    r.on_received(0, true, ecn::ce, at(0ms));
    EXPECT_TRUE(r.ack_due(at(0ms)));
    const auto ack = acknowledge(r, at(0ms));
    EXPECT_EQ(ack->ecn, (ecn_counts{0, 0, 1}));
    r.on_received(1, true, ecn::ect0, at(0ms));
    EXPECT_FALSE(r.ack_due(at(0ms)));
    r.on_received(2, true, ecn::ect1, at(0ms));
    EXPECT_EQ(acknowledge(r, at(0ms))->ecn, (ecn_counts{1, 1, 1}));
}

TEST(received_packets, handshake_packets_are_acknowledged_at_once) {
    received_packets r;
    receive(r, {0}, at(0ms));
    EXPECT_TRUE(r.ack_due(at(0ms)));
}

TEST(received_packets, a_batch_needs_one_ack) {
    received_packets r(25ms);
    for (packet_number n = 0; n < 100; ++n) receive(r, {n}, at(1ms));
    EXPECT_TRUE(r.ack_due(at(1ms)));
    EXPECT_EQ(acknowledge(r, at(1ms))->ranges, (std::vector<range>{{0, 100}}));
    EXPECT_FALSE(r.ack_due(at(1s)));
}

TEST(received_packets, ack_names_ranges_and_delay) {
    received_packets r(25ms);
    receive(r, {0, 1, 2, 5, 6, 9}, at(10ms));
    const auto ack = acknowledge(r, at(10ms) + 80us);
    ASSERT_TRUE(ack);
    EXPECT_EQ(ack->ranges, (std::vector<range>{{9, 10}, {5, 7}, {0, 3}}));
    EXPECT_EQ(ack->delay, 10U);  // 80 us >> 3
    EXPECT_FALSE(ack->ecn);
    // The delay counts from the largest, which a late smaller number does not change.
    receive(r, {3}, at(20ms));
    EXPECT_EQ(acknowledge(r, at(20ms))->delay, 10000U / 8);
}

// RFC 9000 13.2.4
TEST(received_packets, what_the_peer_knows_is_not_reported_again_but_remembered) {
    received_packets r(25ms);
    receive(r, {0, 2, 4, 6}, at(0ms));
    ASSERT_EQ(acknowledge(r, at(0ms))->ranges.size(), 4U);
    r.acknowledged({4});
    EXPECT_EQ(acknowledge(r, at(0ms))->ranges, (std::vector<range>{{6, 7}}));
    EXPECT_TRUE(r.is_duplicate(2));
    EXPECT_FALSE(r.is_duplicate(3));
    // A late packet from there is acknowledged nevertheless.
    receive(r, {3}, at(1ms));
    EXPECT_EQ(acknowledge(r, at(1ms))->ranges, (std::vector<range>{{6, 7}, {2, 5}, {0, 1}}));
    r.acknowledged({6});
    EXPECT_EQ(acknowledge(r, at(1ms))->ranges, (std::vector<range>{{6, 7}}));
}

TEST(received_packets, ranges_are_bounded) {
    received_packets r(25ms);
    for (packet_number n = 0; n < 100000; n += 2) receive(r, {n}, at(0ms));
    EXPECT_LE(r.ranges().size(), received_packets::max_ranges);
    EXPECT_TRUE(r.is_duplicate(1));  // too old to tell: not processed
    EXPECT_FALSE(r.is_duplicate(99999));
    const auto ack = acknowledge(r, at(0ms));
    ASSERT_EQ(ack->ranges.size(), received_packets::max_ack_ranges);
    EXPECT_EQ(ack->ranges.front(), (range{99998, 99999}));
}

TEST(received_packets, ack_shrinks_to_the_room_there_is) {
    received_packets r(25ms);
    for (packet_number n = 0; n < 100; n += 2) receive(r, {n}, at(0ms));
    const auto ack = acknowledge(r, at(0ms), 40);
    ASSERT_TRUE(ack);
    EXPECT_EQ(ack->ranges.front(), (range{98, 99}));
    EXPECT_LT(ack->ranges.size(), 50U);
    receive(r, {101}, at(0ms));
    EXPECT_FALSE(acknowledge(r, at(0ms), 3));
    EXPECT_TRUE(r.ack_due(at(0ms)));  // still owed
    received_packets empty;
    EXPECT_FALSE(acknowledge(empty, at(0ms)));
    EXPECT_TRUE(empty.empty());
}

// draft-ietf-quic-ack-frequency 6.2.1: the columns "Received Packet" and "Send Acknowledgement" of its tables.
TEST(received_packets, disorder_is_told_when_the_peer_wants_it) {
    struct table {
        std::uint64_t threshold;
        std::vector<std::pair<packet_number, bool>> rows;
    };
    const std::vector<table> tables{
        {3, {{0, false}, {1, false}, {3, false}, {4, false}, {5, true}, {8, false}, {9, true}, {10, true}}},
        {5, {{0, false}, {1, false}, {3, false}, {5, false}, {6, false}, {7, true}, {8, false}, {9, true}}},
        {1, {{0, false}, {1, false}, {3, true}, {2, true}, {4, false}}},
        {0, {{0, false}, {1, false}, {9, false}, {4, false}, {3, false}}},
    };
    for (const auto& [threshold, rows] : tables) {
        received_packets r(25ms);
        ASSERT_FALSE(r.on_ack_frequency({0, 1000, 25'000, threshold}, 1ms));
        for (const auto& [number, sent] : rows) {
            receive(r, {number}, at(1ms));
            ASSERT_EQ(r.ack_due(at(1ms)), sent) << threshold << " " << number;
            if (sent) acknowledge(r, at(1ms));
        }
    }
    // Received later than the sender waits: it took it for lost.
    received_packets r(25ms);
    ASSERT_FALSE(r.on_ack_frequency({0, 1000, 25'000, 3}, 1ms));
    receive(r, {0, 1, 3, 4, 5, 6}, at(0ms));
    acknowledge(r, at(0ms));
    receive(r, {7}, at(0ms));
    EXPECT_FALSE(r.ack_due(at(0ms)));
    receive(r, {2}, at(0ms));
    EXPECT_TRUE(r.ack_due(at(0ms)));
}

TEST(received_packets, the_peer_says_how_many_may_wait_and_how_long) {
    received_packets r(25ms);
    ASSERT_FALSE(r.on_ack_frequency({5, 9, 40'000, 3}, 1ms));
    for (packet_number n = 0; n < 9; ++n) {
        receive(r, {n}, at(0ms));
        EXPECT_FALSE(r.ack_due(at(39ms)));
        EXPECT_EQ(r.ack_timer(), at(40ms));
    }
    receive(r, {9}, at(0ms));
    EXPECT_TRUE(r.ack_due(at(0ms)));
    acknowledge(r, at(0ms));
    // Older, or the same: ignored. 0: every packet at once.
    ASSERT_FALSE(r.on_ack_frequency({5, 0, 1'000, 3}, 1ms));
    ASSERT_FALSE(r.on_ack_frequency({4, 0, 1'000, 3}, 1ms));
    receive(r, {10}, at(0ms));
    EXPECT_EQ(r.ack_timer(), at(40ms));
    ASSERT_FALSE(r.on_ack_frequency({6, 0, 2'000, 3}, 1ms));
    EXPECT_TRUE(r.ack_due(at(0ms)));
    acknowledge(r, at(0ms));
    ASSERT_FALSE(r.on_ack_frequency({7, 5, 2'000, 3}, 1ms));
    receive(r, {11}, at(0ms));
    EXPECT_EQ(r.ack_timer(), at(2ms));
    ASSERT_FALSE(r.on_ack_frequency({8, 5, 10'000, 3}, 1ms));  // what waits already waits longer
    EXPECT_EQ(r.ack_timer(), at(10ms));
    r.on_immediate_ack();
    receive(r, {12}, at(0ms));
    EXPECT_TRUE(r.ack_due(at(0ms)));
}

TEST(received_packets, impossible_delays_are_refused) {
    received_packets r(25ms);
    for (const std::uint64_t delay : {std::uint64_t{0}, std::uint64_t{999}, std::uint64_t{16'384'000}, varint_max}) {
        const auto error = r.on_ack_frequency({0, 1, delay, 1}, 1ms);
        ASSERT_TRUE(error) << delay;
        EXPECT_TRUE(error->is(transport_error::protocol_violation));
        EXPECT_EQ(error->frame_type, frame_type::ack_frequency);
    }
    EXPECT_EQ(r.max_ack_delay(), 25ms);
    EXPECT_FALSE(r.on_ack_frequency({0, varint_max, 16'383'999, varint_max}, 1ms));
    EXPECT_FALSE(r.on_ack_frequency({1, varint_max, 1'000, varint_max}, 1ms));
}

// draft-ietf-quic-ack-frequency 6.3
TEST(received_packets, the_first_mark_of_several_is_told_at_once) {
    received_packets r(25ms);
    ASSERT_FALSE(r.on_ack_frequency({0, 100, 25'000, 3}, 1ms));
    const auto due = [&](packet_number n, ecn mark) {
        r.on_received(n, true, mark, at(0ms));
        const bool now = r.ack_due(at(0ms));
        if (now) acknowledge(r, at(0ms));
        return now;
    };
    EXPECT_FALSE(due(0, ecn::ect0));
    EXPECT_TRUE(due(1, ecn::ce));
    EXPECT_FALSE(due(2, ecn::ce));
    EXPECT_FALSE(due(3, ecn::ect0));
    EXPECT_TRUE(due(4, ecn::ce));
    ASSERT_FALSE(r.on_ack_frequency({1, 1, 25'000, 3}, 1ms));
    EXPECT_TRUE(due(5, ecn::ce));  // RFC 9000 13.2.1
}

TEST(received_packets, many_holes_are_told_whatever_the_peer_asked_for) {
    received_packets r(25ms);
    ASSERT_FALSE(r.on_ack_frequency({0, varint_max, 16'000'000, 0}, 1ms));
    std::size_t acks = 0;
    for (packet_number n = 0; n < 2000; n += 2) {
        receive(r, {n}, at(0ms));
        if (!r.ack_due(at(0ms))) continue;
        ++acks;
        const auto ack = acknowledge(r, at(0ms));
        ASSERT_TRUE(ack);
        EXPECT_GE(ack->ranges.size(), std::min<std::size_t>(n / 2 + 1, received_packets::max_unreported_ranges));
    }
    EXPECT_EQ(acks, 1000u / received_packets::max_unreported_ranges);
}

}  // namespace
}  // namespace tandem::quic
