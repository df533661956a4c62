// Packets that break a rule, or that must be dropped without one, in every state and against both roles.
#include <gtest/gtest.h>

#include "quic_fault_peer.hpp"

namespace tandem::quic::test {
namespace {

constexpr auto initial = encryption_level::initial;
constexpr auto handshake = encryption_level::handshake;
constexpr auto one_rtt = encryption_level::one_rtt;
constexpr auto client = perspective::client;
constexpr auto server = perspective::server;

std::uint64_t code(transport_error e) { return static_cast<std::uint64_t>(e); }

class QuicState : public testing::TestWithParam<perspective> {
protected:
    static std::uint64_t dropped(fault_peer& peer, drop_reason why) { return peer.victim()->statistics().dropped[why]; }
    static void expect_violation(fault_peer& peer) {
        ASSERT_TRUE(peer.closed());
        EXPECT_EQ(peer.closed()->code, code(transport_error::protocol_violation)) << peer.closed()->reason;
    }
};

// RFC 9000 17.2, 17.3.1: known only after both protections are removed.
TEST_P(QuicState, ReservedBitsAreAViolation) {
    for (const auto level : {initial, handshake, one_rtt}) {
        for (const std::uint8_t bit :
             level == one_rtt ? std::array<std::uint8_t, 2>{0x08, 0x10} : std::array<std::uint8_t, 2>{0x04, 0x08}) {
            fault_peer peer(GetParam());
            ASSERT_TRUE(peer.reach(level));
            peer.send(level, frames_of(ping_frame{}), {.first_byte_bits = bit});
            peer.receive_all();
            expect_violation(peer);
        }
    }
}

// RFC 9000 12.4
TEST_P(QuicState, PacketsWithoutFramesAreAViolation) {
    for (const auto level : {handshake, one_rtt}) {
        fault_peer peer(GetParam());
        ASSERT_TRUE(peer.reach(level));
        peer.send(level, {});
        peer.receive_all();
        expect_violation(peer);
    }
}

// RFC 9000 17.2, 17.3.1; RFC 9287 3: unless the victim said that it takes them.
TEST_P(QuicState, PacketsWithoutTheFixedBitAreDropped) {
    for (const bool offered : {false, true}) {
        for (const auto level : {initial, handshake, one_rtt}) {
            fault_peer::options o{.side = GetParam()};
            o.victim.grease = offered;
            fault_peer peer(o);
            ASSERT_TRUE(peer.reach(level));
            const auto before = dropped(peer, drop_reason::malformed);
            peer.send(level, frames_of(ping_frame{}), {.first_byte_bits = fixed_bit});
            peer.receive_all();
            EXPECT_EQ(dropped(peer, drop_reason::malformed), before + (offered ? 0 : 1));
            EXPECT_FALSE(peer.closed());
        }
    }
}

// RFC 9000 17.2.2: servers send no token.
TEST(QuicStateOfAClient, InitialWithATokenIsDropped) {
    fault_peer peer(server);
    ASSERT_TRUE(peer.reach_initial());
    peer.send(initial, frames_of(crypto_frame{1u << 30, bytes(1)}), {.token = bytes(4)});
    peer.receive_all();
    EXPECT_FALSE(peer.closed());
    EXPECT_EQ(peer.victim()->statistics().packets_received, 0u);
}

// RFC 9000 7.2: once the first packet told an ID, another one is not believed.
TEST_P(QuicState, OtherSourceConnectionIdIsDropped) {
    for (const auto level : {initial, handshake}) {
        fault_peer peer(GetParam());
        ASSERT_TRUE(peer.reach(level));
        if (level == initial) peer.send(level, frames_of(ping_frame{}));
        const auto before = dropped(peer, drop_reason::wrong_connection_id);
        peer.send(level, bytes{0x20}, {.source = connection_id(bytes(8, 0x55))});
        peer.receive_all();
        EXPECT_EQ(dropped(peer, drop_reason::wrong_connection_id), before + 1);
        EXPECT_FALSE(peer.closed());
    }
}

// RFC 9000 5.2: a version the connection does not use.
TEST_P(QuicState, OtherVersionIsDropped) {
    for (const auto level : {initial, handshake}) {
        fault_peer peer(GetParam());
        ASSERT_TRUE(peer.reach(level));
        if (level == initial) peer.send(level, frames_of(ping_frame{}));
        const auto before = peer.victim()->statistics().dropped.total();
        peer.send(level, bytes{0x20}, {.version = version::v2});
        peer.receive_all();
        // A client that takes another version in the server's answer (RFC 9368) finds that its keys do not open this one.
        EXPECT_EQ(peer.victim()->statistics().dropped.total(), before + 1);
        EXPECT_FALSE(peer.closed());
    }
}

// RFC 9000 12.3
TEST_P(QuicState, DuplicatesAreDropped) {
    for (const auto level : {initial, handshake, one_rtt}) {
        fault_peer peer(GetParam());
        ASSERT_TRUE(peer.reach(level));
        const auto packet = peer.packet(level, frames_of(ping_frame{}));
        peer.deliver(packet);
        if (level == handshake && peer.side() == client) continue;  // the first moved the connection on, see KeysAreDiscarded
        peer.deliver(packet);
        EXPECT_EQ(dropped(peer, drop_reason::duplicate), 1u);
        EXPECT_FALSE(peer.closed());
    }
}

// RFC 9000 17.2.5.2, 17.2.1: nobody starts anew because of a packet that has no place any more.
TEST_P(QuicState, RetryAndVersionNegotiationAreDropped) {
    for (const auto level : {initial, handshake, one_rtt}) {
        fault_peer peer(GetParam());
        ASSERT_TRUE(peer.reach(level));
        if (level == initial) peer.send(level, frames_of(ping_frame{}));
        const auto state = peer.victim()->state();
        bytes retry(100);
        writer out(retry);
        out.u8(0xf0);
        out.u32(1);
        out.u8(static_cast<std::uint8_t>(peer.destination.size()));
        out.bytes(peer.destination.bytes());
        out.u8(0);
        peer.deliver(retry);
        bytes negotiation(100);
        writer all(negotiation);
        const std::array<std::uint32_t, 1> versions{0x0a0a0a0a};
        ASSERT_TRUE(write_version_negotiation(all, peer.destination.bytes(), peer.source.bytes(), versions, 0));
        negotiation.resize(all.size());
        peer.deliver(negotiation);
        peer.receive_all();
        EXPECT_GE(dropped(peer, drop_reason::unexpected_packet), 2u);
        EXPECT_EQ(peer.victim()->state(), state);
        EXPECT_FALSE(peer.closed());
    }
}

// RFC 9000 10.2.2: at every level the peer's CONNECTION_CLOSE is believed, and answered by silence.
TEST_P(QuicState, CloseIsHeardAtEveryLevel) {
    for (const auto level : {initial, handshake, one_rtt}) {
        fault_peer peer(GetParam());
        ASSERT_TRUE(peer.reach(level));
        const bytes reason{'w', 'h', 'y'};
        peer.send(level, frames_of(connection_close_frame{.error_code = 0x1234, .frame_type = 6, .reason = reason}));
        const auto* closed = std::get_if<connection_closed>(&peer.events.back());
        ASSERT_NE(closed, nullptr);
        EXPECT_EQ(closed->cause, close_cause::peer);
        EXPECT_EQ(closed->error, (connection_error{0x1234, 6, "why", false}));
        const auto before = peer.datagrams_received;
        peer.wait(30s);
        EXPECT_EQ(peer.datagrams_received, before);
        EXPECT_EQ(peer.victim(), nullptr) << "the draining period is over";
    }
}

// RFC 9000 10.2.1: three probe timeouts, then nothing is left.
TEST_P(QuicState, ClosingEnds) {
    for (const auto level : {initial, handshake, one_rtt}) {
        fault_peer peer(GetParam());
        ASSERT_TRUE(peer.reach(level));
        peer.send(level, bytes{0x20});
        peer.receive_all();
        ASSERT_TRUE(peer.closed());
        peer.wait(10s);
        EXPECT_EQ(peer.victim(), nullptr);
    }
}

// RFC 9000 10.2.3: before the handshake is confirmed the peer may lack keys, so it is said at every level that there is.
TEST_P(QuicState, CloseIsSaidAtEveryLevel) {
    fault_peer peer(GetParam());
    ASSERT_TRUE(peer.reach_initial());
    peer.flush_crypto(tls::level::initial);
    peer.receive_all();
    const auto complete = peer.victim()->state() == connection_state::established;
    peer.victim()->close(0x99, "not to be told in the clear", peer.now);
    peer.receive_all();
    ASSERT_FALSE(peer.closes().empty());
    for (const auto& c : peer.closes()) {
        if (c.level == one_rtt) continue;
        EXPECT_FALSE(c.application);
        EXPECT_EQ(c.code, code(transport_error::application_error));
        EXPECT_TRUE(c.reason.empty());
    }
    EXPECT_FALSE(complete);
}

// RFC 9000 13.1: nothing that was never sent is acknowledged, in any space.
TEST_P(QuicState, AcknowledgesWhatWasNeverSent) {
    for (const auto level : {initial, handshake, one_rtt}) {
        fault_peer peer(GetParam());
        ASSERT_TRUE(peer.reach(level));
        const auto next = peer.largest(level) ? *peer.largest(level) + 1 : 0;
        const std::vector<range> unsent{{next + 5, next + 6}};
        peer.send(level, frames_of(ack_frame{.ranges = unsent}));
        peer.receive_all();
        expect_violation(peer);
        EXPECT_EQ(peer.closed()->frame_type, frame_type::ack);
    }
}

INSTANTIATE_TEST_SUITE_P(, QuicState, testing::Values(client, server),
                         [](const auto& one) { return one.param == client ? "AgainstAServer" : "AgainstAClient"; });

// RFC 9001 5.6: only clients send 0-RTT.
TEST(QuicStateOfAClient, ZeroRttIsDropped) {
    fault_peer peer(server);
    ASSERT_TRUE(peer.reach_established());
    bytes packet(100);
    writer out(packet);
    const auto header = write_long_header(out, packet_type::zero_rtt, version::v1, peer.destination, peer.source, {}, 0, 4);
    ASSERT_TRUE(header);
    set_packet_length(packet, *header);
    const auto before = peer.victim()->statistics();
    peer.deliver(packet);
    EXPECT_EQ(peer.victim()->statistics().packets_received, before.packets_received);
    EXPECT_EQ(peer.victim()->statistics().dropped.total(), before.dropped.total() + 1);
}

// RFC 9001 5.7: a server must not look at 1-RTT packets before the handshake is complete, although it has the keys.
TEST(QuicStateOfAServer, OneRttBeforeTheHandshakeIsComplete) {
    fault_peer peer(client);
    ASSERT_TRUE(peer.reach_handshake());
    ASSERT_TRUE(peer.application.write);
    peer.send(one_rtt, bytes{0x20});
    peer.receive_all();
    EXPECT_FALSE(peer.closed());
    EXPECT_EQ(peer.victim()->state(), connection_state::handshaking);
    // With the client's Finished it is read, and its fault found.
    EXPECT_FALSE(peer.reach_established());
    ASSERT_TRUE(peer.closed());
    EXPECT_EQ(peer.closed()->code, code(transport_error::frame_encoding_error));
}

}  // namespace
}  // namespace tandem::quic::test
