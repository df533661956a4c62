#include <tandem/quic/stateless_reset.hpp>

#include <gtest/gtest.h>

#include <hex.hpp>
#include <tandem/quic/packet_header.hpp>

namespace tandem::quic {
namespace {

using test::byte_vector;
using test::from_hex;

class stateless_reset : public testing::Test {
protected:
    std::array<std::uint8_t, 32> secret{9};
    stateless_reset_key key{secret};
    connection_id id{from_hex("8394c8f03e515708")};
    stateless_reset_token token = key.token(id);
    random_source random{3};
    byte_vector buffer = byte_vector(1500);
};

TEST_F(stateless_reset, a_token_depends_on_key_and_id_alone) {
    EXPECT_EQ(stateless_reset_key(secret).token(id), token);
    EXPECT_NE(key.token(connection_id(from_hex("8394c8f03e515709"))), token);
    EXPECT_NE(key.token(connection_id(from_hex("8394c8f03e5157"))), token);
    secret[31] ^= 1;
    EXPECT_NE(stateless_reset_key(secret).token(id), token);
}

TEST_F(stateless_reset, is_shorter_than_what_it_answers) {
    for (std::size_t trigger = 0; trigger <= 1500; ++trigger) {
        auto size = write_stateless_reset(buffer, token, trigger, random);
        if (trigger <= min_stateless_reset_size) {
            EXPECT_EQ(size, 0U);
            continue;
        }
        ASSERT_GE(size, min_stateless_reset_size);
        ASSERT_LT(size, trigger);
        if (trigger <= 43) {
            EXPECT_EQ(size, trigger - 1);  // RFC 9000 10.3
        }
        auto reset = std::span(buffer).first(size);
        EXPECT_EQ(reset[0] & 0xc0, 0x40);
        EXPECT_TRUE(is_stateless_reset(reset, token));
    }
}

TEST_F(stateless_reset, two_endpoints_that_reset_each_other_stop) {
    std::size_t size = 1200;
    int sent = 0;
    while ((size = write_stateless_reset(buffer, token, size, random)) != 0) ++sent;
    EXPECT_LT(sent, 60);
}

TEST_F(stateless_reset, parses_as_a_short_header_and_differs_each_time) {
    auto size = write_stateless_reset(buffer, token, 1200, random);
    auto parsed = parse_packet(std::span(buffer).first(size), 8);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed.header.type, packet_type::one_rtt);
    byte_vector first(buffer.begin(), buffer.begin() + 20);
    write_stateless_reset(buffer, token, 1200, random);
    EXPECT_NE(first, byte_vector(buffer.begin(), buffer.begin() + 20));
}

TEST_F(stateless_reset, is_known_by_the_last_16_bytes_alone) {
    byte_vector datagram(40, 0xff);  // the first byte does not count: RFC 9000 10.3
    EXPECT_FALSE(is_stateless_reset(datagram, token));
    std::copy(token.begin(), token.end(), datagram.end() - 16);
    EXPECT_TRUE(is_stateless_reset(datagram, token));
    for (std::size_t i = 1; i <= 16; ++i) {
        auto other = datagram;
        other[other.size() - i] ^= 0x80;
        EXPECT_FALSE(is_stateless_reset(other, token)) << i;
    }
    EXPECT_TRUE(is_stateless_reset(std::span(datagram).last(21), token));
    EXPECT_FALSE(is_stateless_reset(std::span(datagram).last(20), token));
    EXPECT_FALSE(is_stateless_reset({}, token));
}

TEST_F(stateless_reset, needs_room) { EXPECT_EQ(write_stateless_reset(std::span(buffer).first(20), token, 100, random), 0U); }

}  // namespace
}  // namespace tandem::quic
