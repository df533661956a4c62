// What an endpoint does of itself that RFC 9000 obliges it to, or forbids: seen by a peer that watches every frame and datagram.
#include <gtest/gtest.h>

#include <set>

#include <tandem/quic/retry.hpp>

#include "quic_fault_peer.hpp"

namespace tandem::quic::test {
namespace {

constexpr auto initial = encryption_level::initial;
constexpr auto handshake = encryption_level::handshake;
constexpr auto one_rtt = encryption_level::one_rtt;
constexpr auto client = perspective::client;
constexpr auto server = perspective::server;

connection_id id_of(std::uint8_t n) { return connection_id(bytes(8, n)); }

new_connection_id_frame issued(std::uint8_t sequence, std::uint8_t retire_prior_to) {
    new_connection_id_frame f{sequence, retire_prior_to, id_of(static_cast<std::uint8_t>(0x40 + sequence)), {}};
    f.reset_token.fill(static_cast<std::uint8_t>(0x80 + sequence));
    return f;
}

// Frames in a datagram of 1200 bytes or so, which lets three times as much come back.
bytes padded(bytes frames) {
    bytes all(1100);
    all.insert(all.end(), frames.begin(), frames.end());
    return all;
}

class QuicRules : public testing::TestWithParam<perspective> {
protected:
    fault_peer peer{GetParam()};
    connection& victim() { return *peer.victim(); }
};

TEST_P(QuicRules, LowerLimitsAreIgnored) {
    ASSERT_TRUE(peer.reach_established());
    const auto id = victim().open(direction::bidirectional);
    ASSERT_TRUE(id);
    peer.send(one_rtt,
              frames_of(max_data_frame{0}, max_stream_data_frame{*id, 0}, max_streams_frame{direction::bidirectional, 0}));
    EXPECT_EQ(victim().write(*id, bytes(5000), true, peer.now), 5000u);
    EXPECT_TRUE(victim().can_open(direction::bidirectional));
    peer.receive_all();
    EXPECT_EQ(peer.stream_bytes_received, 5000u);
    EXPECT_FALSE(peer.closed());
}

TEST_P(QuicRules, ConnectionIdsAreIssuedOnceAndInOrder) {
    ASSERT_TRUE(peer.reach_established());
    for (std::uint64_t sequence = 1; sequence < 10; ++sequence) {
        peer.send(one_rtt, frames_of(retire_connection_id_frame{sequence}));
        peer.receive_all();
        peer.acknowledge(one_rtt);
    }
    const auto all = peer.received<new_connection_id_frame>();
    ASSERT_GE(all.size(), 10u);
    std::set<connection_id> ids;
    std::set<stateless_reset_token> tokens;
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(all[i].sequence, i + 1);
        EXPECT_TRUE(ids.insert(all[i].id).second);
        EXPECT_TRUE(tokens.insert(all[i].reset_token).second);
    }
    EXPECT_FALSE(peer.closed());
}

TEST_P(QuicRules, IdsBelowRetirePriorToAreRetiredAtOnce) {
    ASSERT_TRUE(peer.reach_established());
    peer.send(one_rtt, frames_of(issued(2, 2)));
    peer.receive_all();
    peer.send(one_rtt, frames_of(issued(1, 0)));
    peer.receive_all();
    const auto retired = peer.received<retire_connection_id_frame>();
    ASSERT_EQ(retired.size(), 2u);
    EXPECT_EQ(retired[0].sequence, 0u);
    EXPECT_EQ(retired[1].sequence, 1u);
    peer.send(one_rtt, frames_of(issued(3, 1)));
    peer.receive_all();
    EXPECT_EQ(peer.received<retire_connection_id_frame>().size(), 2u) << "a Retire Prior To that does not increase";
    EXPECT_FALSE(peer.closed());
}

TEST_P(QuicRules, PeersWithoutConnectionIds) {
    fault_peer nameless(GetParam());
    nameless.source = {};
    ASSERT_TRUE(nameless.reach_established());
    nameless.send(one_rtt, frames_of(issued(1, 0)));
    nameless.receive_all();
    ASSERT_TRUE(nameless.closed());
    EXPECT_EQ(nameless.closed()->code, static_cast<std::uint64_t>(transport_error::protocol_violation));
    EXPECT_EQ(nameless.closed()->frame_type, frame_type::new_connection_id);
}

TEST_P(QuicRules, ChallengeIsAnsweredOnceInAFullDatagram) {
    ASSERT_TRUE(peer.reach_established());
    peer.forget_frames();
    peer.send(one_rtt, frames_of(path_challenge_frame{{1, 2, 3}}));
    peer.receive_all();  // at once: no time has passed
    const auto answers = peer.heard_of(frame_type::path_response);
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_GE(answers[0].datagram_size, 1200u);
    peer.wait(5s);  // never acknowledged, and not repeated
    EXPECT_EQ(peer.heard_of(frame_type::path_response).size(), 1u);
}

TEST_P(QuicRules, CloseAfterConfirmationIsInOneRttOnly) {
    ASSERT_TRUE(peer.reach_established());
    victim().close(5, "bye", peer.now);
    peer.receive_all();
    ASSERT_EQ(peer.closes().size(), 1u);
    EXPECT_EQ(peer.closes()[0].level, one_rtt);
    EXPECT_EQ(peer.closes()[0].reason, "bye");
}

TEST_P(QuicRules, ResetTokensCountOnlyForTheIdInUse) {
    ASSERT_TRUE(peer.reach_established());
    peer.send(one_rtt, frames_of(issued(1, 0)));
    bytes reset(60, 0x41);
    std::copy_n(peer.destination.bytes().begin(), peer.destination.size(), reset.begin() + 1);
    std::fill(reset.end() - 16, reset.end(), std::uint8_t{0x81});
    peer.deliver(reset);
    EXPECT_EQ(victim().state(), connection_state::established) << "the ID was not used yet";
    peer.send(one_rtt, frames_of(issued(2, 1)));
    peer.receive_all();
    peer.deliver(reset);
    const auto* closed = std::get_if<connection_closed>(&peer.events.back());
    ASSERT_NE(closed, nullptr);
    EXPECT_EQ(closed->cause, close_cause::stateless_reset);
    const auto before = peer.datagrams_received;
    peer.wait(1s);
    EXPECT_EQ(peer.datagrams_received, before);
}

TEST_P(QuicRules, PacketsBehindOneThatDoesNotOpenAreRead) {
    ASSERT_TRUE(peer.reach_initial());
    auto both = peer.packet(initial, frames_of(ping_frame{}), {.expand = false});
    both.back() ^= 1;
    const auto good = peer.packet(initial, frames_of(ping_frame{}));
    both.insert(both.end(), good.begin(), good.end());
    const auto before = victim().statistics().packets_received;
    peer.deliver(both);
    EXPECT_EQ(victim().statistics().packets_received, before + 1);
    EXPECT_EQ(victim().statistics().dropped[drop_reason::undecryptable], 1u);
}

TEST_P(QuicRules, WhatDoesNotOpenIsNotAcknowledged) {
    ASSERT_TRUE(peer.reach_established());
    const auto number = peer.next_number(one_rtt);
    auto damaged = peer.packet(one_rtt, frames_of(ping_frame{}));
    damaged.back() ^= 1;
    peer.deliver(damaged);
    peer.send(one_rtt, frames_of(ping_frame{}));
    peer.send(one_rtt, frames_of(ping_frame{}));
    peer.receive_all();
    EXPECT_FALSE(peer.acknowledged(one_rtt).contains(number));
    EXPECT_TRUE(peer.acknowledged(one_rtt).contains(number + 1));
    EXPECT_TRUE(peer.acknowledged(one_rtt).contains(number + 2));
}

TEST_P(QuicRules, AcknowledgmentsAreNotAnswered) {
    ASSERT_TRUE(peer.reach_established());
    peer.acknowledge(one_rtt);
    peer.wait(1s);
    const auto quiet = peer.datagrams_received;
    for (int i = 0; i < 100; ++i) {
        const std::vector<range> all{{*peer.largest(one_rtt), *peer.largest(one_rtt) + 1}};
        peer.send(one_rtt, frames_of(ack_frame{.ranges = all}), {.number = peer.next_number(one_rtt) + 1});  // with gaps
        peer.wait(50ms);
    }
    EXPECT_EQ(peer.datagrams_received, quiet);
    peer.send(one_rtt, frames_of(ping_frame{}));
    peer.wait(1s);
    EXPECT_EQ(peer.datagrams_received, quiet + 1) << "one packet, one acknowledgment";
}

TEST_P(QuicRules, PacketNumbersIncrease) {
    ASSERT_TRUE(peer.reach_established());
    const auto id = victim().open(direction::unidirectional);
    victim().write(*id, bytes(100'000), true, peer.now);
    peer.counts_ecn = true;
    const auto before = *peer.largest(one_rtt);
    for (int i = 0; i < 40; ++i) {
        peer.wait(100ms);  // the peer looks at every number
        if (i % 3 == 0) peer.acknowledge(one_rtt);
    }
    EXPECT_GE(*peer.largest(one_rtt), before + 80);
    EXPECT_GE(peer.stream_bytes_received, 100'000u);
}

// The peer checks each frame against Table 3 and each acknowledgment against what it sent in that space.
TEST_P(QuicRules, EveryFrameIsWhereItMayBe) {
    ASSERT_TRUE(peer.reach_established());
    peer.send(one_rtt, frames_of(ping_frame{}));
    peer.wait(1s);
    for (const auto level : {initial, one_rtt}) EXPECT_FALSE(peer.acknowledged(level).empty());
    EXPECT_EQ(peer.acknowledged(handshake).empty(), GetParam() == client) << "a server's are acknowledged by HANDSHAKE_DONE";
    for (const auto& h : peer.all_heard()) EXPECT_TRUE(frame_permitted(h.type, h.level));
}

TEST_P(QuicRules, SpinBitIsIgnoredAndNeverSet) {
    ASSERT_TRUE(peer.reach_established());
    peer.forget_frames();
    peer.send(one_rtt, frames_of(path_challenge_frame{}), {.first_byte_bits = spin_bit});
    peer.receive_all();
    EXPECT_EQ(peer.heard_of(frame_type::path_response).size(), 1u);
}

TEST_P(QuicRules, LateAcknowledgmentsSayNothingAboutEcn) {
    peer.counts_ecn = true;
    ASSERT_TRUE(peer.reach_established());
    for (int i = 0; i < 20; ++i) {
        victim().ping();
        peer.receive_all();
        peer.acknowledge(one_rtt);
    }
    const std::vector<range> old{{*peer.largest(one_rtt) - 3, *peer.largest(one_rtt) - 2}};
    peer.send(one_rtt, frames_of(ack_frame{.ranges = old, .ecn = ecn_counts{}}));
    peer.forget_frames();
    victim().ping();
    peer.receive_all();
    ASSERT_FALSE(peer.heard_of(frame_type::ping).empty());
    EXPECT_EQ(peer.heard_of(frame_type::ping)[0].mark, ecn::ect0);
}

INSTANTIATE_TEST_SUITE_P(, QuicRules, testing::Values(client, server),
                         [](const auto& one) { return one.param == client ? "OfAServer" : "OfAClient"; });

// --- a server whose client moves ---

TEST(QuicRulesOfAServer, ChallengesAreExpandedAndDiffer) {
    fault_peer peer(client);
    ASSERT_TRUE(peer.reach_established());
    std::set<std::array<std::uint8_t, 8>> all;
    for (int i = 0; i < 20; ++i) {
        ++peer.path.remote.port;
        peer.forget_frames();
        peer.send(one_rtt, padded(frames_of(ping_frame{})));
        peer.wait(50ms);
        peer.acknowledge(one_rtt);
        for (const auto& c : peer.heard_of(frame_type::path_challenge)) EXPECT_GE(c.datagram_size, 1200u);
        for (const auto& c : peer.received<path_challenge_frame>()) {
            EXPECT_TRUE(all.insert(c.data).second);
            peer.send(one_rtt, frames_of(path_response_frame{c.data}));
        }
    }
    EXPECT_GE(all.size(), 20u);
}

// RFC 9000 8.2.1: the amplification limit keeps the first challenge small; whether the path carries 1200 bytes is then asked
// again.
TEST(QuicRulesOfAServer, APathProbedWithLessIsProbedAgain) {
    fault_peer peer(client);
    ASSERT_TRUE(peer.reach_established());
    ++peer.path.remote.port;
    peer.forget_frames();
    peer.send(one_rtt, frames_of(ping_frame{}));
    peer.receive_all();
    const auto here = [&](const fault_peer::heard& h) { return h.path.remote == peer.path.remote; };
    const auto small = peer.heard_of(frame_type::path_challenge);
    const auto first = std::find_if(small.begin(), small.end(), here);
    ASSERT_NE(first, small.end());
    ASSERT_LT(first->datagram_size, 200u);
    const auto data = peer.received<path_challenge_frame>();
    peer.forget_frames();
    for (const auto& c : data) peer.send(one_rtt, frames_of(path_response_frame{c.data}));
    EXPECT_TRUE(peer.victim()->path_validated());
    peer.receive_all();
    const auto full = peer.heard_of(frame_type::path_challenge);
    ASSERT_EQ(full.size(), 1u);
    EXPECT_TRUE(here(full[0]));
    EXPECT_GE(full[0].datagram_size, 1200u);
    for (const auto& c : peer.received<path_challenge_frame>()) peer.send(one_rtt, frames_of(path_response_frame{c.data}));
    const auto* moved = std::get_if<path_changed>(&peer.events.back());
    ASSERT_NE(moved, nullptr);
    EXPECT_TRUE(moved->validated);
}

TEST(QuicRulesOfAServer, TheOldPathIsChallengedToo) {
    fault_peer peer(client);
    ASSERT_TRUE(peer.reach_established());
    const auto old = peer.path.remote;
    ++peer.path.remote.port;
    peer.forget_frames();
    peer.send(one_rtt, padded(frames_of(ping_frame{})));
    peer.receive_all();
    const auto all = peer.heard_of(frame_type::path_challenge);
    EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](const auto& h) { return h.path.remote == old; }));
    EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](const auto& h) { return h.path.remote == peer.path.remote; }));
}

