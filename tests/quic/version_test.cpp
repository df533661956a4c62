// Version 2 (RFC 9369), and what both sides say of versions (RFC 9368).
#include <gtest/gtest.h>

#include <set>

#include <tandem/quic/version_negotiation.hpp>

#include "hostile_client.hpp"
#include "pipe.hpp"

namespace tandem::quic::test {
namespace {

TEST(Version, TwoIsSpokenWithAndWithoutRetry) {
    for (auto retry : {retry_policy::never, retry_policy::always}) {
        auto o = pipe::defaults();
        o.client.version = version::v2;
        o.server.retry = retry;
        pipe p(o);
        std::set<std::uint32_t> seen;
        p.on_wire = [&](flying& f) {
            if (const auto header = parse_invariant_header(f.bytes, 8); header && header->long_form) seen.insert(header->version);
            return true;
        };
        ASSERT_TRUE(p.handshake());
        EXPECT_EQ(seen, std::set<std::uint32_t>{0x6b3343cf});
        EXPECT_EQ(p.client_connection()->version(), version::v2);
        EXPECT_EQ(p.server_connection()->version(), version::v2);
        transfer up(p, true, 300'000), down(p, false, 300'000);
        EXPECT_TRUE(run_transfers(p, {&up, &down}, 20s));
    }
}

TEST(Version, TwoWithKeyUpdates) {
    auto o = pipe::defaults();
    o.client.version = version::v2;
    o.client.packets_per_key = 20;
    pipe p(o);
    ASSERT_TRUE(p.handshake());
    transfer up(p, true, 12'000'000);
    EXPECT_TRUE(run_transfers(p, {&up}, 20s));
    EXPECT_GT(p.client_connection()->statistics().key_updates, 0u);
}

TEST(Version, PacketsOfTheOtherVersionAreDropped) {
    pipe p;
    p.on_wire = [&](flying& f) {
        if (!f.to_server && f.index == 0) {  // the version of the server's first packet changes on its way
            f.bytes[1] = 0x6b, f.bytes[2] = 0x33, f.bytes[3] = 0x43, f.bytes[4] = 0xcf;
        }
        return true;
    };
    EXPECT_TRUE(p.handshake());
    EXPECT_GE(p.client_connection()->statistics().dropped[drop_reason::unexpected_version], 1u);
}

TEST(Version, AnswerToUnknownOnesListsBoth) {
    endpoint server(pipe::defaults().server, 3);
    std::vector<std::uint8_t> packet(1200);
    const std::vector<std::uint8_t> begin{0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 4, 9, 9, 9, 9};
    std::copy(begin.begin(), begin.end(), packet.begin());
    received_datagram d{.payload = packet, .path = {pipe::server_address, pipe::client_address}};
    server.receive(d, time_point(1h));
    std::vector<std::uint8_t> buffer(1500);
    train out;
    out.buffer = buffer;
    ASSERT_TRUE(server.transmit(time_point(1h), out));
    const auto answer = parse_packet(std::span(buffer).first(out.size), 8);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer.header.type, packet_type::version_negotiation);
    EXPECT_TRUE(lists_version(answer.header.versions, version::v1));
    EXPECT_TRUE(lists_version(answer.header.versions, version::v2));
}

// RFC 9368 4: whoever changed the version on the way is found out.
TEST(Version, DowngradeIsDetected) {
    endpoint server(pipe::defaults().server, 7);
    hostile_client client(server, [](transport_parameters& p) { p.versions = version_information{0x6b3343cf, {0x6b3343cf, 1}}; });
    EXPECT_FALSE(client.handshake());
    ASSERT_TRUE(client.close_code());
    EXPECT_EQ(*client.close_code(), static_cast<std::uint64_t>(transport_error::version_negotiation_error));
}

}  // namespace
}  // namespace tandem::quic::test
