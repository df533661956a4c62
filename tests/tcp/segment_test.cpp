// Segments and packets as bytes: RFC 9293 3.1 and 3.2, RFC 791, RFC 8200, RFC 1071.
#include <gtest/gtest.h>

#include <tandem/bytes/random.hpp>
#include <tandem/tcp/checksum.hpp>
#include <tandem/tcp/segment.hpp>

#include "hex.hpp"
#include "seed.hpp"

namespace tandem::tcp::test {
namespace {

using tandem::test::from_hex;

// A SYN with the options in Linux's order: 10.0.0.10:36564 -> 10.0.0.11:8080. Checksums are put in by with_checksums.
const auto plain_syn = from_hex(
    "4500003c1c464000400600000a00000a0a00000b"
    "8ed41f903de2fa7100000000a002faf000000000"
    "020405b40402080a3a5b2d910000000001030307");

std::vector<std::uint8_t> with_checksums(std::vector<std::uint8_t> bytes) {
    bytes[10] = bytes[11] = bytes[36] = bytes[37] = 0;
    checksum ip;
    ip.add(std::span(bytes).first(20));
    ip.store(bytes.data() + 10);
    checksum tcp;
    ip_address a;
    ip_address b;
    std::copy_n(bytes.begin() + 12, 4, a.bytes.begin());
    std::copy_n(bytes.begin() + 16, 4, b.bytes.begin());
    tcp.add_pseudo_header(a, b, 6, bytes.size() - 20);
    tcp.add(std::span(bytes).subspan(20));
    tcp.store(bytes.data() + 36);
    return bytes;
}

packet parsed(std::span<const std::uint8_t> bytes) {
    packet p;
    EXPECT_EQ(parse_packet(bytes, p), drop_reason::none);
    return p;
}

drop_reason why(std::span<const std::uint8_t> bytes) {
    packet p;
    return parse_packet(bytes, p);
}

TEST(checksum, example_of_rfc_1071) {
    checksum c;
    c.add(from_hex("0001f203f4f5f6f7"));
    std::array<std::uint8_t, 2> out;
    c.store(out.data());
    EXPECT_EQ(out, (std::array<std::uint8_t, 2>{0x22, 0x0d}));  // the complement of ddf2
}

TEST(checksum, any_length_and_alignment_as_the_plain_sum) {
    random_source random(tandem::test::seed());
    std::vector<std::uint8_t> bytes(4096);
    random.fill(bytes);
    for (int i = 0; i < 500; ++i) {
        const auto begin = random.below(64);
        const auto n = random.below(2000);
        const auto part = std::span(bytes).subspan(begin, n);
        std::uint32_t plain = 0;
        for (std::size_t k = 0; k < n; k += 2) {
            plain += static_cast<std::uint32_t>(part[k] << 8 | (k + 1 < n ? part[k + 1] : 0));
            plain = (plain & 0xffff) + (plain >> 16);
        }
        checksum c;
        c.add(part);
        std::array<std::uint8_t, 2> out;
        c.store(out.data());
        EXPECT_EQ(static_cast<std::uint16_t>(~plain), out[0] << 8 | out[1]) << n;
    }
}

TEST(segment, syn_with_all_options) {
    const auto p = parsed(with_checksums(plain_syn));
    EXPECT_EQ(p.source, ip_address::v4(10, 0, 0, 10));
    EXPECT_EQ(p.destination, ip_address::v4(10, 0, 0, 11));
    EXPECT_EQ(p.hop_limit, 64);
    EXPECT_EQ(p.tcp.source_port, 36564);
    EXPECT_EQ(p.tcp.destination_port, 8080);
    EXPECT_EQ(p.tcp.sequence, 0x3de2fa71u);
    EXPECT_EQ(p.tcp.flags, flag::syn);
    EXPECT_EQ(p.tcp.window, 64240);
    EXPECT_EQ(p.tcp.options.mss, 1460);
    EXPECT_EQ(p.tcp.options.window_scale, 7);
    EXPECT_TRUE(p.tcp.options.sack_permitted);
    EXPECT_EQ(p.tcp.options.timestamps, (timestamp_option{0x3a5b2d91, 0}));
    EXPECT_EQ(p.tcp.length(), 1u);
}

TEST(segment, is_written_as_it_was_read) {
    const auto bytes = with_checksums(plain_syn);
    std::vector<std::uint8_t> out(100);
    out.resize(write_packet(parsed(bytes), out));
    auto expected = bytes;
    expected[4] = expected[5] = 0;  // identification
    EXPECT_EQ(out, with_checksums(expected));
}

TEST(segment, options_are_laid_out_on_four_bytes) {
    const auto tail = [](const segment_options& o) {
        packet p;
        p.source = p.destination = ip_address::v4(1, 2, 3, 4);
        p.tcp.options = o;
        std::vector<std::uint8_t> out(100);
        out.resize(write_packet(p, out));
        EXPECT_EQ(out.size(), 40 + options_size(o));
        return std::vector<std::uint8_t>(out.begin() + 40, out.end());
    };
    segment_options o;
    EXPECT_EQ(tail(o), from_hex(""));
    o.mss = 1000;
    EXPECT_EQ(tail(o), from_hex("020403e8"));
    o.window_scale = 2;
    EXPECT_EQ(tail(o), from_hex("020403e801030302"));
    o.sack_permitted = true;
    EXPECT_EQ(tail(o), from_hex("020403e80101040201030302"));
    o.timestamps = timestamp_option{1, 2};
    EXPECT_EQ(tail(o), from_hex("020403e80402080a000000010000000201030302"));
    o = {};
    o.timestamps = timestamp_option{1, 2};
    EXPECT_EQ(tail(o), from_hex("0101080a0000000100000002"));
    o.add_sack({3, 4});
    EXPECT_EQ(tail(o), from_hex("0101080a00000001000000020101050a0000000300000004"));
}

TEST(segment, unknown_options_are_skipped) {  // RFC 9293 MUST-6
    const auto p =
        parse_segment(from_hex("000100020000000300000004a010000500000000fe04abcdfd02020403e80003"
                               "0000000000000000"));
    ASSERT_TRUE(p);
    EXPECT_EQ(p->options.mss, 1000);
    EXPECT_FALSE(p->options.window_scale);  // behind the end of the list
}

TEST(segment, an_illegal_option_length_ends_the_list) {  // RFC 9293 MUST-7
    for (const char* options : {"0200020403e80000", "0201020403e80000", "02ff020403e80000", "0000000000000002"}) {
        const auto p = parse_segment(from_hex(std::string("00010002000000030000000470100005000000") + "00" + options));
        ASSERT_TRUE(p) << options;
        EXPECT_EQ(p->options, segment_options{}) << options;
    }
}

TEST(segment, header_must_be_whole) {
    const auto whole = with_checksums(plain_syn);
    for (std::size_t n = 0; n < whole.size(); ++n) {
        EXPECT_NE(why(std::span(whole).first(n)), drop_reason::none) << n;
        EXPECT_EQ(parse_segment(std::span(whole).subspan(20).first(n > 20 ? n - 20 : 0)).has_value(), false) << n;
    }
    auto bad = whole;
    bad[32] = 0x40;  // data offset of four words
    EXPECT_EQ(why(bad), drop_reason::bad_header);
    bad[32] = 0xf0;  // beyond the end
    EXPECT_EQ(why(bad), drop_reason::bad_header);
}

TEST(segment, every_flipped_bit_is_found) {  // RFC 9293 MUST-3
    const auto whole = with_checksums(plain_syn);
    for (std::size_t i = 0; i < whole.size() * 8; ++i) {
        auto bad = whole;
        bad[i / 8] ^= static_cast<std::uint8_t>(1 << i % 8);
        EXPECT_NE(why(bad), drop_reason::none) << "bit " << i;
    }
}

TEST(segment, checksum_may_be_left_to_the_carrier) {
    packet p = parsed(with_checksums(plain_syn));
    std::vector<std::uint8_t> out(100);
    out.resize(write_packet(p, out, {.checksum_pending = true}));
    EXPECT_EQ(parse_packet(out, p), drop_reason::bad_checksum);
    EXPECT_EQ(parse_packet(out, p, {.checksum_pending = true}), drop_reason::none);
    checksum rest;  // what the carrier does: sums all from the TCP header on, with the pseudo header's sum already there
    rest.add(std::span(out).subspan(20));
    rest.store(out.data() + 36);
    EXPECT_EQ(parse_packet(out, p), drop_reason::none);
}

TEST(ip, fragments_are_refused) {
    for (const auto& [high, low] : {std::pair{0x20, 0x00}, {0x00, 0x01}, {0x1f, 0xff}}) {
        auto bytes = plain_syn;
        bytes[6] = static_cast<std::uint8_t>(high);
        bytes[7] = static_cast<std::uint8_t>(low);
        EXPECT_EQ(why(with_checksums(bytes)), drop_reason::fragment);
    }
}

TEST(ip, padding_is_cut_and_options_are_skipped) {
    auto bytes = with_checksums(plain_syn);
    bytes.resize(80);
    EXPECT_TRUE(parsed(bytes).tcp.payload.empty());

    const auto plain = with_checksums(plain_syn);
    auto optioned = plain;
    optioned.insert(optioned.begin() + 20, 4, 1);  // four bytes of no-operation
    optioned[0] = 0x46;
    optioned[3] = static_cast<std::uint8_t>(optioned.size());
    optioned[10] = optioned[11] = 0;
    checksum sum;
    sum.add(std::span(optioned).first(24));
    sum.store(optioned.data() + 10);
    EXPECT_EQ(parsed(optioned).tcp.options, parsed(plain).tcp.options);
}

TEST(ip, addresses_that_cannot_talk) {  // RFC 9293 MUST-57, MUST-63
    for (const char* address : {"00000000", "e0000001", "ffffffff"}) {
        for (const std::size_t at : {12u, 16u}) {
            auto bytes = plain_syn;
            const auto a = from_hex(address);
            std::copy(a.begin(), a.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
            EXPECT_EQ(why(with_checksums(bytes)), drop_reason::bad_address);
        }
    }
}

TEST(ip, neither_4_nor_6) {
    auto bytes = with_checksums(plain_syn);
    bytes[0] = 0x55;
    EXPECT_EQ(why(bytes), drop_reason::bad_ip_header);
    EXPECT_EQ(why({}), drop_reason::truncated);
}

packet v6_packet(std::span<const std::uint8_t> payload) {
    packet p;
    p.source = *ip_address::parse("2001:db8::1");
    p.destination = *ip_address::parse("2001:db8::2");
    p.tcp.source_port = 1;
    p.tcp.destination_port = 2;
    p.tcp.flags = flag::ack;
    p.tcp.payload = payload;
    return p;
}

TEST(ip, version_6) {
    const auto payload = from_hex("0123456789");
    auto p = v6_packet(payload);
    p.mark = ecn::ce;
    std::vector<std::uint8_t> out(200);
    out.resize(write_packet(p, out));
    EXPECT_EQ(out.size(), packet_size(p));
    EXPECT_EQ(out.size(), 65u);
    const auto q = parsed(out);
    EXPECT_EQ(q.source, p.source);
    EXPECT_EQ(q.mark, ecn::ce);
    EXPECT_TRUE(std::equal(payload.begin(), payload.end(), q.tcp.payload.begin(), q.tcp.payload.end()));
    out.back() ^= 1;
    EXPECT_EQ(why(out), drop_reason::bad_checksum);
}

TEST(ip, version_6_extension_headers) {
    std::vector<std::uint8_t> plain(200);
    plain.resize(write_packet(v6_packet({}), plain));
    const auto with = [&](std::uint8_t kind, std::span<const std::uint8_t> header, unsigned times) {
        auto out = plain;
        for (unsigned i = 0; i < times; ++i) {
            out.insert(out.begin() + 40, header.begin(), header.end());
            out[40] = out[6];
            out[6] = kind;
            out[5] = static_cast<std::uint8_t>(out[5] + header.size());
        }
        return out;
    };
    const auto eight = from_hex("0000010400000000");
    EXPECT_EQ(why(with(0, eight, 1)), drop_reason::none);
    EXPECT_EQ(why(with(60, eight, 3)), drop_reason::none);
    EXPECT_EQ(why(with(44, eight, 1)), drop_reason::fragment);
    EXPECT_EQ(why(with(44, from_hex("0000000100000007"), 1)), drop_reason::fragment);  // the first of several
    EXPECT_EQ(why(with(44, from_hex("0000000000000007"), 1)), drop_reason::none);      // the whole packet (RFC 8200 4.5)
    EXPECT_EQ(why(with(44, from_hex("0000000000000007"), max_extension_headers + 1)), drop_reason::bad_ip_header);
    EXPECT_EQ(why(with(60, eight, max_extension_headers + 1)), drop_reason::bad_ip_header);
    EXPECT_EQ(why(with(43, from_hex("0000000100000000"), 1)), drop_reason::bad_ip_header);  // a route that goes on
    EXPECT_EQ(why(with(43, from_hex("0000000000000000"), 1)), drop_reason::none);
    EXPECT_EQ(why(with(17, eight, 1)), drop_reason::not_tcp);
}

TEST(segment, what_does_not_fit_is_not_written) {
    const auto payload = std::vector<std::uint8_t>(70000);
    auto p = v6_packet(std::span(payload).first(100));
    std::vector<std::uint8_t> out(packet_size(p));
    EXPECT_EQ(write_packet(p, std::span(out).first(out.size() - 1)), 0u);
    EXPECT_EQ(write_packet(p, out), out.size());
    p.tcp.payload = payload;
    out.resize(80000);
    EXPECT_EQ(write_packet(p, out), 0u);
}

TEST(segment, parse_of_write_of_parse) {
    random_source random(tandem::test::seed());
    for (int i = 0; i < 20000; ++i) {
        std::vector<std::uint8_t> bytes(20 + random.below(60));
        random.fill(bytes);
        bytes[12] = static_cast<std::uint8_t>((5 + random.below(11)) << 4);
        for (std::size_t k = 20; k + 1 < bytes.size(); k += 2 + random.below(9)) {  // make options likely
            bytes[k] = static_cast<std::uint8_t>(random.below(9));
            bytes[k + 1] = static_cast<std::uint8_t>(2 + random.below(5) * 8 % 35);
        }
        const auto first = parse_segment(bytes);
        if (!first) continue;
        packet p;
        p.source = ip_address::v4(1, 2, 3, 4);
        p.destination = ip_address::v4(5, 6, 7, 8);
        p.tcp = *first;
        std::vector<std::uint8_t> out(200);
        out.resize(write_packet(p, out));
        ASSERT_GT(out.size(), 0u);
        const auto q = parsed(out).tcp;
        EXPECT_EQ(q.options, first->options);
        EXPECT_EQ(q.sequence, first->sequence);
        EXPECT_EQ(q.flags, first->flags);
        EXPECT_TRUE(std::equal(q.payload.begin(), q.payload.end(), first->payload.begin(), first->payload.end()));
    }
}

// The cheap way of writing further packets of a train makes the same bytes.
TEST(segment, next_packet_of_a_train) {
    for (const bool v6 : {false, true}) {
        packet first;
        first.source = v6 ? *ip_address::parse("2001:db8::1") : ip_address::v4(10, 0, 0, 1);
        first.destination = v6 ? *ip_address::parse("2001:db8::2") : ip_address::v4(10, 0, 0, 2);
        first.mark = ecn::ect0;
        first.tcp.source_port = 1234;
        first.tcp.destination_port = 80;
        first.tcp.sequence = 0xfffffff0;
        first.tcp.acknowledgment = 77;
        first.tcp.window = 501;
        first.tcp.flags = flag::ack;
        first.tcp.options.timestamps = timestamp_option{5, 6};
        const std::vector<std::uint8_t> a(100, 1), b(100, 2);
        first.tcp.payload = a;
        std::vector<std::uint8_t> written(500), cheap(500), full(500);
        written.resize(write_packet(first, written, {.checksum_pending = true}));

        auto next = first;
        next.tcp.sequence = first.tcp.sequence + 100;
        next.tcp.flags = flag::ack | flag::psh | flag::fin;
        next.tcp.payload = b;
        ASSERT_TRUE(same_but_sequence(first, next));
        cheap.resize(write_next_packet(written, next, cheap));
        full.resize(write_packet(next, full, {.checksum_pending = true}));
        EXPECT_EQ(cheap, full);
        EXPECT_EQ(write_next_packet(written, next, std::span(cheap).first(20)), 0U);

        auto other = next;
        other.tcp.acknowledgment++;
        EXPECT_FALSE(same_but_sequence(first, other));
        other = next;
        other.tcp.window++;
        EXPECT_FALSE(same_but_sequence(first, other));
        other = next;
        other.tcp.options.add_sack({1, 2});
        EXPECT_FALSE(same_but_sequence(first, other));
        other = next;
        other.mark = ecn::not_ect;
        EXPECT_FALSE(same_but_sequence(first, other));
        other = next;
        other.tcp.payload = other.tcp.payload.first(99);
        EXPECT_FALSE(same_but_sequence(first, other));
    }
}

}  // namespace
}  // namespace tandem::tcp::test
