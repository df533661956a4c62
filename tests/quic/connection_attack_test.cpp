// A hostile client against a real server: every cap and every rule whose breach must end the connection, or be shrugged off.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "hostile_client.hpp"

namespace tandem::quic::test {
namespace {

constexpr auto initial = encryption_level::initial;
constexpr auto one_rtt = encryption_level::one_rtt;

std::uint64_t code(transport_error e) { return static_cast<std::uint64_t>(e); }

class ConnectionAttack : public testing::Test {
protected:
    ConnectionAttack() : server(config(), 7), client(server) {}

    static endpoint_config config() {
        auto o = pipe::defaults().server;
        o.accepted.skip_packet_numbers = false;
        return o;
    }
    connection* victim() {
        while (auto e = server.poll_event()) handle = e->connection;
        return server.find(handle);
    }
    // One 1-RTT packet with these frames is answered with this error.
    void expect_close(const hostile_client::writer_function& frames, transport_error error) {
        ASSERT_TRUE(client.handshake());
        client.send(one_rtt, frames);
        client.receive_all();
        ASSERT_TRUE(client.close_code()) << "no CONNECTION_CLOSE";
        EXPECT_EQ(*client.close_code(), code(error)) << transport_error_name(*client.close_code());
        EXPECT_FALSE(client.close_is_application());
    }
    static void put(frame_writer& out, std::initializer_list<std::uint8_t> bytes) {
        // Whatever the frame writer would not write: through a CRYPTO frame's room, overwritten.
        const auto at = out.written().size();
        out.write(padding_frame{bytes.size()});
        std::copy(bytes.begin(), bytes.end(), out.written().begin() + static_cast<std::ptrdiff_t>(at));
    }

    // `bits` of the first byte set, and that many bytes of PADDING.
    static void send_odd_packet(hostile_client& from, std::uint8_t bits, std::size_t padding) {
        std::vector<std::uint8_t> datagram(50);
        writer head(datagram);
        const auto number = from.next_number(one_rtt);
        const auto written = write_short_header(head, from.destination, number, 4, false, false);
        ASSERT_TRUE(written);
        datagram.resize(written->payload_offset() + padding + tls::aead_tag_size);
        datagram[0] |= bits;
        from.application.write.seal(datagram, written->number_offset, written->number_size, number);
        from.send_raw(datagram);
        from.receive_all();
    }

