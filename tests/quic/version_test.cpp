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

pipe::options moving(const identity& who = localhost()) {
    auto o = pipe::defaults(who);
    o.server.accepted.move_clients_to = version::v2;
    return o;
}

// RFC 9368 2.3, RFC 9369 4.1
TEST(Version, AServerMovesAClientThatOffersIt) {
    for (auto retry : {retry_policy::never, retry_policy::always}) {
        for (const auto* who : {&localhost(), &large_localhost()}) {
            auto o = moving(*who);
            o.server.retry = retry;
            pipe p(o);
            std::set<std::uint32_t> initial, later;
            p.on_wire = [&](flying& f) {
                for (std::span<const std::uint8_t> rest = f.bytes; !rest.empty();) {
                    const auto parsed = parse_packet(rest, 8, quic_bit::any);
                    if (!parsed || parsed.header.type == packet_type::one_rtt) break;
                    const auto v = static_cast<std::uint32_t>(parsed.header.version);
                    (parsed.header.type == packet_type::handshake ? later : initial).insert(v);
                    rest = rest.subspan(parsed.header.size);
                }
                return true;
            };
            ASSERT_TRUE(p.handshake());
            EXPECT_EQ(initial, (std::set<std::uint32_t>{1, 0x6b3343cf}));
            EXPECT_EQ(later, std::set<std::uint32_t>{0x6b3343cf});
            EXPECT_EQ(p.client_connection()->version(), version::v2);
            EXPECT_EQ(p.server_connection()->version(), version::v2);
            EXPECT_EQ(p.client_connection()->statistics().handshake_duration,
                      (retry == retry_policy::always ? 40ms : 20ms) +
                          (who == &localhost() || retry == retry_policy::always ? 0ms : 20ms));
            transfer up(p, true, 100'000), down(p, false, 100'000);
            EXPECT_TRUE(run_transfers(p, {&up, &down}, 20s));
        }
    }
}

TEST(Version, MovesSurviveLossOfAnyDatagram) {
    for (std::uint64_t lost = 0; lost < 12; ++lost) {
        pipe p(moving(large_localhost()));
        std::uint64_t n = 0;
        p.on_wire = [&](flying&) { return n++ != lost; };
        ASSERT_TRUE(p.handshake()) << lost;
        EXPECT_EQ(p.client_connection()->version(), version::v2);
        EXPECT_EQ(p.server_connection()->version(), version::v2);
    }
}

TEST(Version, NobodyIsMovedWhoDoesNotOfferIt) {
    auto o = moving();
    o.client.versions = {version::v1};
    pipe p(o);
    ASSERT_TRUE(p.handshake());
    EXPECT_EQ(p.client_connection()->version(), version::v1);
    auto two = moving();
    two.client.version = version::v2;
    pipe q(two);
    ASSERT_TRUE(q.handshake());
    EXPECT_EQ(q.client_connection()->version(), version::v2);
}

TEST(Version, AClientBeginsAgainInAVersionThatTheServerSpeaks) {
    for (auto retry : {retry_policy::never, retry_policy::always}) {
        auto o = pipe::defaults();
        o.server.retry = retry;
        o.server.accepted.versions = {version::v2};
        pipe p(o);
        ASSERT_TRUE(p.handshake());
        EXPECT_EQ(p.server.statistics().version_negotiations_sent, 1u);
        EXPECT_EQ(p.client_connection()->version(), version::v2);
        transfer up(p, true, 100'000);
        EXPECT_TRUE(run_transfers(p, {&up}, 20s));
    }
    auto o = pipe::defaults();
    o.client.versions = {version::v1};
    o.server.accepted.versions = {version::v2};
    pipe p(o);
    EXPECT_FALSE(p.handshake());
    const auto closed = first_of<connection_closed>(p.client_events);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->cause, close_cause::version);
}

// RFC 9368 4: a forged Version Negotiation packet that leaves out what both sides want more.
TEST(Version, ForgedNegotiationIsFoundOut) {
    pipe p;
    p.connect();
    std::vector<std::uint8_t> first;
    p.on_wire = [&](flying& f) {
        if (first.empty()) first = f.bytes;
        return f.index != 0;
    };
    p.run_for(1ms);
    const auto hello = parse_packet(first, 8).header;
    std::vector<std::uint8_t> d(200);
    writer w(d);
    write_version_negotiation(w, hello.source.bytes(), hello.destination.bytes(), std::array{0x6b3343cfU}, 5);
    d.resize(w.size());
    p.deliver({.bytes = d, .path = {pipe::client_address, pipe::server_address}});
    p.run_for(2s);
    const auto closed = first_of<connection_closed>(p.client_events);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->cause, close_cause::protocol_error);
    EXPECT_EQ(closed->error.code, static_cast<std::uint64_t>(transport_error::version_negotiation_error));
}

TEST(Version, WhatAClientWouldHaveChosen) {
    const std::array both{version::v1, version::v2}, two_first{version::v2, version::v1};
    using info = version_information;
    EXPECT_TRUE(would_select(both, version::v2, info{0x6b3343cf, {0x6b3343cf, 0x0a0a0a0a}}));
    EXPECT_FALSE(would_select(both, version::v2, info{0x6b3343cf, {1, 0x6b3343cf}}));
    EXPECT_TRUE(would_select(two_first, version::v2, info{0x6b3343cf, {1, 0x6b3343cf}}));
    EXPECT_FALSE(would_select(both, version::v2, info{0x6b3343cf, {}}));
    EXPECT_FALSE(would_select(both, version::v2, std::nullopt));
    EXPECT_TRUE(would_select(both, version::v1, std::nullopt));       // RFC 9368 8
    EXPECT_TRUE(would_select(two_first, version::v1, std::nullopt));  // likewise: the server speaks version 1 only
    EXPECT_EQ(listed_versions(std::vector<std::uint8_t>(4000, 1)).size(), max_available_versions);
}

}  // namespace
}  // namespace tandem::quic::test
