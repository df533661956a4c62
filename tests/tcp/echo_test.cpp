// Ping, and packets that are for somebody else.
#include <gtest/gtest.h>

#include <vector>

#include <tandem/tcp/checksum.hpp>
#include <tandem/tcp/endpoint.hpp>
#include <tandem/tcp/icmp.hpp>

namespace tandem::tcp {
namespace {

constexpr time_point now{std::chrono::seconds(1000)};
const ip_address us = ip_address::v4(10, 0, 0, 2), them = ip_address::v4(10, 0, 0, 1), other = ip_address::v4(10, 0, 0, 3);

// RFC 792: an echo request with `size` bytes of data.
std::vector<std::uint8_t> echo_request(const ip_address& from, const ip_address& to, std::size_t size) {
    const auto header = ip_header_size(from.is_v6);
    const auto icmp = from.is_v6 ? protocol::icmp_v6 : protocol::icmp;
    std::vector<std::uint8_t> out(header + 8 + size);
    ip_header ip;
    ip.source = from;
    ip.destination = to;
    ip.protocol = icmp;
    write_ip_header(ip, 8 + size, out.data());
    auto* m = out.data() + header;
    m[0] = from.is_v6 ? 128 : 8;
    m[4] = 0x12, m[5] = 0x34, m[6] = 0, m[7] = 7;
    for (std::size_t i = 0; i < size; ++i) m[8 + i] = static_cast<std::uint8_t>(i);
    checksum sum;
    if (from.is_v6) sum.add_pseudo_header(from, to, icmp, 8 + size);
    sum.add({m, 8 + size});
    sum.store(m + 2);
    return out;
}

class Echo : public testing::Test {
protected:
    void receive(std::vector<std::uint8_t> bytes) {
        received_datagram in;
        in.payload = bytes;
        host.receive(in, now);
    }
    std::vector<std::uint8_t> answer() {
        train out{.buffer = buffer};
        if (!host.transmit(now, out)) return {};
        return {buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(out.size)};
    }

    std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(65536);
    endpoint host{endpoint_config{.addresses = {us, *ip_address::parse("fd00::2")}}, random_source(1)};
};

TEST_F(Echo, IsAnsweredWithItsData) {
    receive(echo_request(them, us, 56));
    const auto got = answer();
    ASSERT_EQ(got.size(), 20U + 8 + 56);
    ip_header ip;
    ASSERT_EQ(parse_ip(got, ip), drop_reason::none);
    EXPECT_EQ(ip.source, us);
    EXPECT_EQ(ip.destination, them);
    EXPECT_EQ(ip.payload[0], 0);  // echo reply
    checksum sum;
    sum.add(ip.payload);
    EXPECT_TRUE(sum.verifies());
    const auto sent = echo_request(them, us, 56);
    EXPECT_TRUE(std::equal(ip.payload.begin() + 4, ip.payload.end(), sent.begin() + 24));  // identifier, number and data
    EXPECT_EQ(host.stats().echoes_answered, 1U);
    EXPECT_TRUE(answer().empty());
}

TEST_F(Echo, IpVersion6) {
    const auto a = *ip_address::parse("fd00::1"), b = *ip_address::parse("fd00::2");
    receive(echo_request(a, b, 3));
    const auto got = answer();
    ip_header ip;
    ASSERT_EQ(parse_ip(got, ip), drop_reason::none);
    EXPECT_EQ(ip.payload[0], 129);
    checksum sum;
    sum.add_pseudo_header(b, a, protocol::icmp_v6, ip.payload.size());
    sum.add(ip.payload);
    EXPECT_TRUE(sum.verifies());
}

TEST_F(Echo, NotForOthersNorDamagedNorCut) {
    receive(echo_request(them, other, 8));
    auto damaged = echo_request(them, us, 8);
    damaged.back() ^= 1;
    receive(damaged);
    auto cut = echo_request(them, us, 0);
    cut.resize(24);
    cut[3] = 24;  // total length; the header's checksum is wrong now too
    receive(cut);
    auto reply = echo_request(them, us, 8);
    reply[20] = 0;
    reply[22] = static_cast<std::uint8_t>(reply[22] + 8);
    receive(reply);
    EXPECT_TRUE(answer().empty());
}

TEST_F(Echo, QueueIsBounded) {
    for (std::size_t i = 0; i < 2 * endpoint::max_queued_echoes; ++i) receive(echo_request(them, us, 1000));
    std::size_t n = 0;
    while (!answer().empty()) ++n;
    EXPECT_EQ(n, endpoint::max_queued_echoes);
}

TEST_F(Echo, AnAnswerThatDoesNotFitIsDropped) {
    receive(echo_request(them, us, 3000));
    buffer.resize(1500);
    EXPECT_TRUE(answer().empty());
    receive(echo_request(them, us, 100));
    EXPECT_FALSE(answer().empty());
}

TEST_F(Echo, SegmentsForOtherHostsAreNotAnswered) {
    packet syn;
    syn.source = them;
    syn.destination = other;
    syn.tcp.source_port = 1;
    syn.tcp.destination_port = 2;
    syn.tcp.flags = flag::syn;
    std::vector<std::uint8_t> bytes(100);
    bytes.resize(write_packet(syn, bytes));
    receive(bytes);
    EXPECT_TRUE(answer().empty());  // no RST: it is not ours to refuse
    EXPECT_EQ(host.stats().not_for_us, 1U);
    syn.destination = us;
    bytes.assign(100, 0);
    bytes.resize(write_packet(syn, bytes));
    receive(bytes);
    EXPECT_FALSE(answer().empty());
}

TEST_F(Echo, WithoutAddressesNothingAnswersPing) {
    endpoint anybody({}, random_source(1));
    auto bytes = echo_request(them, us, 8);
    received_datagram in;
    in.payload = bytes;
    anybody.receive(in, now);
    train out{.buffer = buffer};
    EXPECT_FALSE(anybody.transmit(now, out));
}

}  // namespace
}  // namespace tandem::tcp
