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

}  // namespace
}  // namespace tandem::quic
