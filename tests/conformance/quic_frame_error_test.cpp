// Frames that break a rule: the connection ends with the code of RFC 9000 20.1 that the rule names, the type of the frame, and a
// reason for people; in every state, against both roles.
#include <gtest/gtest.h>

#include "quic_faults.hpp"

namespace tandem::quic::test {
namespace {

constexpr auto initial = encryption_level::initial;
constexpr auto handshake = encryption_level::handshake;
constexpr auto one_rtt = encryption_level::one_rtt;

struct fault_case {
    fault what;
    perspective victim;
};

std::vector<fault_case> against_both() {
    std::vector<fault_case> all;
    for (const auto victim : {perspective::client, perspective::server}) {
        for (const auto& f : frame_faults()) {
            if (!f.only || *f.only == victim) all.push_back({f, victim});
        }
    }
    return all;
}

std::string name_of(const testing::TestParamInfo<fault_case>& info) {
    return info.param.what.name + (info.param.victim == perspective::client ? "_to_a_client" : "_to_a_server");
}

void expect_closed(const fault_peer& peer, std::uint64_t code, std::uint64_t frame_type) {
    const auto closed = peer.closed();
    ASSERT_TRUE(closed) << "no CONNECTION_CLOSE";
    EXPECT_EQ(closed->code, code) << transport_error_name(closed->code) << ": " << closed->reason;
    EXPECT_EQ(closed->frame_type, frame_type) << closed->reason;
    EXPECT_FALSE(closed->reason.empty());
    EXPECT_FALSE(closed->application);
}

class QuicFrameError : public testing::TestWithParam<fault_case> {
protected:
    fault_peer peer{peer_of(GetParam().victim)};
    bytes offence() {
        const auto& f = GetParam().what;
        auto all = f.before != nullptr ? f.before(peer) : bytes{};
        const auto last = f.frame(peer);
        all.insert(all.end(), last.begin(), last.end());
        return all;
    }
    std::uint64_t type() { return type_of(GetParam().what.frame(peer)); }
};

TEST_P(QuicFrameError, EndsAnEstablishedConnection) {
    ASSERT_TRUE(peer.reach_established());
    peer.send(one_rtt, offence());
    peer.receive_all();
    // A type that is not encoded in the shortest way is reported as the value it stands for.
    expect_closed(peer, static_cast<std::uint64_t>(GetParam().what.code), type());
    ASSERT_NE(peer.victim(), nullptr);
    EXPECT_EQ(peer.victim()->state(), connection_state::closing);
}

// RFC 9000 12.4, 12.5: what Initial and Handshake packets may not carry is a PROTOCOL_VIOLATION whatever it says; what they may
// is judged as in 1-RTT packets.
TEST_P(QuicFrameError, EndsAHandshake) {
    for (const auto level : {initial, handshake}) {
        fault_peer at(peer_of(GetParam().victim));
        ASSERT_TRUE(at.reach(level));
        const auto frame = GetParam().what.frame(at);
        const auto type = type_of(frame);
        const bool known = type <= frame_type::handshake_done || (type | 1) == frame_type::datagram_with_length;
        const bool judged = !known || frame_permitted(type, level) || GetParam().what.name == "type_not_in_its_shortest_encoding";
        at.send(level, frame);
        at.receive_all();
        expect_closed(at, static_cast<std::uint64_t>(judged ? GetParam().what.code : transport_error::protocol_violation), type);
    }
}

// RFC 9000 10.2.1: whoever has closed takes no notice of frames any more, but says again why it did.
TEST_P(QuicFrameError, ChangesNothingWhileClosing) {
    ASSERT_TRUE(peer.reach_established());
    peer.victim()->close(0x77, "enough", peer.now);
    peer.receive_all();
    const auto said = peer.closes().size();
    ASSERT_GT(said, 0u);
    for (int i = 0; i < 3; ++i) {
        peer.send(one_rtt, offence());
        peer.receive_all();
    }
    EXPECT_GT(peer.closes().size(), said);
    for (const auto& c : peer.closes()) {
        EXPECT_TRUE(c.application);
        EXPECT_EQ(c.code, 0x77u);
    }
    ASSERT_NE(peer.victim(), nullptr);
    EXPECT_EQ(peer.victim()->state(), connection_state::closing);
}

// RFC 9000 10.2.2: a draining endpoint says nothing at all.
TEST_P(QuicFrameError, IsNotAnsweredWhileDraining) {
    ASSERT_TRUE(peer.reach_established());
    peer.send(one_rtt, frames_of(connection_close_frame{.error_code = 1, .application = true}));
    peer.receive_all();
    const auto received = peer.datagrams_received;
    peer.send(one_rtt, offence());
    peer.wait(1s);
    EXPECT_EQ(peer.datagrams_received, received);
}

INSTANTIATE_TEST_SUITE_P(, QuicFrameError, testing::ValuesIn(against_both()), name_of);

// RFC 9000 12.4 Table 3: every type there is, in every packet type that may not carry it.
class QuicFramePlace : public testing::TestWithParam<perspective> {};

TEST_P(QuicFramePlace, ForbiddenFramesInInitialAndHandshakePackets) {
    for (const auto level : {initial, handshake}) {
        for (std::uint64_t type = 0; type <= frame_type::datagram_with_length; ++type) {
            if (type > frame_type::handshake_done && type < frame_type::datagram) continue;
            if (frame_permitted(type, level)) continue;
            fault_peer peer(peer_of(GetParam()));
            ASSERT_TRUE(peer.reach(level));
            bytes frame(24);  // whatever it says
            frame[0] = static_cast<std::uint8_t>(type);
            peer.send(level, frame);
            peer.receive_all();
            SCOPED_TRACE(type);
            expect_closed(peer, static_cast<std::uint64_t>(transport_error::protocol_violation), type);
        }
    }
}

TEST_P(QuicFramePlace, UnknownTypesOfEverySize) {
    for (const auto type : std::initializer_list<std::uint64_t>{0x2f, 0x32, 0x3f, 0x40, 0x3fff, 0x4000, 0x3fffffff, varint_max}) {
        for (const auto level : {initial, handshake, one_rtt}) {
            fault_peer peer(peer_of(GetParam()));
            ASSERT_TRUE(peer.reach(level));
            bytes frame(8);
            writer out(frame);
            out.varint(type);
            frame.resize(out.size());
            peer.send(level, frame);
            peer.receive_all();
            SCOPED_TRACE(type);
            expect_closed(peer, static_cast<std::uint64_t>(transport_error::frame_encoding_error), type);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(, QuicFramePlace, testing::Values(perspective::client, perspective::server),
                         [](const auto& one) { return one.param == perspective::client ? "ToAClient" : "ToAServer"; });

}  // namespace
}  // namespace tandem::quic::test
