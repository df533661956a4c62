#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <tandem/quic/crypto_stream.hpp>
#include <tandem/quic/frame_reader.hpp>

namespace tandem::quic {
namespace {

constexpr time_point start{};

std::span<const std::uint8_t> as_bytes(std::string_view s) { return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()}; }
std::string text(std::span<const std::uint8_t> s) { return {s.begin(), s.end()}; }

crypto_frame at(std::uint64_t offset, std::string_view data) { return {offset, as_bytes(data)}; }

TEST(crypto_stream, reassembles) {
    crypto_stream s;
    EXPECT_FALSE(s.receive(at(3, "def"), start));
    EXPECT_EQ(s.readable(), 0U);
    EXPECT_TRUE(s.has_unread());
    EXPECT_FALSE(s.receive(at(0, "abc"), start));
    EXPECT_EQ(text(s.front()), "abcdef");
    s.consume(4);
    EXPECT_EQ(text(s.front()), "ef");
    s.consume(2);
    EXPECT_FALSE(s.has_unread());
    EXPECT_FALSE(s.receive(at(0, "abc"), start));  // a retransmission
    EXPECT_FALSE(s.has_unread());
}

// RFC 9000 7.5
TEST(crypto_stream, cap_on_what_is_buffered) {
    crypto_stream s;
    const std::string block(1000, 'x');
    EXPECT_FALSE(s.receive(at(crypto_stream::max_buffered - 1000, block), start));
    const auto error = s.receive(at(crypto_stream::max_buffered - 999, block), start);
    ASSERT_TRUE(error);
    EXPECT_TRUE(error->is(transport_error::crypto_buffer_exceeded));
    EXPECT_EQ(error->frame_type, frame_type::crypto);
    // The cap moves with what TLS took.
    crypto_stream moving;
    for (std::uint64_t offset = 0; offset < 10 * crypto_stream::max_buffered; offset += 1000) {
        ASSERT_FALSE(moving.receive(at(offset, block), start));
        moving.consume(moving.readable());
    }
}

TEST(crypto_stream, high_offset_allocates_nothing) {
    crypto_stream s;
    EXPECT_TRUE(s.receive(at(std::uint64_t{1} << 30, "x"), start));
    EXPECT_TRUE(s.receive(at((std::uint64_t{1} << 62) - 2, "x"), start));
    EXPECT_FALSE(s.has_unread());
    EXPECT_EQ(s.allocated(), 0U);
}

TEST(crypto_stream, sends_resends_and_finishes) {
    crypto_stream s;
    EXPECT_FALSE(s.wants_to_send());
    s.write(as_bytes(std::string(3000, 'a')));
    std::vector<crypto_token> tokens;
    while (s.wants_to_send()) {
        std::vector<std::uint8_t> packet(1100);
        frame_writer out(packet);
        while (const auto t = s.write_frame(out)) tokens.push_back(*t);
        EXPECT_TRUE(out.ack_eliciting());
    }
    ASSERT_EQ(tokens.size(), 3U);
    EXPECT_EQ(tokens[1].offset, tokens[0].length);
    s.acknowledged(tokens[0]);
    s.acknowledged(tokens[2]);
    s.lost(tokens[1]);
    EXPECT_TRUE(s.wants_to_send());
    std::vector<std::uint8_t> packet(2000);
    frame_writer out(packet);
    const auto again = s.write_frame(out);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->offset, tokens[1].offset);
    EXPECT_EQ(again->length, tokens[1].length);
    EXPECT_FALSE(s.write_frame(out));
    EXPECT_FALSE(s.all_acknowledged());
    s.acknowledged(*again);
    EXPECT_TRUE(s.all_acknowledged());
}

TEST(crypto_stream, probe_sends_all_again) {
    crypto_stream s;
    s.write(as_bytes("hello"));
    std::vector<std::uint8_t> packet(100);
    frame_writer out(packet);
    s.write_frame(out);
    EXPECT_FALSE(s.wants_to_send());
    s.lose_all();
    const auto again = s.write_frame(out);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->length, 5U);
    // The first copy arrives after all.
    s.acknowledged({0, 5});
    s.lose_all();
    EXPECT_FALSE(s.wants_to_send());
    s.clear();
    EXPECT_TRUE(s.all_acknowledged());
}

TEST(crypto_stream, no_room_no_frame) {
    crypto_stream s;
    s.write(as_bytes("hello"));
    std::vector<std::uint8_t> tiny(3);
    frame_writer out(tiny);
    EXPECT_FALSE(s.write_frame(out));
    EXPECT_EQ(out.size(), 0U);
    EXPECT_TRUE(s.wants_to_send());
}

}  // namespace
}  // namespace tandem::quic
