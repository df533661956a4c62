// What goes wrong in the cryptographic handshake (RFC 9001): the alert of TLS as CRYPTO_ERROR, KEY_UPDATE_ERROR,
// CRYPTO_BUFFER_EXCEEDED.
#include <gtest/gtest.h>

#include "quic_fault_peer.hpp"

namespace tandem::quic::test {
namespace {

constexpr auto initial = encryption_level::initial;
constexpr auto handshake = encryption_level::handshake;
constexpr auto one_rtt = encryption_level::one_rtt;
constexpr auto client = perspective::client;
constexpr auto server = perspective::server;

// TLS alerts (RFC 8446 6)
constexpr std::uint64_t unexpected_message = 0x10a;
constexpr std::uint64_t decode_error = 0x132;
constexpr std::uint64_t decrypt_error = 0x133;
constexpr std::uint64_t unknown_ca = 0x130;
constexpr std::uint64_t missing_extension = 0x16d;
constexpr std::uint64_t no_application_protocol = 0x178;

std::uint64_t code(transport_error e) { return static_cast<std::uint64_t>(e); }

void expect_failed_handshake(fault_peer::options o, std::uint64_t expected) {
    fault_peer peer(std::move(o));
    EXPECT_FALSE(peer.reach_established());
    ASSERT_TRUE(peer.closed());
    EXPECT_EQ(peer.closed()->code, expected) << transport_error_name(peer.closed()->code) << ": " << peer.closed()->reason;
    EXPECT_FALSE(peer.closed()->application);
    EXPECT_FALSE(peer.closed()->reason.empty());
}

TEST(QuicCryptoError, NoProtocolInCommon) {
    expect_failed_handshake({.side = client, .alpn = {"other"}}, no_application_protocol);
}

TEST(QuicCryptoError, CertificateOfAnAuthorityThatIsNotTrusted) {
    expect_failed_handshake({.side = server, .certificate = &large_localhost()}, unknown_ca);
}

class QuicCryptoFault : public testing::TestWithParam<perspective> {
protected:
    fault_peer peer{GetParam()};

