#include <array>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "seed.hpp"

#include <tandem/quic/frame_reader.hpp>
#include <tandem/quic/frame_writer.hpp>

namespace tandem::quic {
namespace {

using octets = std::vector<std::uint8_t>;

struct parsed {
    std::vector<frame> frames;
    std::optional<connection_error> error;
    ack_ranges ranges;
};

// Ranges of an ACK are only valid until the next one; tests have one ACK each.
parsed read_all(const octets& in, encryption_level level = encryption_level::one_rtt) {
    parsed p;
    frame_reader reader(in, level, p.ranges);
    frame f;
    while (reader.next(f)) p.frames.push_back(f);
    p.error = reader.error();
    return p;
}

transport_error code_of(const parsed& p) { return static_cast<transport_error>(p.error.value().code); }

// A literal that parses to one frame, and back.
template <class F>
F round_trip(const octets& wire) {
    auto p = read_all(wire);
    EXPECT_FALSE(p.error) << to_string(*p.error);
    EXPECT_EQ(p.frames.size(), 1U);
    octets room(1500);
    frame_writer out(room);
    EXPECT_TRUE(out.write(p.frames.at(0)));
    EXPECT_EQ(octets(out.written().begin(), out.written().end()), wire);
    return std::get<F>(p.frames.at(0));
}

TEST(frame, padding_is_told_together) {
    auto p = read_all({0, 0, 0, 1, 0});
    ASSERT_EQ(p.frames.size(), 3U);
    EXPECT_EQ(std::get<padding_frame>(p.frames[0]).count, 3U);
    EXPECT_TRUE(std::holds_alternative<ping_frame>(p.frames[1]));
    EXPECT_EQ(std::get<padding_frame>(p.frames[2]).count, 1U);
    EXPECT_EQ(round_trip<padding_frame>(octets(1200, 0)).count, 1200U);
}

TEST(frame, literal_encodings) {
    EXPECT_EQ(round_trip<reset_stream_frame>({0x04, 0x08, 0x41, 0x0c, 0x52, 0x34}),
              (reset_stream_frame{stream_id{8}, 0x10c, 0x1234}));
    EXPECT_EQ(round_trip<stop_sending_frame>({0x05, 0x08, 0x07}), (stop_sending_frame{stream_id{8}, 7}));
    EXPECT_EQ(round_trip<max_data_frame>({0x10, 0x80, 0x01, 0x00, 0x00}).maximum, 65536U);
    EXPECT_EQ(round_trip<max_stream_data_frame>({0x11, 0x04, 0x44, 0x00}), (max_stream_data_frame{stream_id{4}, 1024}));
    EXPECT_EQ(round_trip<max_streams_frame>({0x12, 0x10}), (max_streams_frame{direction::bidirectional, 16}));
    EXPECT_EQ(round_trip<max_streams_frame>({0x13, 0x10}), (max_streams_frame{direction::unidirectional, 16}));
    EXPECT_EQ(round_trip<data_blocked_frame>({0x14, 0x0a}).limit, 10U);
    EXPECT_EQ(round_trip<stream_data_blocked_frame>({0x15, 0x04, 0x0a}), (stream_data_blocked_frame{stream_id{4}, 10}));
    EXPECT_EQ(round_trip<streams_blocked_frame>({0x16, 0x03}), (streams_blocked_frame{direction::bidirectional, 3}));
    EXPECT_EQ(round_trip<streams_blocked_frame>({0x17, 0x03}), (streams_blocked_frame{direction::unidirectional, 3}));
    EXPECT_EQ(round_trip<retire_connection_id_frame>({0x19, 0x02}).sequence, 2U);
    EXPECT_EQ(round_trip<path_challenge_frame>({0x1a, 1, 2, 3, 4, 5, 6, 7, 8}).data,
              (std::array<std::uint8_t, 8>{1, 2, 3, 4, 5, 6, 7, 8}));
    EXPECT_EQ(round_trip<path_response_frame>({0x1b, 8, 7, 6, 5, 4, 3, 2, 1}).data,
              (std::array<std::uint8_t, 8>{8, 7, 6, 5, 4, 3, 2, 1}));
    round_trip<handshake_done_frame>({0x1e});
    round_trip<ping_frame>({0x01});
    EXPECT_EQ(round_trip<new_token_frame>({0x07, 0x02, 0xaa, 0xbb}).token.size(), 2U);
    EXPECT_EQ(round_trip<reset_stream_at_frame>({0x24, 0x08, 0x07, 0x44, 0x00, 0x10}),
              (reset_stream_at_frame{stream_id{8}, 7, 1024, 16}));
    EXPECT_EQ(round_trip<ack_frequency_frame>({0x40, 0xaf, 0x03, 0x0a, 0x80, 0x00, 0x61, 0xa8, 0x05}),
              (ack_frequency_frame{3, 10, 25'000, 5}));
    round_trip<immediate_ack_frame>({0x1f});
    const auto crypto = round_trip<crypto_frame>({0x06, 0x40, 0x64, 0x03, 'a', 'b', 'c'});
    EXPECT_EQ(crypto.offset, 100U);
    EXPECT_EQ(crypto.data.size(), 3U);
}

TEST(frame, new_connection_id) {
    octets wire{0x18, 0x05, 0x02, 0x04, 1, 2, 3, 4};
    for (std::uint8_t i = 0; i < 16; ++i) wire.push_back(static_cast<std::uint8_t>(0xf0 + i));
    const auto f = round_trip<new_connection_id_frame>(wire);
    EXPECT_EQ(f.sequence, 5U);
    EXPECT_EQ(f.retire_prior_to, 2U);
    EXPECT_EQ(f.id, connection_id(octets{1, 2, 3, 4}));
    EXPECT_EQ(f.reset_token[15], 0xff);
}

TEST(frame, connection_close_of_both_kinds) {
    const auto transport = round_trip<connection_close_frame>({0x1c, 0x0a, 0x06, 0x02, 'n', 'o'});
    EXPECT_FALSE(transport.application);
    EXPECT_EQ(transport.error_code, 10U);
    EXPECT_EQ(transport.frame_type, 6U);
    const auto application = round_trip<connection_close_frame>({0x1d, 0x41, 0x00, 0x00});
    EXPECT_TRUE(application.application);
    EXPECT_EQ(application.error_code, 0x100U);
}

TEST(frame, stream_flags) {
    const auto whole = round_trip<stream_frame>({0x0f, 0x04, 0x44, 0x00, 0x03, 'a', 'b', 'c'});
    EXPECT_EQ(whole.id, stream_id{4});
    EXPECT_EQ(whole.offset, 1024U);
    EXPECT_EQ(whole.data.size(), 3U);
    EXPECT_TRUE(whole.fin);
    // Without offset and length the frame begins the stream and fills the packet.
    auto p = read_all({0x08, 0x04, 'a', 'b', 'c', 'd'});
    const auto& rest = std::get<stream_frame>(p.frames.at(0));
    EXPECT_EQ(rest.offset, 0U);
    EXPECT_EQ(rest.data.size(), 4U);
    EXPECT_FALSE(rest.fin);
    EXPECT_TRUE(std::get<stream_frame>(read_all({0x0b, 0x04, 0x00}).frames.at(0)).fin);
}

TEST(frame, data_is_not_copied) {
    const octets wire{0x0a, 0x04, 0x02, 'a', 'b'};
    auto p = read_all(wire);
    EXPECT_EQ(std::get<stream_frame>(p.frames.at(0)).data.data(), wire.data() + 3);
}

TEST(frame, ack_ranges_are_half_open_and_descend) {
    // Largest 100, first range 10, then gap 1 and length 3, then gap 0 and length 0.
    const octets wire{0x02, 0x40, 0x64, 0x05, 0x02, 0x0a, 0x01, 0x03, 0x00, 0x00};
    const auto p = read_all(wire);
    const auto& ack = std::get<ack_frame>(p.frames.at(0));
    EXPECT_EQ(ack.largest(), 100U);
    EXPECT_EQ(ack.delay, 5U);
    ASSERT_EQ(ack.ranges.size(), 3U);
    EXPECT_EQ(ack.ranges[0], (range{90, 101}));
    EXPECT_EQ(ack.ranges[1], (range{84, 88}));
    EXPECT_EQ(ack.ranges[2], (range{82, 83}));
    EXPECT_FALSE(ack.ecn);
    round_trip<ack_frame>(wire);
    const auto with_ecn = read_all({0x03, 0x05, 0x00, 0x00, 0x05, 0x01, 0x02, 0x03});
    EXPECT_EQ(std::get<ack_frame>(with_ecn.frames.at(0)).ecn, (ecn_counts{1, 2, 3}));
}

// RFC 9000 19.3.1: computed packet numbers must not be negative.
TEST(frame, ack_below_zero_is_refused) {
    for (const auto& wire : {octets{0x02, 0x05, 0x00, 0x00, 0x06},                 // first range 6 below 5
                             octets{0x02, 0x05, 0x00, 0x01, 0x04, 0x00, 0x00},     // smallest 1, gap 0 leads to -1
                             octets{0x02, 0x05, 0x00, 0x01, 0x00, 0x04, 0x00},     // gap too large
                             octets{0x02, 0x05, 0x00, 0x01, 0x00, 0x00, 0x04}}) {  // second range too long
        const auto p = read_all(wire);
        ASSERT_TRUE(p.error);
        EXPECT_EQ(code_of(p), transport_error::frame_encoding_error);
        EXPECT_EQ(p.error->frame_type, 0x02U);
    }
    // Down to 0 exactly is fine.
    EXPECT_FALSE(read_all({0x02, 0x05, 0x00, 0x01, 0x00, 0x02, 0x01}).error);
}

TEST(frame, ack_with_more_ranges_than_we_use_is_bounded) {
    octets wire{0x02, 0x80, 0x00, 0x20, 0x00, 0x00, 0x48, 0x00, 0x00};  // largest 8192, 2048 more ranges
    for (int i = 0; i < 2048; ++i) wire.insert(wire.end(), {0x00, 0x00});
    const auto p = read_all(wire);
    ASSERT_FALSE(p.error);
    const auto& ack = std::get<ack_frame>(p.frames.at(0));
    EXPECT_EQ(ack.ranges.size(), max_ack_ranges);
    EXPECT_EQ(ack.ranges.front(), (range{8192, 8193}));
    // A count that lies costs no more than the packet is long.
    EXPECT_EQ(code_of(read_all({0x02, 0x05, 0x00, 0xc0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00})),
              transport_error::frame_encoding_error);
}

TEST(frame, every_truncation_is_a_frame_encoding_error) {
    const std::vector<octets> frames{{0x02, 0x40, 0x64, 0x05, 0x01, 0x0a, 0x01, 0x03},
                                     {0x03, 0x05, 0x00, 0x00, 0x05, 0x01, 0x02, 0x03},
                                     {0x04, 0x08, 0x41, 0x0c, 0x52, 0x34},
                                     {0x05, 0x08, 0x07},
                                     {0x06, 0x40, 0x64, 0x02, 'a', 'b'},
                                     {0x07, 0x02, 0xaa, 0xbb},
                                     {0x0f, 0x04, 0x44, 0x00, 0x02, 'a', 'b'},
                                     {0x10, 0x44, 0x00},
                                     {0x11, 0x04, 0x44, 0x00},
                                     {0x12, 0x40, 0x50},
                                     {0x14, 0x40, 0x50},
                                     {0x15, 0x04, 0x40, 0x50},
                                     {0x16, 0x40, 0x50},
                                     {0x19, 0x40, 0x50},
                                     {0x1a, 1, 2, 3, 4, 5, 6, 7, 8},
                                     {0x1b, 1, 2, 3, 4, 5, 6, 7, 8},
                                     {0x1c, 0x0a, 0x06, 0x02, 'n', 'o'},
                                     {0x1d, 0x0a, 0x02, 'n', 'o'},
                                     {0x18, 0x01, 0x00, 0x01, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
    for (const auto& whole : frames) {
        ASSERT_FALSE(read_all(whole).error) << int{whole[0]};
        for (std::size_t n = 1; n < whole.size(); ++n) {
            const auto p = read_all({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)});
            ASSERT_TRUE(p.error) << int{whole[0]} << " cut to " << n;
            EXPECT_EQ(code_of(p), transport_error::frame_encoding_error);
            EXPECT_EQ(p.error->frame_type, whole[0]);
        }
    }
}

TEST(frame, impossible_values_are_refused) {
    const octets two_to_60_plus_1{0xd0, 0, 0, 0, 0, 0, 0, 1};
    for (std::uint8_t type : {0x12, 0x13, 0x16, 0x17}) {  // RFC 9000 4.6
        octets wire{type};
        wire.insert(wire.end(), two_to_60_plus_1.begin(), two_to_60_plus_1.end());
        EXPECT_EQ(code_of(read_all(wire)), transport_error::frame_encoding_error);
        wire.back() = 0;
        EXPECT_FALSE(read_all(wire).error);
    }
    const octets largest(8, 0xff);
    octets stream{0x0e, 0x00};  // RFC 9000 19.8: offset 2^62-1 and one byte
    stream.insert(stream.end(), largest.begin(), largest.end());
    auto stream_end = stream;
    stream.insert(stream.end(), {0x01, 'x'});
    EXPECT_EQ(code_of(read_all(stream)), transport_error::frame_encoding_error);
    stream_end.push_back(0x00);
    EXPECT_FALSE(read_all(stream_end).error);
    octets crypto{0x06};
    crypto.insert(crypto.end(), largest.begin(), largest.end());
    crypto.insert(crypto.end(), {0x01, 'x'});
    EXPECT_EQ(code_of(read_all(crypto)), transport_error::frame_encoding_error);
    EXPECT_EQ(code_of(read_all({0x07, 0x00})), transport_error::frame_encoding_error);  // empty token
    EXPECT_EQ(code_of(read_all({0x18, 0x01, 0x02, 0x01, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})),
              transport_error::frame_encoding_error);  // retires what comes later
    EXPECT_EQ(code_of(read_all({0x24, 0x08, 0x07, 0x10, 0x11})),
              transport_error::frame_encoding_error);  // Reliable Size above Final Size
    EXPECT_EQ(code_of(read_all({0x18, 0x01, 0x00, 0x00, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})),
              transport_error::frame_encoding_error);  // empty connection ID
    octets long_id{0x18, 0x01, 0x00, 21};
    long_id.resize(4 + 21 + 16);
    EXPECT_EQ(code_of(read_all(long_id)), transport_error::frame_encoding_error);
}

TEST(frame, unknown_types_and_long_encodings) {
    for (std::uint32_t type = 0x20; type < 0x4000; ++type) {
        if (is_known_frame(type)) continue;
        octets wire;
        if (type < 0x40) {
            wire = {static_cast<std::uint8_t>(type)};
        } else {
            wire = {static_cast<std::uint8_t>(0x40 | type >> 8), static_cast<std::uint8_t>(type)};
        }
        const auto p = read_all(wire);
        ASSERT_TRUE(p.error) << type;
        ASSERT_EQ(code_of(p), transport_error::frame_encoding_error);
        ASSERT_EQ(p.error->frame_type, type);
    }
    std::vector<std::uint64_t> known;
    for (std::uint64_t type = 0x1f; type < 0x4000; ++type) {
        if (is_known_frame(type)) known.push_back(type);
    }
    EXPECT_EQ(known, (std::vector<std::uint64_t>{0x1f, 0x24, 0x30, 0x31, 0xaf}));
    // RFC 9000 12.4: PING as 0x4001
    EXPECT_EQ(code_of(read_all({0x40, 0x01})), transport_error::protocol_violation);
}

// RFC 9000 12.4 Table 3, letter by letter.
TEST(frame, permitted_where_table_3_says) {
    struct row {
        std::uint64_t type;
        std::string_view where;  // I, H, 0, 1
    };
    const std::vector<row> table{{0x00, "IH01"}, {0x01, "IH01"}, {0x02, "IH1"}, {0x03, "IH1"}, {0x04, "01"},   {0x05, "01"},
                                 {0x06, "IH1"},  {0x07, "1"},    {0x08, "01"},  {0x0f, "01"},  {0x10, "01"},   {0x11, "01"},
                                 {0x12, "01"},   {0x13, "01"},   {0x14, "01"},  {0x15, "01"},  {0x16, "01"},   {0x17, "01"},
                                 {0x18, "01"},   {0x19, "1"},    {0x1a, "01"},  {0x1b, "1"},   {0x1c, "IH01"}, {0x1d, "01"},
                                 {0x1e, "1"},    {0x1f, "1"},    {0x20, ""},    {0x24, "01"},  {0xaf, "1"},    {0x4000, ""},
                                 {0x2f, ""},     {0x30, "01"},   {0x31, "01"},  {0x32, ""}};
    const std::string_view letters = "I0H1";  // in the order of encryption_level
    for (const auto& [type, where] : table) {
        for (std::size_t level = 0; level < letters.size(); ++level) {
            EXPECT_EQ(frame_permitted(type, static_cast<encryption_level>(level)),
                      where.find(letters[level]) != std::string_view::npos)
                << type << " " << letters[level];
        }
    }
    EXPECT_EQ(code_of(read_all({0x08, 0x00, 'x'}, encryption_level::handshake)), transport_error::protocol_violation);
    EXPECT_EQ(code_of(read_all({0x1d, 0x00, 0x00}, encryption_level::initial)), transport_error::protocol_violation);
    EXPECT_EQ(code_of(read_all({0x02, 0x00, 0x00, 0x00, 0x00}, encryption_level::zero_rtt)), transport_error::protocol_violation);
}

TEST(frame, what_elicits_acknowledgments_and_what_probes) {
    for (std::uint64_t type = 0; type <= frame_type::handshake_done; ++type) {
        EXPECT_EQ(is_ack_eliciting(type), type != 0x00 && type != 0x02 && type != 0x03 && type != 0x1c && type != 0x1d);
        EXPECT_EQ(is_probing(type), type == 0x00 || type == 0x18 || type == 0x1a || type == 0x1b);
    }
    octets room(100);
    frame_writer out(room);
    out.write(padding_frame{5});
    out.write(connection_close_frame{});
    EXPECT_FALSE(out.ack_eliciting());
    out.write(ping_frame{});
    EXPECT_TRUE(out.ack_eliciting());
}

TEST(frame_writer, writes_all_or_nothing) {
    const reset_stream_frame f{stream_id{8}, 0x10c, 0x1234};
    for (std::size_t n = 0; n < 6; ++n) {
        octets room(n);
        frame_writer out(room);
        EXPECT_FALSE(out.write(f));
        EXPECT_EQ(out.size(), 0U);
        EXPECT_EQ(out.write(padding_frame{n}), true);
        EXPECT_FALSE(out.write(padding_frame{1}));
    }
    octets room(6);
    EXPECT_TRUE(frame_writer(room).write(f));
}

TEST(frame_writer, stream_frame_fills_the_room_it_has) {
    for (std::size_t n = 5; n < 20000; n = n < 300 ? n + 1 : n + 97) {
        octets room(n);
        frame_writer out(room);
        const auto most = out.stream_capacity(stream_id{4}, 100);
        if (most == 0) {
            EXPECT_LE(n, 5U);
            continue;
        }
        auto inside = out;
        EXPECT_FALSE(inside.stream(stream_id{4}, 100, most + 1, false).ok) << n;
        const auto data = out.stream(stream_id{4}, 100, most, false);
        ASSERT_TRUE(data.ok) << n;
        EXPECT_EQ(data.data.size(), most);
        EXPECT_LE(out.remaining(), 2U) << n;  // only where one more length byte would cost what it wins
    }
}

TEST(frame_writer, long_close_reason_is_cut) {
    octets room(100);
    frame_writer out(room);
    const octets reason(500, 'r');
    ASSERT_TRUE(out.write(connection_close_frame{10, 0, reason, false}));
    const auto p = read_all({out.written().begin(), out.written().end()});
    ASSERT_FALSE(p.error);
    EXPECT_GT(std::get<connection_close_frame>(p.frames.at(0)).reason.size(), 90U);
    octets tiny(2);
    EXPECT_FALSE(frame_writer(tiny).write(connection_close_frame{}));
}

// Random bytes never crash, and whatever parses is emitted so that it parses to the same again.
TEST(frame, parse_emit_parse_is_the_same) {
    std::mt19937_64 random(tandem::test::seed());
    for (int i = 0; i < 200000; ++i) {
        octets wire(1 + random() % 40);
        for (auto& b : wire) b = static_cast<std::uint8_t>(random() % 3 ? random() % 32 : random());
        const auto first = read_all(wire);
        if (first.frames.empty()) continue;
        ack_ranges scratch;
        frame_reader again(wire, encryption_level::one_rtt, scratch);
        frame f;
        octets emitted(300);
        while (again.next(f)) {
            frame_writer out(emitted);
            ASSERT_TRUE(out.write(f));
            const octets once(out.written().begin(), out.written().end());
            const auto second = read_all(once);
            ASSERT_FALSE(second.error);
            ASSERT_EQ(second.frames.size(), 1U);
            octets room(300);
            frame_writer twice(room);
            ASSERT_TRUE(twice.write(second.frames[0]));
            ASSERT_EQ(octets(twice.written().begin(), twice.written().end()), once);
        }
    }
}

TEST(error, names) {
    EXPECT_EQ(transport_error_name(3), "FLOW_CONTROL_ERROR");
    EXPECT_EQ(transport_error_name(0x128), "CRYPTO_ERROR 0x128 (handshake_failure)");
    EXPECT_EQ(transport_error_name(0x101), "CRYPTO_ERROR 0x101");
    EXPECT_EQ(transport_error_name(0x999), "0x999");
    EXPECT_EQ(to_string(connection_error::transport(transport_error::final_size_error, 8, "why")),
              "FINAL_SIZE_ERROR in frame 0x8: why");
    EXPECT_EQ(to_string(connection_error{0x100, 0, "", true}), "application error 0x100");
    EXPECT_EQ(crypto_error_code(42), 0x12aU);
}

}  // namespace
}  // namespace tandem::quic
