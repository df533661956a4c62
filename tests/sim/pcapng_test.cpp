#include <tandem/sim/pcapng.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace tandem;
using bytes = std::vector<std::uint8_t>;

const ip_endpoint alice{ip_address::v4(10, 0, 0, 1), 40000};
const ip_endpoint bob{ip_address::v4(10, 0, 0, 2), 443};

TEST(pcapng, header_blocks) {
    bytes out;
    sim::pcapng_writer writer(out, "cell");
    const bytes expected{
        0x0a, 0x0d, 0x0d, 0x0a, 28,   0,    0,    0,                  // section header, 28 bytes
        0x4d, 0x3c, 0x2b, 0x1a, 1,    0,    0,    0,                  // little endian, version 1.0
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,               // length unknown
        28,   0,    0,    0,    1,    0,    0,    0,    40, 0, 0, 0,  // interface description, 40 bytes
        101,  0,    0,    0,    0,    0,    0,    0,                  // raw IP, no snapshot limit
        2,    0,    4,    0,    'c',  'e',  'l',  'l',                // if_name
        9,    0,    1,    0,    9,    0,    0,    0,                  // if_tsresol: 10^-9
        0,    0,    0,    0,    40,   0,    0,    0,
    };
    EXPECT_EQ(out, expected);
}

TEST(pcapng, packet_block_with_nanoseconds_and_comment) {
    bytes out;
    sim::pcapng_writer writer(out, "x");
    out.clear();
    const bytes packet{0x45, 1, 2, 3, 4};
    writer.packet(sim::event_queue::start + 5s + 7ns, packet, "lost");
    const bytes expected{
        6,    0, 0, 0, 52,   0,    0,    0,    0, 0, 0, 0,  // enhanced packet, interface 0
        1,    0, 0, 0, 0x07, 0xf2, 0x05, 0x2a,              // 5'000'000'007 = 0x1'2a05f207
        5,    0, 0, 0, 5,    0,    0,    0,                 // captured and original length
        0x45, 1, 2, 3, 4,    0,    0,    0,                 // padded
        1,    0, 4, 0, 'l',  'o',  's',  't',  0, 0, 0, 0,  // opt_comment, end
        52,   0, 0, 0,
    };
    EXPECT_EQ(out, expected);
}

TEST(pcapng, secrets_block) {
    bytes out;
    sim::pcapng_writer writer(out, "x");
    out.clear();
    writer.secrets("A b c\n");
    const bytes expected{
        10, 0, 0, 0, 28,  0,   0,   0,   0x4b, 0x53, 0x4c, 0x54,  // decryption secrets, "TLSK"
        6,  0, 0, 0, 'A', ' ', 'b', ' ', 'c',  '\n', 0,    0,    28, 0, 0, 0,
    };
    EXPECT_EQ(out, expected);
}

TEST(pcapng, udp_over_ipv4) {
    bytes out;
    const bytes payload{'h', 'e', 'y'};
    sim::append_udp_packet(out, alice, bob, ecn::ect0, payload);
    const bytes expected{
        0x45, 0x02, 0, 31, 0,    0,    0x40, 0,    64, 17, 0x26, 0xca, 10,  0,   0,   1,
        10,   0,    0, 2,  0x9c, 0x40, 0x01, 0xbb, 0,  11, 0x6c, 0x74, 'h', 'e', 'y',
    };
    EXPECT_EQ(out, expected);
}

TEST(pcapng, udp_over_ipv6_has_a_checksum_that_adds_up) {
    bytes out;
    const ip_endpoint a{*ip_address::parse("2001:db8::1"), 1}, b{*ip_address::parse("2001:db8::2"), 2};
    const bytes payload{1, 2, 3, 4, 5};
    sim::append_udp_packet(out, a, b, ecn::ce, payload);
    ASSERT_EQ(out.size(), 53U);
    EXPECT_EQ(out[0], 0x60);
    EXPECT_EQ(out[1], 0x30);
    EXPECT_EQ(out[5], 13);
    EXPECT_EQ(out[6], 17);
    // RFC 8200 8.1: addresses, length, next header and the datagram sum up to ffff.
    std::uint32_t sum = 13 + 17;
    bytes padded(out.begin() + 8, out.end());
    padded.push_back(0);
    for (std::size_t i = 0; i < padded.size(); i += 2) sum += padded[i] << 8 | padded[i + 1];
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    EXPECT_EQ(sum, 0xffffU);
}

// Reads blocks back with rules of its own: type, length, body, the same length again.
struct block {
    std::uint32_t type;
    bytes body;
};
std::uint32_t word(const bytes& b, std::size_t at) {
    return b[at] | b[at + 1] << 8 | b[at + 2] << 16 | static_cast<std::uint32_t>(b[at + 3]) << 24;
}
std::vector<block> blocks_of(const bytes& file) {
    std::vector<block> out;
    for (std::size_t at = 0; at < file.size();) {
        const auto length = word(file, at + 4);
        EXPECT_EQ(length % 4, 0U);
        EXPECT_LE(at + length, file.size());
        EXPECT_EQ(word(file, at + length - 4), length);
        out.push_back({word(file, at), bytes(file.begin() + at + 8, file.begin() + at + length - 4)});
        at += length;
    }
    return out;
}

TEST(packet_recorder, file_has_secrets_before_packets_and_marks_losses) {
    sim::packet_recorder recorder;
    bytes payload(100, 7), segment(60, 0x45);
    sim::packet_view udp{
        .at = sim::event_queue::start + 1ms, .wire = sim::wire_format::udp, .path = {alice, bob}, .payload = payload};
    sim::packet_view tcp{
        .at = sim::event_queue::start + 2ms, .wire = sim::wire_format::ip, .path = {bob, alice}, .payload = segment};
    recorder.add(udp, {.result = sim::verdict::delivered});
    recorder.add(tcp, {.result = sim::verdict::queue_full});
    recorder.add_secrets("CLIENT_RANDOM 00 11");
    recorder.add_secrets("OTHER 22 33\n");
    EXPECT_EQ(recorder.packets(), 2U);

    const auto blocks = blocks_of(recorder.file("h3-quic"));
    ASSERT_EQ(blocks.size(), 5U);
    EXPECT_EQ(blocks[0].type, 0x0a0d0d0aU);
    EXPECT_EQ(blocks[1].type, 1U);
    EXPECT_EQ(blocks[2].type, 10U);
    const std::string secrets(blocks[2].body.begin() + 8, blocks[2].body.end());
    EXPECT_EQ(secrets.substr(0, word(blocks[2].body, 4)), "CLIENT_RANDOM 00 11\nOTHER 22 33\n");
    EXPECT_EQ(blocks[3].type, 6U);
    EXPECT_EQ(word(blocks[3].body, 8), 1'000'000U);
    EXPECT_EQ(word(blocks[3].body, 12), 128U);
    EXPECT_EQ(blocks[3].body.size(), 20U + 128U);
    EXPECT_EQ(word(blocks[4].body, 12), 60U);
    const std::string comment(blocks[4].body.begin() + 20 + 60 + 4, blocks[4].body.end());
    EXPECT_EQ(comment.substr(0, 19), "dropped: queue full");
}

}  // namespace