    void expect_close(std::uint64_t expected) {
        ASSERT_TRUE(peer.closed());
        EXPECT_EQ(peer.closed()->code, expected) << transport_error_name(peer.closed()->code) << ": " << peer.closed()->reason;
        EXPECT_FALSE(peer.closed()->reason.empty());
    }
};

TEST_P(QuicCryptoFault, WrongFinished) {
    expect_failed_handshake({.side = GetParam(),
                             .crypto =
                                 [](encryption_level level, bytes& out) {
                                     if (level == handshake) out.back() ^= 1;
                                 }},
                            decrypt_error);
}

TEST_P(QuicCryptoFault, HelloOfAnotherType) {
    expect_failed_handshake({.side = GetParam(),
                             .crypto =
                                 [](encryption_level level, bytes& out) {
                                     if (level == initial) out[0] = 0x14;
                                 }},
                            unexpected_message);
}

TEST_P(QuicCryptoFault, HelloThatDoesNotParse) {
    expect_failed_handshake({.side = GetParam(),
                             .crypto =
                                 [](encryption_level level, bytes& out) {
                                     if (level == initial) out = {out[0], 0, 0, 2, 3, 3};
                                 }},
                            decode_error);
}

// RFC 9001 8.2
TEST_P(QuicCryptoFault, NoTransportParameters) {
    constexpr std::uint8_t quic_transport_parameters = 57;
    const auto change = [](encryption_level level, bytes& out) {
        if (level == handshake && GetParam() == server) {
            // EncryptedExtensions: a type, three bytes of length, two of the extensions' length, the extensions.
            for (std::size_t at = 6; at < 4 + out[3] + 256u * out[2];) {
                const auto size = 4 + out[at + 3] + 256u * out[at + 2];
                if (out[at] == 0 && out[at + 1] == quic_transport_parameters) {
                    out.erase(out.begin() + static_cast<std::ptrdiff_t>(at),
                              out.begin() + static_cast<std::ptrdiff_t>(at + size));
                    out[3] = static_cast<std::uint8_t>(out[3] - size);
                    out[5] = static_cast<std::uint8_t>(out[5] - size);
                    return;
                }
                at += size;
            }
            ADD_FAILURE() << "no transport parameters to take away";
        } else if (level == initial && GetParam() == client) {
            // In a ClientHello it is enough to give it a number that nobody knows. It is found by a parameter within it.
            const bytes inside{0x0f, 0x08};
            auto at = std::search(out.begin(), out.end(), inside.begin(), inside.end());
            while (at != out.begin() && !(at[0] == 0 && at[1] == quic_transport_parameters)) --at;
            at[1] = 0xfa;
        }
    };
    expect_failed_handshake({.side = GetParam(), .crypto = change}, missing_extension);
}

// RFC 9001 6
TEST_P(QuicCryptoFault, KeyUpdateMessage) {
    ASSERT_TRUE(peer.reach_established());
    const bytes key_update{0x18, 0, 0, 1, 0};
    peer.send(one_rtt, frames_of(crypto_frame{peer.crypto_offset(one_rtt), key_update}));
    peer.receive_all();
    ASSERT_TRUE(peer.closed());
    EXPECT_EQ(peer.closed()->code, unexpected_message);
}

// RFC 9000 7.5: at every level, whatever is missing before it.
TEST_P(QuicCryptoFault, CryptoBufferExceeded) {
    for (const auto level : {initial, handshake, one_rtt}) {
        fault_peer at(GetParam());
        ASSERT_TRUE(at.reach(level));
        for (std::uint64_t offset = 2000; offset < 200'000 && !at.closed(); offset += 1000) {
            at.send(level, frames_of(crypto_frame{offset, bytes(1000)}));
            at.receive_all();
        }
        ASSERT_TRUE(at.closed());
        EXPECT_EQ(at.closed()->code, code(transport_error::crypto_buffer_exceeded));
        EXPECT_EQ(at.closed()->frame_type, frame_type::crypto);
    }
}

// RFC 9000 7.5: 4096 bytes out of order must find room.
TEST_P(QuicCryptoFault, CryptoOutOfOrderFindsRoom) {
    for (const auto level : {initial, handshake, one_rtt}) {
        fault_peer at(GetParam());
        ASSERT_TRUE(at.reach(level));
        for (std::uint64_t offset = 5000; offset > 1000; offset -= 1000)
            at.send(level, frames_of(crypto_frame{offset, bytes(1000)}));
        at.receive_all();
        EXPECT_FALSE(at.closed());
    }
}

// RFC 9001 6.4: keys once left are not used for packets with higher numbers.
TEST_P(QuicCryptoFault, OlderKeysForANewerPacket) {
    ASSERT_TRUE(peer.reach_established());
    const auto ping = frames_of(ping_frame{});
    const auto number = peer.next_number(one_rtt);
    peer.send(one_rtt, ping, {.number = number + 10});
    peer.application.write = peer.application.write.next_generation();
    peer.key_phase = true;
    peer.send(one_rtt, ping, {.number = number});
    peer.receive_all();
    expect_close(code(transport_error::key_update_error));
}

// Arriving the other way round it looks like a further update that does not open: dropped, as no old keys are tried for new
// numbers.
TEST_P(QuicCryptoFault, OlderKeysForANewerPacketThatComesLateAreNotTried) {
    ASSERT_TRUE(peer.reach_established());
    const auto ping = frames_of(ping_frame{});
    const auto number = peer.next_number(one_rtt);
    const auto late = peer.packet(one_rtt, ping, {.number = number + 10});
    peer.application.write = peer.application.write.next_generation();
    peer.key_phase = true;
    peer.send(one_rtt, ping, {.number = number});
    peer.deliver(late);
    peer.receive_all();
    EXPECT_FALSE(peer.closed());
    EXPECT_EQ(peer.victim()->statistics().dropped[drop_reason::undecryptable], 1u);
}

// RFC 9001 6.2: and answers in the new phase.
TEST_P(QuicCryptoFault, KeyUpdateIsFollowed) {
    ASSERT_TRUE(peer.reach_established());
    for (std::uint8_t turn = 1; turn < 5; ++turn) {
        peer.application.write = peer.application.write.next_generation();
        peer.application.read = peer.application.read.next_generation();
        peer.key_phase = !peer.key_phase;
        peer.forget_frames();
        peer.send(one_rtt, frames_of(path_challenge_frame{{turn}}));
        peer.receive_all();
        EXPECT_EQ(peer.received<path_response_frame>().size(), 1u) << "update " << int{turn};
        peer.acknowledge(one_rtt);
        peer.wait(10s);
        peer.send(one_rtt, frames_of(ping_frame{}));
    }
    EXPECT_FALSE(peer.closed());
}

INSTANTIATE_TEST_SUITE_P(, QuicCryptoFault, testing::Values(client, server),
                         [](const auto& one) { return one.param == client ? "ByAClient" : "ByAServer"; });

// RFC 9001 4.1.3: bytes of a level that TLS has left.
TEST(QuicCryptoError, HelloWithBytesBehindIt) {
    for (const auto side : {client, server}) {
        fault_peer peer({.side = side, .crypto = [](encryption_level level, bytes& out) {
                             if (level == initial) out.insert(out.end(), 6, 0x01);
                         }});
        EXPECT_FALSE(peer.reach_established());
        ASSERT_TRUE(peer.closed());
        // TLS may find it before we do.
        EXPECT_TRUE(peer.closed()->code == code(transport_error::protocol_violation) || peer.closed()->code == unexpected_message)
            << transport_error_name(peer.closed()->code);
    }
}

}  // namespace
}  // namespace tandem::quic::test
