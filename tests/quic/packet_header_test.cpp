#include <tandem/quic/packet_header.hpp>

#include <gtest/gtest.h>

#include <hex.hpp>
#include <seed.hpp>
#include <tandem/bytes/random.hpp>
#include <tandem/quic/packet_number_codec.hpp>

namespace tandem::quic {
namespace {

using test::byte_vector;
using test::from_hex;
using test::to_hex;

connection_id id_of(std::string_view hex) { return connection_id(from_hex(hex)); }

// A packet with `payload` bytes after the packet number, the Length filled in.
byte_vector long_packet(packet_type type, version v, const connection_id& destination, const connection_id& source,
                        std::span<const std::uint8_t> token, std::uint64_t number, std::size_t number_size, std::size_t payload) {
    byte_vector buffer(2000);
    writer out(buffer);
    auto header = write_long_header(out, type, v, destination, source, token, number, number_size);
    if (!header) return {};
    buffer.resize(header->payload_offset() + payload);
    set_packet_length(buffer, *header);
    return buffer;
}

TEST(packet_header, an_initial_as_bytes) {
    auto packet =
        long_packet(packet_type::initial, version::v1, id_of("0102030405060708"), id_of("aabb"), from_hex("cc"), 0x1234, 2, 30);
    EXPECT_EQ(to_hex(std::span(packet).first(23)),
              "c1"
              "00000001"
              "08"
              "0102030405060708"
              "02"
              "aabb"
              "01cc"
              "4020"
              "1234");
}

TEST(packet_header, type_bits_differ_in_version_2) {
    for (auto [type, v1, v2] : {std::tuple{packet_type::initial, 0xc0, 0xd0},
                                {packet_type::zero_rtt, 0xd0, 0xe0},
                                {packet_type::handshake, 0xe0, 0xf0}}) {
        EXPECT_EQ(long_packet(type, version::v1, {}, {}, {}, 0, 1, 30)[0], v1);
        EXPECT_EQ(long_packet(type, version::v2, {}, {}, {}, 0, 1, 30)[0], v2);
    }
}

TEST(packet_header, a_short_header_as_bytes) {
    byte_vector buffer(20);
    writer out(buffer);
    auto header = write_short_header(out, id_of("a1a2a3a4"), 0xbff4, 3, true, true);
    ASSERT_TRUE(header);
    EXPECT_EQ(to_hex(out.written()),
              "66"
              "a1a2a3a4"
              "00bff4");
    EXPECT_EQ(header->number_offset, 5U);
    EXPECT_EQ(header->payload_offset(), 8U);
}

TEST(packet_header, parse_emit_parse) {
    const auto seed = test::seed();
    random_source random(seed);
    for (int i = 0; i < 20000; ++i) {
        byte_vector bytes(20);
        random.fill(bytes);
        connection_id destination{std::span(bytes).first(random.below(21))};
        connection_id source{std::span(bytes).last(random.below(21))};
        byte_vector token(random.below(200));
        random.fill(token);
        auto type = static_cast<packet_type>(random.below(3));
        auto v = random.below(2) == 0 ? version::v1 : version::v2;
        auto number_size = 1 + random.below(4);
        auto payload = 20 + random.below(300);
        auto packet = long_packet(type, v, destination, source, token, random() & max_packet_number, number_size, payload);
        byte_vector datagram = packet;
        datagram.resize(packet.size() + random.below(50));  // another packet behind
        auto parsed = parse_packet(datagram, 8);
        ASSERT_TRUE(parsed) << to_string(parsed.error) << " seed " << seed << " step " << i;
        EXPECT_EQ(parsed.header.type, type);
        EXPECT_EQ(parsed.header.version, v);
        EXPECT_EQ(parsed.header.destination, destination);
        EXPECT_EQ(parsed.header.source, source);
        EXPECT_EQ(to_hex(parsed.header.token), type == packet_type::initial ? to_hex(token) : "");
        EXPECT_EQ(parsed.header.size, packet.size());
        EXPECT_EQ(parsed.header.number_offset + number_size + payload, packet.size());
        EXPECT_EQ(long_header_size(type, destination, source, token.size(), number_size),
                  parsed.header.number_offset + number_size);

        byte_vector again(packet.size());
        writer out(again);
        std::uint64_t number = 0;
        for (std::size_t k = 0; k < number_size; ++k) number = number << 8 | packet[parsed.header.number_offset + k];
        auto header = write_long_header(out, parsed.header.type, parsed.header.version, parsed.header.destination,
                                        parsed.header.source, parsed.header.token, number, number_size);
        ASSERT_TRUE(header);
        set_packet_length(again, *header);
        EXPECT_EQ(again, packet) << "seed " << seed << " step " << i;
    }
}

TEST(packet_header, arbitrary_bytes_never_yield_anything_outside_the_datagram) {
    const auto seed = test::seed();
    random_source random(seed);
    int parsed_count = 0;
    for (int i = 0; i < 200000; ++i) {
        byte_vector datagram(random.below(80));
        random.fill(datagram);
        if (datagram.size() > 5 && random.below(2) == 0) {  // else hardly one has a known version
            datagram[1] = datagram[2] = datagram[3] = 0;
            datagram[4] = static_cast<std::uint8_t>(random.below(2));
            datagram[5] = static_cast<std::uint8_t>(random.below(30));
        }
        auto parsed = parse_packet(datagram, random.below(21));
        if (!parsed) continue;
        ++parsed_count;
        const auto& h = parsed.header;
        ASSERT_GT(h.size, 0U);
        ASSERT_LE(h.size, datagram.size());
        ASSERT_LE(h.number_offset, h.size);
        if (h.number_offset > 0) {
            ASSERT_GE(h.size - h.number_offset, 20U);
        }
        for (auto part : {h.token, h.versions}) {
            if (part.empty()) continue;
            ASSERT_GE(part.data(), datagram.data());
            ASSERT_LE(part.data() + part.size(), datagram.data() + datagram.size());
        }
    }
    EXPECT_GT(parsed_count, 1000);
}

TEST(packet_header, every_truncation_is_refused) {
    auto packet =
        long_packet(packet_type::initial, version::v1, id_of("0102030405060708"), id_of("aabb"), from_hex("cc"), 0, 1, 30);
    for (std::size_t size = 0; size < packet.size(); ++size) {
        EXPECT_EQ(parse_packet(std::span(packet).first(size), 8).error, header_error::truncated) << size;
    }
    EXPECT_TRUE(parse_packet(packet, 8));
}

TEST(packet_header, fixed_bit) {
    auto packet = long_packet(packet_type::handshake, version::v1, {}, {}, {}, 0, 1, 30);
    packet[0] &= 0xbf;
    EXPECT_EQ(parse_packet(packet, 8).error, header_error::fixed_bit_zero);
    byte_vector short_packet(40, 0x00);
    EXPECT_EQ(parse_packet(short_packet, 8).error, header_error::fixed_bit_zero);
    short_packet[0] = 0x40;
    EXPECT_TRUE(parse_packet(short_packet, 8));
}

TEST(packet_header, connection_ids_of_version_1_have_20_bytes_at_most) {
    auto with_sizes = [](std::uint8_t destination, std::uint8_t source) {
        byte_vector packet = from_hex("e000000001");
        packet.push_back(destination);
        packet.insert(packet.end(), destination, 1);
        packet.push_back(source);
        packet.insert(packet.end(), source, 2);
        packet.insert(packet.end(), {0x40, 30});
        packet.insert(packet.end(), 30, 0);
        return parse_packet(packet, 8).error;
    };
    EXPECT_EQ(with_sizes(20, 20), header_error::none);
    EXPECT_EQ(with_sizes(21, 20), header_error::connection_id_size);
    EXPECT_EQ(with_sizes(20, 21), header_error::connection_id_size);
    EXPECT_EQ(with_sizes(255, 255), header_error::connection_id_size);
}

// RFC 9000 17.2: the IDs of an unknown version must still be read, so that Version Negotiation can echo them.
TEST(packet_header, an_unknown_version_is_told_with_its_long_ids) {
    byte_vector packet = from_hex("c0faceb00c");
    packet.push_back(200);
    packet.insert(packet.end(), 200, 0x11);
    packet.push_back(255);
    packet.insert(packet.end(), 255, 0x22);
    packet.resize(1200);
    EXPECT_EQ(parse_packet(packet, 8).error, header_error::unknown_version);
    auto invariant = parse_invariant_header(packet, 8);
    ASSERT_TRUE(invariant);
    EXPECT_EQ(invariant->version, 0xfaceb00cU);
    EXPECT_EQ(invariant->destination.size(), 200U);
    EXPECT_EQ(invariant->source.size(), 255U);

    byte_vector buffer(1200);
    writer out(buffer);
    ASSERT_TRUE(write_version_negotiation(out, invariant->source, invariant->destination, std::array{1U, 0x6b3343cfU}, 0x2a));
    auto answer = parse_invariant_header(out.written(), 0);
    ASSERT_TRUE(answer);
    EXPECT_EQ(out.written()[0], 0xea);
    EXPECT_EQ(answer->version, 0U);
    EXPECT_EQ(answer->destination.size(), 255U);
    EXPECT_EQ(to_hex(out.written().subspan(answer->size)),
              "00000001"
              "6b3343cf");
}

TEST(packet_header, version_negotiation) {
    auto packet = from_hex(
        "80"
        "00000000"
        "02aabb"
        "03010203"
        "00000001"
        "faceb00c");
    auto parsed = parse_packet(packet, 8);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed.header.type, packet_type::version_negotiation);
    EXPECT_EQ(parsed.header.destination, id_of("aabb"));
    EXPECT_EQ(parsed.header.source, id_of("010203"));
    EXPECT_EQ(to_hex(parsed.header.versions),
              "00000001"
              "faceb00c");
    EXPECT_EQ(parsed.header.size, packet.size());
    packet.pop_back();  // half a version
    EXPECT_FALSE(parse_packet(packet, 8));
    packet.resize(packet.size() - 7);  // none
    EXPECT_FALSE(parse_packet(packet, 8));
}

TEST(packet_header, a_length_beyond_the_datagram_and_one_too_short_to_sample) {
    auto packet = long_packet(packet_type::handshake, version::v1, id_of("01"), id_of("02"), {}, 0, 1, 19);
    EXPECT_TRUE(parse_packet(packet, 8));
    auto shorter = long_packet(packet_type::handshake, version::v1, id_of("01"), id_of("02"), {}, 0, 1, 18);
    EXPECT_EQ(parse_packet(shorter, 8).error, header_error::too_short);
    byte_vector tiny(1 + 8 + 19, 0x40);
    EXPECT_EQ(parse_packet(tiny, 8).error, header_error::too_short);
    tiny.push_back(0);
    EXPECT_TRUE(parse_packet(tiny, 8));
}

TEST(packet_header, a_token_cannot_be_longer_than_its_datagram) {
    auto packet = from_hex(
        "c0000000010000"
        "bfffffff");
    packet.resize(1200);
    EXPECT_EQ(parse_packet(packet, 8).error, header_error::truncated);
    packet = from_hex(
        "c0000000010000"
        "ffffffffffffffff");
    packet.resize(1200);
    EXPECT_EQ(parse_packet(packet, 8).error, header_error::truncated);
}

TEST(packet_header, coalesced_packets_are_split_by_length) {
    auto a = long_packet(packet_type::initial, version::v1, id_of("01"), id_of("02"), {}, 0, 1, 40);
    auto b = long_packet(packet_type::handshake, version::v1, id_of("01"), id_of("02"), {}, 1, 2, 60);
    byte_vector c(50, 0x40);
    c[1] = 1;
    byte_vector datagram = a;
    datagram.insert(datagram.end(), b.begin(), b.end());
    datagram.insert(datagram.end(), c.begin(), c.end());
    std::vector<packet_type> types;
    for (std::span<const std::uint8_t> rest = datagram; !rest.empty();) {
        auto parsed = parse_packet(rest, 1);
        ASSERT_TRUE(parsed);
        EXPECT_EQ(parsed.header.destination, id_of("01"));
        types.push_back(parsed.header.type);
        rest = rest.subspan(parsed.header.size);
    }
    EXPECT_EQ(types, (std::vector{packet_type::initial, packet_type::handshake, packet_type::one_rtt}));
}

TEST(packet_header, what_does_not_fit_is_not_written) {
    byte_vector buffer(30);
    auto destination = id_of("0102030405060708");
    auto need = long_header_size(packet_type::initial, destination, {}, 3, 4);
    for (std::size_t size = 0; size <= buffer.size(); ++size) {
        writer out{std::span(buffer).first(size)};
        EXPECT_EQ(
            write_long_header(out, packet_type::initial, version::v1, destination, {}, from_hex("aabbcc"), 0, 4).has_value(),
            size >= need);
        writer short_out{std::span(buffer).first(size)};
        EXPECT_EQ(write_short_header(short_out, destination, 0, 4, false, false).has_value(), size >= 13);
        writer negotiation{std::span(buffer).first(size)};
        EXPECT_EQ(write_version_negotiation(negotiation, destination.bytes(), {}, std::array{1U}, 0), size >= 1 + 4 + 9 + 1 + 4);
    }
    writer out(buffer);
    EXPECT_FALSE(write_long_header(out, packet_type::retry, version::v1, {}, {}, {}, 0, 1));
    EXPECT_FALSE(write_long_header(out, packet_type::initial, version{0xfaceb00c}, {}, {}, {}, 0, 1));
    EXPECT_FALSE(write_long_header(out, packet_type::initial, version::v1, {}, {}, {}, 0, 5));
}

}  // namespace
}  // namespace tandem::quic
