#include <gtest/gtest.h>

#include <seed.hpp>
#include <tandem/bytes/random.hpp>
#include <tandem/quic/packet_number_codec.hpp>

namespace tandem::quic {
namespace {

TEST(packet_number, sizes_of_rfc9000_appendix_a2) {
    EXPECT_EQ(packet_number_size(0xac5c02, 0xabe8b3), 2U);
    EXPECT_EQ(packet_number_size(0xace8fe, 0xabe8b3), 3U);
}

TEST(packet_number, sizes_at_their_borders) {
    EXPECT_EQ(packet_number_size(0, std::nullopt), 1U);
    EXPECT_EQ(packet_number_size(126, std::nullopt), 1U);
    EXPECT_EQ(packet_number_size(127, std::nullopt), 2U);
    EXPECT_EQ(packet_number_size(1127, 1000), 1U);
    EXPECT_EQ(packet_number_size(1128, 1000), 2U);
    EXPECT_EQ(packet_number_size(0x7fff, 0), 2U);
    EXPECT_EQ(packet_number_size(0x8000, 0), 3U);
    EXPECT_EQ(packet_number_size(0x7fffff, 0), 3U);
    EXPECT_EQ(packet_number_size(0x800000, 0), 4U);
}

TEST(packet_number, decodes_the_example_of_rfc9000_appendix_a3) {
    EXPECT_EQ(decode_packet_number(0x9b32, 2, 0xa82f30ea), 0xa82f9b32U);
}

TEST(packet_number, decodes_around_a_wrap) {
    EXPECT_EQ(decode_packet_number(0x00, 1, 0xff), 0x100U);
    EXPECT_EQ(decode_packet_number(0xff, 1, 0x100), 0xffU);
    EXPECT_EQ(decode_packet_number(0x80, 1, 0xfe), 0x80U);
    EXPECT_EQ(decode_packet_number(0x7f, 1, 0xff), 0x17fU);
}

TEST(packet_number, never_leaves_its_range) {
    EXPECT_EQ(decode_packet_number(0, 1, std::nullopt), 0U);
    EXPECT_EQ(decode_packet_number(0xff, 1, std::nullopt), 0xffU);  // nothing is below zero
    EXPECT_EQ(decode_packet_number(0, 4, max_packet_number), max_packet_number - 0xffffffff);
    EXPECT_LE(decode_packet_number(0xffffffff, 4, max_packet_number), max_packet_number);
}

TEST(packet_number, what_is_written_is_read) {
    const auto seed = test::seed();
    random_source random(seed);
    for (int i = 0; i < 200000; ++i) {
        auto acknowledged = random() >> (2 + random.below(60));
        auto number = acknowledged + 1 + (random() >> (34 + random.below(30)));
        if (number > max_packet_number) continue;
        // The receiver has seen anything from what it acknowledged up to the number before.
        auto received = acknowledged + random.below(number - acknowledged);
        auto size = packet_number_size(number, acknowledged);
        auto truncated = number & ((std::uint64_t{1} << (8 * size)) - 1);
        ASSERT_EQ(decode_packet_number(truncated, size, received), number) << "seed " << seed << " step " << i;
    }
}

}  // namespace
}  // namespace tandem::quic