TEST(QuicRulesOfAServer, ClosingDoesNotAnswerElsewhere) {
    fault_peer peer(client);
    ASSERT_TRUE(peer.reach_established());
    peer.victim()->close(5, "", peer.now);
    peer.receive_all();
    const auto home = peer.path.remote;
    ++peer.path.remote.port;
    peer.forget_frames();
    for (int i = 0; i < 20; ++i) {
        peer.send(one_rtt, frames_of(ping_frame{}));
        peer.receive_all();
    }
    for (const auto& h : peer.all_heard()) EXPECT_EQ(h.path.remote, home);
}

// --- a client before its server has said anything ---

TEST(QuicRulesOfAClient, ClientKeepsItsDestinationUntilTheServerSpeaks) {
    fault_peer peer(server);
    ASSERT_TRUE(peer.reach_initial());
    peer.wait(5s);
    ASSERT_GE(peer.all_heard().size(), 3u);
    for (const auto& h : peer.all_heard()) {
        EXPECT_EQ(h.to, peer.original_destination);
        EXPECT_GE(h.to.size(), 8u);
        EXPECT_GE(h.datagram_size, 1200u);
    }
}

TEST(QuicRulesOfAClient, VersionNegotiationThatListsOursIsDropped) {
    fault_peer peer(server);
    ASSERT_TRUE(peer.reach_initial());
    for (const bool lists_ours : {true, false}) {
        bytes packet(100);
        writer out(packet);
        const std::array<std::uint32_t, 2> versions{0x0a0a0a0a, lists_ours ? 1u : 0x1a1a1a1au};
        ASSERT_TRUE(write_version_negotiation(out, peer.destination.bytes(), peer.original_destination.bytes(), versions, 0));
        packet.resize(out.size());
        peer.deliver(packet);
        if (lists_ours) {
            EXPECT_EQ(peer.victim()->state(), connection_state::handshaking);
        }
    }
    const auto* closed = std::get_if<connection_closed>(&peer.events.back());
    ASSERT_NE(closed, nullptr);
    EXPECT_EQ(closed->cause, close_cause::version);
}