    endpoint server;
    hostile_client client;
    connection_handle handle = 0;
};

TEST_F(ConnectionAttack, HandMadeHandshakeWorks) {
    ASSERT_TRUE(client.handshake());
    EXPECT_EQ(victim()->state(), connection_state::established);
}

TEST_F(ConnectionAttack, StreamDataBeyondTheStreamsWindow) {
    expect_close(
        [](frame_writer& out) {
            out.write(stream_frame{stream_id{0}, 1024 * 1024, std::vector<std::uint8_t>(1), false});
        },
        transport_error::flow_control_error);
}

TEST_F(ConnectionAttack, StreamBeyondTheLimit) {
    expect_close(
        [](frame_writer& out) {
            out.write(stream_frame{stream_id{4 * 100}, 0, {}, false});
        },
        transport_error::stream_limit_error);
}

TEST_F(ConnectionAttack, FrameForAStreamOnlyWeCanOpen) {
    expect_close(
        [](frame_writer& out) {
            out.write(stream_frame{stream_id{1}, 0, {}, false});
        },
        transport_error::stream_state_error);
}

TEST_F(ConnectionAttack, FinalSizeThatChanges) {
    expect_close(
        [](frame_writer& out) {
            out.write(stream_frame{stream_id{0}, 0, std::vector<std::uint8_t>(5), true});
            out.write(reset_stream_frame{stream_id{0}, 0, 6});
        },
        transport_error::final_size_error);
}

TEST_F(ConnectionAttack, UnknownFrameType) {
    expect_close([](frame_writer& out) { put(out, {0x21}); }, transport_error::frame_encoding_error);
}

TEST_F(ConnectionAttack, TruncatedFrame) {
    expect_close([](frame_writer& out) { put(out, {0x10, 0xff}); }, transport_error::frame_encoding_error);
}

// Packets that no packet builder makes.
TEST_F(ConnectionAttack, PacketWithoutFrames) {
    ASSERT_TRUE(client.handshake());
    send_odd_packet(client, 0, 0);
    EXPECT_EQ(client.close_code(), code(transport_error::protocol_violation)) << "RFC 9000 12.4";
}

TEST_F(ConnectionAttack, ReservedBits) {
    ASSERT_TRUE(client.handshake());
    send_odd_packet(client, 0x08, 50);
    EXPECT_EQ(client.close_code(), code(transport_error::protocol_violation)) << "RFC 9000 17.3.1";
}

// RFC 9000 12.4: what a packet type may not carry.
TEST_F(ConnectionAttack, StreamFrameInAnInitial) {
    client.send_client_hello();
    client.receive_all();
    client.send(initial, [](frame_writer& out) { out.write(stream_frame{stream_id{0}, 0, {}, false}); });
    client.receive_all();
    EXPECT_EQ(client.close_code(), code(transport_error::protocol_violation));
}

TEST_F(ConnectionAttack, ServersFramesFromAClient) {
    expect_close([](frame_writer& out) { out.write(handshake_done_frame{}); }, transport_error::protocol_violation);
}

TEST_F(ConnectionAttack, NewTokenFromAClient) {
    expect_close([](frame_writer& out) { out.write(new_token_frame{std::vector<std::uint8_t>(16)}); },
                 transport_error::protocol_violation);
}

TEST_F(ConnectionAttack, PathResponseToNoChallenge) {
    expect_close([](frame_writer& out) { out.write(path_response_frame{}); }, transport_error::protocol_violation);
}

// RFC 9000 13.1, 21.4
TEST_F(ConnectionAttack, AcknowledgesWhatWasNeverSent) {
    const std::vector<range> ranges{{1000, 1001}};
    expect_close([&](frame_writer& out) { out.write(ack_frame{.ranges = ranges}); }, transport_error::protocol_violation);
}

TEST(ConnectionOptimisticAck, SkippedNumberIsNotAcknowledgedUnpunished) {
    endpoint server(pipe::defaults().server, 9);
    hostile_client client(server, [](transport_parameters& p) { p.initial_max_stream_data_uni = p.initial_max_data = 1 << 24; });
    ASSERT_TRUE(client.handshake());
    connection* victim = nullptr;
    while (auto e = server.poll_event()) victim = server.find(e->connection);
    const auto id = victim->open(direction::unidirectional);
    // Acknowledges everything up to the largest seen, as if nothing could be missing.
    for (int turn = 0; turn < 2000 && !client.close_code(); ++turn) {
        victim->write(*id, std::vector<std::uint8_t>(20'000), false, client.now);
        client.now += 10ms;
        server.on_timeout(client.now);
        client.receive_all();
        const std::vector<range> all{{0, client.largest(one_rtt) + 1}};
        client.send(one_rtt, [&](frame_writer& out) { out.write(ack_frame{.ranges = all}); });
        client.receive_all();
    }
    EXPECT_EQ(client.close_code(), code(transport_error::protocol_violation));
    EXPECT_LT(client.largest(one_rtt), 1000u) << "found out early";
}

TEST_F(ConnectionAttack, CryptoFarAhead) {
    client.send_client_hello();
    client.receive_all();
    client.send(initial, [](frame_writer& out) {
        out.write(crypto_frame{std::uint64_t{1} << 30, std::vector<std::uint8_t>(10)});
    });
    client.receive_all();
    EXPECT_EQ(client.close_code(), code(transport_error::crypto_buffer_exceeded));
}

TEST_F(ConnectionAttack, CryptoWithoutEndAfterTheHandshake) {
    ASSERT_TRUE(client.handshake());
    // Never the first byte, so TLS takes nothing.
    for (std::uint64_t at = 1; at < 100'000 && !client.close_code(); at += 1000) {
        client.send(one_rtt, [&](frame_writer& out) { out.write(crypto_frame{at, std::vector<std::uint8_t>(1000)}); });
        client.receive_all();
    }
    EXPECT_EQ(client.close_code(), code(transport_error::crypto_buffer_exceeded));
}

// CVE-2023-49295
TEST_F(ConnectionAttack, PathChallengeFlood) {
    ASSERT_TRUE(client.handshake());
    client.forget_frames();
    for (int i = 0; i < 100; ++i) {
        client.send(one_rtt, [&](frame_writer& out) {
            for (std::uint8_t n = 0; n < 100; ++n) out.write(path_challenge_frame{{n, static_cast<std::uint8_t>(i)}});
        });
    }
    client.receive_all();
    EXPECT_FALSE(client.close_code());
    EXPECT_LE(client.received<path_response_frame>().size(), path::max_path_responses);
}

TEST_F(ConnectionAttack, PathChallengeIsAnswered) {
    ASSERT_TRUE(client.handshake());
    client.forget_frames();
    client.send(one_rtt, [&](frame_writer& out) { out.write(path_challenge_frame{{1, 2, 3, 4, 5, 6, 7, 8}}); });
    client.receive_all();
    const auto answers = client.received<path_response_frame>();
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].data, (std::array<std::uint8_t, 8>{1, 2, 3, 4, 5, 6, 7, 8}));
}

connection_id numbered_id(std::uint64_t n) {
    std::array<std::uint8_t, 8> bytes{};
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(n >> (8 * i));
    bytes[7] = 0xcc;
    return connection_id(bytes);
}
new_connection_id_frame issued(std::uint64_t sequence, std::uint64_t retire_prior_to) {
    stateless_reset_token token{};
    token[0] = static_cast<std::uint8_t>(sequence);
    token[1] = static_cast<std::uint8_t>(sequence >> 8);
    return {sequence, retire_prior_to, numbered_id(sequence), token};
}

TEST_F(ConnectionAttack, MoreConnectionIdsThanAllowed) {
    expect_close(
        [](frame_writer& out) {
            for (std::uint64_t n = 1; n <= 4; ++n) out.write(issued(n, 0));
        },
        transport_error::connection_id_limit_error);
}

// CVE-2024-22189, CVE-2024-1410: retirements that are never acknowledged.
TEST_F(ConnectionAttack, RetirementsPileUp) {
    ASSERT_TRUE(client.handshake());
    std::uint64_t sequence = 1;
    for (; sequence < 1000 && !client.close_code(); ++sequence) {
        client.send(one_rtt, [&](frame_writer& out) { out.write(issued(sequence, sequence)); });
        client.receive_all();
    }
    EXPECT_EQ(client.close_code(), code(transport_error::connection_id_limit_error));
    EXPECT_LE(sequence, 2 * config().accepted.active_connection_id_limit + 3);
}

TEST_F(ConnectionAttack, RetirementsAreCarriedOut) {
    ASSERT_TRUE(client.handshake());
    client.forget_frames();
    client.send(one_rtt, [&](frame_writer& out) { out.write(issued(1, 1)); });
    client.receive_all();
    const auto retired = client.received<retire_connection_id_frame>();
    ASSERT_EQ(retired.size(), 1u);
    EXPECT_EQ(retired[0].sequence, 0u);
    EXPECT_FALSE(client.close_code());
}

// CVE-2025-7054
TEST_F(ConnectionAttack, RetiresTheIdThatThePacketUses) {
    expect_close([](frame_writer& out) { out.write(retire_connection_id_frame{0}); }, transport_error::protocol_violation);
}

TEST_F(ConnectionAttack, RetiresAnIdThatWasNeverIssued) {
    expect_close([](frame_writer& out) { out.write(retire_connection_id_frame{1000}); }, transport_error::protocol_violation);
}

TEST_F(ConnectionAttack, IdsAreIssuedUpToTheLimitAndReplaced) {
    ASSERT_TRUE(client.handshake());
    auto issued_to_us = client.received<new_connection_id_frame>();
    ASSERT_EQ(issued_to_us.size(), local_connection_ids::max_issued - 1);
    // From now on the second; the first is retired and replaced.
    client.destination = issued_to_us[0].id;
    client.forget_frames();
    client.send(one_rtt, [](frame_writer& out) { out.write(retire_connection_id_frame{0}); });
    client.receive_all();
    EXPECT_FALSE(client.close_code());
    EXPECT_EQ(client.received<new_connection_id_frame>().size(), 1u);
}

// CVE-2024-25678, CVE-2025-54939: only the first packet's destination counts.
TEST_F(ConnectionAttack, CoalescedPacketsForOthersAreDropped) {
    client.send_client_hello();
    client.receive_all();
    auto datagram = client.build(
        initial, [](frame_writer& out) { out.write(ping_frame{}); }, {}, false);
    const auto first = datagram.size();
    hostile_client other(server);
    const auto second = other.build(initial, [](frame_writer& out) { out.write(ping_frame{}); });
    datagram.insert(datagram.end(), second.begin(), second.end());
    const auto before = server.statistics().connections;
    client.send_raw(datagram);
    EXPECT_GT(datagram.size(), first);
    EXPECT_EQ(server.statistics().connections, before);
    EXPECT_EQ(victim()->statistics().dropped[drop_reason::wrong_connection_id], 1u);
}

TEST_F(ConnectionAttack, OtherSourceIdInTheHandshakeIsDropped) {
    client.send_client_hello();
    client.receive_all();
    const auto real = client.source;
    client.source = numbered_id(77);
    client.send(initial, [](frame_writer& out) { out.write(ping_frame{}); });
    client.source = real;
    EXPECT_EQ(victim()->statistics().dropped[drop_reason::wrong_connection_id], 1u);
}

TEST_F(ConnectionAttack, DuplicatesAreDropped) {
    ASSERT_TRUE(client.handshake());
    const auto packet = client.build(one_rtt, [](frame_writer& out) { out.write(ping_frame{}); });
    client.send_raw(packet);
    client.send_raw(packet);
    EXPECT_EQ(victim()->statistics().dropped[drop_reason::duplicate], 1u);
}

TEST_F(ConnectionAttack, OtherAddressIsIgnoredDuringTheHandshake) {
    client.send_client_hello();
    client.receive_all();
    client.path.remote.port = 1;
    client.send(initial, [](frame_writer& out) { out.write(ping_frame{}); });
    EXPECT_EQ(victim()->statistics().dropped[drop_reason::unknown_path], 1u);
}

// RFC 9000 9.1: probing alone moves nothing; the answer goes where the question came from, and no more than three times as much.
TEST_F(ConnectionAttack, ProbesFromElsewhereAreAnsweredThere) {
    ASSERT_TRUE(client.handshake());
    client.receive_all();
    const auto here = victim()->path().remote;
    client.path.remote.port = 1;
    for (int i = 0; i < 20'000; ++i) {
        client.send(one_rtt, [](frame_writer& out) { out.write(path_challenge_frame{}); });
    }
    EXPECT_EQ(victim()->path().remote, here);
    std::vector<std::uint8_t> buffer(65536);
    train out;
    out.buffer = buffer;
    std::size_t elsewhere = 0, datagrams = 0;
    while (server.transmit(client.now, out)) {
        if (out.path.remote.port != 1) continue;
        elsewhere += out.size;
        ++datagrams;
        out.buffer = buffer;
    }
    EXPECT_GE(datagrams, 1u);
    EXPECT_LE(datagrams, 8u);
    EXPECT_LE(elsewhere, 8 * 3 * 60u);
}

// RFC 9000 8: three times the datagram, however many challenges it holds.
TEST_F(ConnectionAttack, ChallengesOfOneDatagramFromElsewhereShareItsCredit) {
    ASSERT_TRUE(client.handshake());
    client.receive_all();
    client.path.remote.port = 1;
    const auto challenges = client.build(one_rtt, [](frame_writer& out) {
        for (std::uint8_t i = 0; i < 4; ++i) out.write(path_challenge_frame{{i}});
    });
    client.send_raw(challenges);
    std::vector<std::uint8_t> buffer(65536);
    std::size_t elsewhere = 0;
    for (train out{.buffer = buffer}; server.transmit(client.now, out);) elsewhere += out.path.remote.port == 1 ? out.size : 0;
    EXPECT_GT(elsewhere, 0u);
    EXPECT_LE(elsewhere, 3 * challenges.size());
}

TEST_F(ConnectionAttack, EachChallengeOfADatagramFromElsewhereIsAnswered) {
    ASSERT_TRUE(client.handshake());
    client.receive_all();
    client.path.remote.port = 1;
    client.send(one_rtt, [](frame_writer& out) {
        for (std::uint8_t i = 0; i < 4; ++i) out.write(path_challenge_frame{{i}});
    });
    client.receive_all();
    EXPECT_EQ(client.received<path_response_frame>().size(), 4u);
}

// RFC 9000 9.5: who looks at two paths must not see one connection ID on both.
TEST_F(ConnectionAttack, AnswersElsewhereDoNotLinkPaths) {
    ASSERT_TRUE(client.handshake());
    for (std::uint8_t n = 1; n <= 3; ++n) {
        const std::array<std::uint8_t, 8> id{9, n};
        client.send(one_rtt, [&](frame_writer& out) {
            out.write(new_connection_id_frame{.sequence = n, .id = connection_id(id), .reset_token = {n}});
        });
    }
    client.receive_all();
    std::map<std::uint16_t, std::set<connection_id>> shown;
    std::vector<std::uint8_t> buffer(65536);
    for (const std::uint16_t port : {1, 2, 1, 3}) {
        client.path.remote.port = port;
        client.send(one_rtt, [](frame_writer& out) { out.write(path_challenge_frame{}); });
        for (train out{.buffer = buffer}; server.transmit(client.now, out);) {
            shown[out.path.remote.port].insert(connection_id(parse_invariant_header(out.datagram(0), 8)->destination));
        }
    }
    std::set<connection_id> all;
    std::size_t ids = 0;
    for (const auto port : {1, 2}) {
        ids += shown[port].size();
        all.insert(shown[port].begin(), shown[port].end());
    }
    EXPECT_GE(ids, 2u);
    EXPECT_EQ(all.size(), ids);
}

// One that replaced it was shown nowhere yet.
TEST_F(ConnectionAttack, AReplacedIdIsNotTakenForOneThatWasShown) {
    ASSERT_TRUE(client.handshake());
    const auto issue = [&](std::uint8_t n, std::uint64_t retire_prior_to) {
        const std::array<std::uint8_t, 8> id{9, n};
        client.send(one_rtt, [&](frame_writer& out) {
            out.write(new_connection_id_frame{n, retire_prior_to, connection_id(id), {n}});
        });
    };
    const auto probe = [&](std::uint16_t port) {
        client.path.remote.port = port;
        client.send(one_rtt, [](frame_writer& out) { out.write(path_challenge_frame{}); });
        client.path.remote = pipe::client_address;
        client.receive_all();
    };
    issue(1, 0);
    probe(1);
    issue(2, 2);
    issue(3, 2);
    probe(2);
    std::set<std::uint64_t> retired;
    for (const auto& f : client.received<retire_connection_id_frame>()) retired.insert(f.sequence);
    EXPECT_EQ(retired, (std::set<std::uint64_t>{0, 1}));
}

TEST_F(ConnectionAttack, OneRttBeforeTheHandshakeIsOverIsKeptOnlyWithinACap) {
    client.send_client_hello();
    client.receive_all();
    client.acknowledge(initial);
    ASSERT_TRUE(client.engine->complete());
    for (int i = 0; i < 100; ++i) client.send(one_rtt, [](frame_writer& out) { out.write(ping_frame{}); });
    EXPECT_EQ(victim()->statistics().dropped[drop_reason::no_keys], 100 - undecryptable_packets::max_packets);
}

TEST_F(ConnectionAttack, WrongTransportParametersEndTheHandshake) {
    hostile_client liar(server, [](transport_parameters& p) { p.initial_source_connection_id = numbered_id(5); });
    liar.send_client_hello();
    liar.receive_all();
    EXPECT_EQ(liar.close_code(), code(transport_error::transport_parameter_error)) << "RFC 9000 7.3";
}

TEST_F(ConnectionAttack, PeersKeyUpdateIsFollowed) {
    ASSERT_TRUE(client.handshake());
    for (int update = 0; update < 3; ++update) {
        client.application.write = client.application.write.next_generation();
        client.key_phase = !client.key_phase;
        client.now += 10s;
        client.forget_frames();
        client.send(one_rtt, [](frame_writer& out) { out.write(path_challenge_frame{{9}}); });
        client.application.read = client.application.read.next_generation();
        client.receive_all();
        EXPECT_FALSE(client.received<path_response_frame>().empty()) << "answered with updated keys";
    }
}

TEST_F(ConnectionAttack, OldKeysAfterNewOnes) {
    ASSERT_TRUE(client.handshake());
    auto old = client.application.write.next_generation();  // same generation, to be put back
    std::swap(old, client.application.write);
    client.key_phase = true;
    client.send(one_rtt, [](frame_writer& out) { out.write(ping_frame{}); });
    std::swap(old, client.application.write);
    client.key_phase = false;
    // RFC 9001 6.4: a higher number with the older keys. It looks like the next update, and is not.
    client.send(one_rtt, [](frame_writer& out) { out.write(ping_frame{}); });
    EXPECT_EQ(victim()->statistics().dropped[drop_reason::undecryptable], 1u);
    EXPECT_EQ(victim()->state(), connection_state::established);
}

TEST_F(ConnectionAttack, ApplicationCloseIsHiddenInTheHandshake) {
    client.send_client_hello();
    client.receive_all();
    victim()->close(77, "secret", client.now);
    client.receive_all();
    EXPECT_EQ(client.close_code(), code(transport_error::application_error)) << "RFC 9000 10.2.3";
    EXPECT_FALSE(client.close_is_application());
}

TEST_F(ConnectionAttack, ClosingAnswersGetRarer) {
    ASSERT_TRUE(client.handshake());
    victim()->close(1, "", client.now);
    client.receive_all();
    client.datagrams_received = 0;
    for (int i = 0; i < 1000; ++i) {
        client.send(one_rtt, [](frame_writer& out) { out.write(ping_frame{}); });
        client.receive_all();
    }
    EXPECT_GE(client.datagrams_received, 5u);
    EXPECT_LE(client.datagrams_received, 11u);
}

// RFC 9000 8.1: whatever comes, three times as much leaves.
// RFC 9002 6.2.2.1: who may not send what is to be probed with waits, and does not back off meanwhile.
TEST_F(ConnectionAttack, NoProbeTimeoutsWhileTheAmplificationLimitForbidsProbes) {
    client.send_client_hello();
    // Too small to be read, large enough to leave a remainder of credit.
    for (int i = 0; i < 5; ++i) {
        client.send_raw(client.build(
            initial, [](frame_writer& out) { out.write(ping_frame{}); }, {}, false));
    }
    client.receive_all();
    const auto id = victim()->handle();
    for (int i = 0; i < 1000; ++i) {
        const auto next = server.next_timeout();
        if (!next || *next > client.now + 8s || server.find(id) == nullptr) break;
        client.now = std::max(client.now, *next);
        client.receive_all();
    }
    ASSERT_NE(server.find(id), nullptr);
    EXPECT_LE(client.datagrams_received, 3u);
    EXPECT_LE(server.find(id)->summary(client.now).timeouts, client.datagrams_received);
}

TEST_F(ConnectionAttack, NoAmplificationBeforeTheAddressIsProven) {
    client.send_client_hello();
    std::uint64_t sent = 1200;
    for (int i = 0; i < 200; ++i) {
        client.now += 500ms;
        server.on_timeout(client.now);
        client.receive_all();
        ASSERT_LE(client.bytes_received, 3 * sent);
        if (i % 7 == 0) {
            client.send(initial, [](frame_writer& out) { out.write(ping_frame{}); });
            sent += 1200;
        }
    }
}

}  // namespace
}  // namespace tandem::quic::test
