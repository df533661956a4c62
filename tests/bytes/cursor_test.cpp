#include <array>
#include <vector>

#include <gtest/gtest.h>

#include <tandem/bytes/random.hpp>
#include <tandem/bytes/reader.hpp>
#include <tandem/bytes/writer.hpp>

#include "seed.hpp"

namespace tandem {
namespace {

using bytes = std::vector<std::uint8_t>;

TEST(reader, reads_big_endian) {
    const bytes in{0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12};
    reader r(in);
    EXPECT_EQ(r.u8(), 0x01);
    EXPECT_EQ(r.u16(), 0x0203);
    EXPECT_EQ(r.u24(), 0x040506u);
    EXPECT_EQ(r.u32(), 0x0708090au);
    EXPECT_EQ(r.u64(), 0x0b0c0d0e0f101112u);
    EXPECT_TRUE(r.ok());
    EXPECT_TRUE(r.empty());
    EXPECT_EQ(r.offset(), in.size());
}

TEST(reader, a_read_past_the_end_fails_for_good) {
    const bytes in{1, 2, 3};
    reader r(in);
    EXPECT_EQ(r.u32(), 0u);
    EXPECT_FALSE(r.ok());
    EXPECT_EQ(r.u8(), 0u);
    EXPECT_EQ(r.remaining(), 0u);
    EXPECT_TRUE(r.bytes(1).empty());
}

TEST(reader, a_length_that_is_larger_than_memory_is_refused) {
    const bytes in{1, 2, 3};
    reader r(in);
    EXPECT_TRUE(r.bytes(UINT64_MAX).empty());
    EXPECT_FALSE(r.ok());
}

TEST(reader, bytes_is_a_view_of_the_input) {
    const bytes in{1, 2, 3, 4};
    reader r(in);
    r.skip(1);
    EXPECT_EQ(r.peek(), 2);
    const auto view = r.bytes(2);
    EXPECT_EQ(view.data(), in.data() + 1);
    EXPECT_EQ(r.rest().size(), 1u);
    EXPECT_EQ(r.peek(), 0);
}

// RFC 9000 A.1
TEST(varint, the_examples_of_the_rfc) {
    const std::pair<bytes, std::uint64_t> examples[] = {{{0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c}, 151288809941952652},
                                                        {{0x9d, 0x7f, 0x3e, 0x7d}, 494878333},
                                                        {{0x7b, 0xbd}, 15293},
                                                        {{0x25}, 37}};
    for (const auto& [wire, value] : examples) {
        reader r(wire);
        EXPECT_EQ(r.varint(), value);
        EXPECT_TRUE(r.ok() && r.empty());
        std::array<std::uint8_t, 8> out{};
        writer w(out);
        w.varint(value);
        EXPECT_EQ(bytes(w.written().begin(), w.written().end()), wire);
    }
    const bytes longer{0x40, 0x25};  // not the shortest form, but a form
    reader longer_reader(longer);
    EXPECT_EQ(longer_reader.varint(), 37u);
}

TEST(varint, sizes_at_the_limits) {
    const std::pair<std::uint64_t, std::size_t> limits[] = {{0, 1},     {63, 1},         {64, 2},         {16383, 2},
                                                            {16384, 4}, {1073741823, 4}, {1073741824, 8}, {varint_max, 8}};
    for (const auto& [value, size] : limits) {
        EXPECT_EQ(varint_size(value), size);
        std::array<std::uint8_t, 8> out{};
        writer w(out);
        w.varint(value);
        EXPECT_EQ(w.size(), size);
        reader r(w.written());
        EXPECT_EQ(r.varint(), value);
    }
}

TEST(varint, what_does_not_fit_fails) {
    std::array<std::uint8_t, 8> out{};
    writer too_large(out);
    too_large.varint(varint_max + 1);
    EXPECT_FALSE(too_large.ok());
    EXPECT_EQ(too_large.size(), 0u);
    writer too_short(out);
    too_short.varint(64, 1);
    EXPECT_FALSE(too_short.ok());
    for (std::size_t cut = 0; cut < 8; ++cut) {
        const bytes wire{0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c};
        reader r(std::span<const std::uint8_t>(wire).first(cut));
        EXPECT_EQ(r.varint(), 0u);
        EXPECT_FALSE(r.ok());
    }
}

TEST(varint, any_value_comes_back_in_any_length_that_holds_it) {
    random_source random(test::seed());
    for (int i = 0; i < 10000; ++i) {
        const auto value = random() >> (2 + random.below(62));
        for (const std::size_t size : {1u, 2u, 4u, 8u}) {
            if (size < varint_size(value)) continue;
            std::array<std::uint8_t, 8> out{};
            writer w(out);
            w.varint(value, size);
            ASSERT_EQ(w.size(), size);
            reader r(w.written());
            ASSERT_EQ(r.varint(), value);
        }
    }
}

TEST(writer, writes_big_endian_and_reserves) {
    std::array<std::uint8_t, 20> out{};
    writer w(out);
    w.u8(1);
    auto room = w.reserve(2);
    w.u24(0x040506);
    w.u32(0x0708090a);
    w.u64(0x0b0c0d0e0f101112);
    w.bytes(bytes{0x13, 0x14});
    ASSERT_TRUE(w.ok());
    EXPECT_EQ(w.remaining(), 0u);
    room[0] = 2;
    room[1] = 3;
    for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], i + 1);
}

TEST(writer, a_write_past_the_end_writes_nothing_and_fails_for_good) {
    std::array<std::uint8_t, 3> out{};
    writer w(out);
    w.u16(0x0102);
    w.u16(0x0304);
    EXPECT_FALSE(w.ok());
    EXPECT_EQ(out[2], 0);
    EXPECT_EQ(w.size(), 2u);
    w.u8(5);
    EXPECT_EQ(w.size(), 2u);
    EXPECT_TRUE(w.reserve(0).empty());
}

}  // namespace
}  // namespace tandem