class QuicRetry : public testing::Test {
protected:
    fault_peer peer{server};
    void SetUp() override { ASSERT_TRUE(peer.reach_initial()); }
    void retry(const connection_id& source, const bytes& token) {
        bytes packet(300);
        writer out(packet);
        ASSERT_TRUE(write_retry(out, version::v1, peer.original_destination, peer.destination, source, token, 0));
        packet.resize(out.size());
        peer.deliver(packet);
    }
    void expect_dropped() {
        EXPECT_EQ(peer.victim()->statistics().dropped[drop_reason::unexpected_packet], 1u);
        peer.forget_frames();
        peer.wait(3s);
        ASSERT_FALSE(peer.all_heard().empty());
        for (const auto& h : peer.all_heard()) {
            EXPECT_EQ(h.to, peer.original_destination);
            EXPECT_TRUE(h.token.empty());
        }
    }
};

TEST_F(QuicRetry, WithTheIdItAnswersIsDropped) {
    retry(peer.original_destination, bytes(20));
    expect_dropped();
}

TEST_F(QuicRetry, WithoutATokenIsDropped) {
    retry(id_of(9), {});
    expect_dropped();
}

TEST_F(QuicRetry, GoesOnWithTheSameHello) {
    const bytes token(20, 7);
    peer.forget_frames();
    retry(id_of(9), token);
    peer.initial = initial_keys(version::v1, id_of(9), server);
    peer.receive_all();  // which looks at the packet numbers
    ASSERT_FALSE(peer.all_heard().empty());
    for (const auto& h : peer.all_heard()) {
        EXPECT_EQ(h.to, id_of(9));
        EXPECT_EQ(h.token, token);
    }
    ASSERT_GE(peer.hellos().size(), 2u);
    const auto& first = peer.hellos().front();
    const auto& again = peer.hellos().back();
    const auto common = std::min(first.size(), again.size());
    EXPECT_GT(common, 200u);
    EXPECT_TRUE(std::equal(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(common), again.begin()));
}

}  // namespace
}  // namespace tandem::quic::test
