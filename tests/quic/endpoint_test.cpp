// The endpoint: who gets which datagram, who is let in, and what strangers are told.
#include <gtest/gtest.h>

#include <set>

#include <tandem/quic/retry.hpp>
#include <tandem/quic/stateless_answers.hpp>
#include <tandem/quic/version_negotiation.hpp>

#include "hostile_client.hpp"
#include "pipe.hpp"

namespace tandem::quic::test {
namespace {

std::vector<std::uint8_t> next_datagram(endpoint& e, time_point now) {
    std::vector<std::uint8_t> buffer(65536);
    train out;
    out.buffer = buffer;
    if (!e.transmit(now, out)) return {};
    const auto first = out.datagram(0);
    return {first.begin(), first.end()};
}

void give(endpoint& e, std::vector<std::uint8_t> datagram, time_point now) {
    received_datagram d{.payload = datagram, .path = {pipe::server_address, pipe::client_address}};
    e.receive(d, now);
}

// A long header of some version, padded to a size.
std::vector<std::uint8_t> long_header(std::uint32_t version, std::size_t id_size, std::size_t size) {
    std::vector<std::uint8_t> d(size);
    writer w(d);
    w.u8(0xc0);
    w.u32(version);
    w.u8(static_cast<std::uint8_t>(id_size));
    for (std::size_t i = 0; i < id_size; ++i) w.u8(static_cast<std::uint8_t>(i));
    w.u8(4);
    for (std::uint8_t i = 0; i < 4; ++i) w.u8(0xb0 + i);
    return d;
}

TEST(Endpoint, AnswersForeignVersions) {
    endpoint server(pipe::defaults().server, 3);
    for (const std::size_t id_size : {0, 8, 20, 255}) {
        give(server, long_header(0x0a1a2a3a, id_size, 1200), {});
        const auto answer = next_datagram(server, {});
        const auto header = parse_invariant_header(answer, 8);
        ASSERT_TRUE(header) << id_size;
        EXPECT_EQ(header->version, 0u);
        EXPECT_EQ(header->destination.size(), 4u);
        EXPECT_EQ(header->source.size(), id_size);
        const auto versions = std::span(answer).subspan(header->size);
        EXPECT_EQ(versions.size(), 12u) << "ours and a reserved one";
        EXPECT_TRUE(lists_version(versions, version::v1));
        EXPECT_FALSE(lists_version(versions, static_cast<version>(0x0a1a2a3a)));
    }
    EXPECT_EQ(server.statistics().version_negotiations_sent, 4u);
    EXPECT_EQ(server.statistics().connections, 0u);
}

TEST(Endpoint, AnswersNoSmallOrSpecialDatagrams) {
    endpoint server(pipe::defaults().server, 3);
    give(server, long_header(0x0a1a2a3a, 8, 1199), {});
    give(server, long_header(0, 8, 1200), {});
    give(server, {}, {});
    give(server, {0xc0}, {});
    give(server, {0x40, 1, 2, 3}, {});
    give(server, long_header(1, 8, 1200), {});
    // With IDs that only other versions have: Version Negotiation is never answered, and ours is dropped (RFC 9000 6.1, 17.2).
    give(server, long_header(0, 30, 1200), {});
    give(server, long_header(1, 30, 1200), {});
    EXPECT_TRUE(next_datagram(server, {}).empty());
    EXPECT_EQ(server.statistics().dropped[drop_reason::too_small], 1u);
    EXPECT_EQ(server.statistics().dropped[drop_reason::unexpected_packet], 1u);
    EXPECT_GE(server.statistics().dropped[drop_reason::malformed], 3u);
}

TEST(Endpoint, ClientGivesUpWhereTheServerDoesNotSpeakItsVersion) {
    pipe p;
    p.connect();
    std::vector<std::uint8_t> first;
    p.on_wire = [&](flying& f) {
        if (first.empty()) first = f.bytes;
        return false;
    };
    p.run_for(1ms);
    const auto hello = parse_packet(first, 8).header;
    const auto negotiation = [&](std::vector<std::uint32_t> versions, bool right_ids) {
        std::vector<std::uint8_t> d(200);
        writer w(d);
        const connection_id wrong(std::vector<std::uint8_t>(8, 1));
        write_version_negotiation(w, hello.source.bytes(), right_ids ? hello.destination.bytes() : wrong.bytes(), versions, 5);
        d.resize(w.size());
        p.deliver({.bytes = d, .path = {pipe::client_address, pipe::server_address}});
        p.run_for(1ms);
    };
    negotiation({0x0a0a0a0a, 1}, true);  // lists the version we speak: a mistake or an attack (RFC 9000 6.2)
    negotiation({2}, false);
    EXPECT_TRUE(events_of<connection_closed>(p.client_events).empty());
    negotiation({0x0a0a0a0a, 2}, true);
    const auto closed = first_of<connection_closed>(p.client_events);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->cause, close_cause::version);
}

TEST(Endpoint, VersionNegotiationIsIgnoredAfterARealPacket) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    std::vector<std::uint8_t> d(200);
    writer w(d);
    write_version_negotiation(w, connection_id().bytes(), connection_id().bytes(), std::vector<std::uint32_t>{2}, 5);
    d.resize(w.size());
    p.deliver({.bytes = d, .path = {pipe::client_address, pipe::server_address}});
    EXPECT_EQ(p.client_connection()->state(), connection_state::established);
}

TEST(Endpoint, RetryProvesTheAddress) {
    auto o = pipe::defaults();
    o.server.retry = retry_policy::always;
    pipe p(o);
    ASSERT_TRUE(p.handshake());
    EXPECT_EQ(p.server.statistics().retries_sent, 1u);
    EXPECT_EQ(p.server.statistics().accepted, 1u);
    EXPECT_EQ(p.client_connection()->statistics().handshake_duration, 40ms);
    transfer up(p, true, 50'000);
    EXPECT_TRUE(run_transfers(p, {&up}, 10s));
}

TEST(Endpoint, RetrySurvivesLoss) {
    for (const bool to_server : {true, false}) {
        for (std::uint64_t lost = 0; lost < 8; ++lost) {
            auto o = pipe::defaults();
            o.server.retry = retry_policy::always;
            pipe p(o);
            p.on_wire = [&](flying& f) { return f.to_server != to_server || f.index != lost; };
            ASSERT_TRUE(p.handshake()) << to_server << lost;
        }
    }
}

TEST(Endpoint, RetryOnlyWhileBusy) {
    auto o = pipe::defaults();
    o.server.retry_threshold = 3;
    pipe p(o);
    p.on_wire = [](flying& f) { return f.to_server; };
    for (int i = 0; i < 5; ++i) p.connect();
    p.run_for(100ms);
    EXPECT_EQ(p.server.statistics().half_open, 3u);
    EXPECT_EQ(p.server.statistics().retries_sent, 2u);
}

TEST(Endpoint, ForgedRetryIsIgnored) {
    pipe p;
    std::vector<std::uint8_t> first;
    p.on_wire = [&](flying& f) {
        if (first.empty()) first = f.bytes;
        return true;
    };
    p.connect();
    p.run_for(1ms);
    const auto hello = parse_packet(first, 8).header;
    const connection_id source(std::vector<std::uint8_t>(8, 9));
    std::vector<std::uint8_t> d(200);
    writer w(d);
    // The tag of a Retry for another client's Initial.
    write_retry(w, version::v1, source, hello.source, source, std::vector<std::uint8_t>(20), 0);
    d.resize(w.size());
    p.deliver({.bytes = d, .path = {pipe::client_address, pipe::server_address}});
    EXPECT_EQ(p.client_connection()->statistics().dropped[drop_reason::integrity], 1u);
    EXPECT_TRUE(p.run_for(1s, [&] { return p.client_connection()->handshake_confirmed(); }));
}

TEST(Endpoint, SecondRetryIsIgnored) {
    auto o = pipe::defaults();
    o.server.retry = retry_policy::always;
    pipe p(o);
    std::vector<std::uint8_t> retry;
    p.on_wire = [&](flying& f) {
        if (!f.to_server && retry.empty()) retry = f.bytes;
        return true;
    };
    p.connect();
    p.run_for(21ms);
    ASSERT_FALSE(retry.empty());
    p.deliver({.bytes = retry, .path = {pipe::client_address, pipe::server_address}});
    EXPECT_EQ(p.client_connection()->statistics().dropped[drop_reason::unexpected_packet], 1u);
    EXPECT_TRUE(p.run_for(1s, [&] { return p.client_connection()->handshake_confirmed(); }));
}

// A client that has taken a Retry, and not answered it yet.
void take_retry(endpoint& server, hostile_client& client) {
    client.send_client_hello();
    const auto datagram = next_datagram(server, client.now);
    const auto retry = parse_packet(datagram, 8);
    ASSERT_TRUE(retry);
    ASSERT_EQ(retry.header.type, packet_type::retry);
    client.retried = true;
    client.token.assign(retry.header.token.begin(), retry.header.token.end());
    client.destination = retry.header.source;
    client.initial = initial_keys(version::v1, client.destination, perspective::client);
}

TEST(Endpoint, RetryTokenIsBoundToAddressAndTime) {
    auto o = pipe::defaults().server;
    o.retry = retry_policy::always;
    for (const bool elsewhere : {true, false}) {
        endpoint server(o, 3);
        hostile_client client(server);
        take_retry(server, client);
        if (elsewhere)
            client.path.remote.port = 7;
        else
            client.now += 1min;
        client.send_client_hello();
        client.receive_all();
        EXPECT_EQ(client.close_code(), static_cast<std::uint64_t>(transport_error::invalid_token)) << "RFC 9000 8.1.2";
        EXPECT_EQ(server.statistics().accepted, 0u);
    }
}

TEST(Endpoint, RefusesBeyondItsCaps) {
    auto o = pipe::defaults();
    o.server.retry = retry_policy::never;
    o.server.max_half_open = 3;
    pipe p(o);
    p.on_wire = [](flying& f) { return f.to_server || f.bytes.size() < 200; };
    for (int i = 0; i < 5; ++i) p.connect();
    p.run_for(100ms);
    EXPECT_EQ(p.server.statistics().connections, 3u);
    EXPECT_EQ(p.server.statistics().dropped[drop_reason::refused], 2u);
    const auto closed = events_of<connection_closed>(p.client_events);
    ASSERT_EQ(closed.size(), 2u);
    EXPECT_TRUE(closed[0].error.is(transport_error::connection_refused));
}

TEST(Endpoint, SmallInitialsAreIgnored) {
    endpoint server(pipe::defaults().server, 3);
    hostile_client client(server);
    client.send_raw(client.build(
        encryption_level::initial, [](frame_writer& out) { out.write(ping_frame{}); }, {}, false));
    EXPECT_EQ(server.statistics().connections, 0u);
    EXPECT_EQ(server.statistics().dropped[drop_reason::too_small], 1u);
}

TEST(Endpoint, DamagedInitialLeavesNothingBehind) {
    endpoint server(pipe::defaults().server, 3);
    hostile_client client(server);
    auto d = client.build(encryption_level::initial, [](frame_writer& out) { out.write(ping_frame{}); });
    d.back() ^= 1;
    client.send_raw(d);
    EXPECT_EQ(server.statistics().connections, 0u);
    EXPECT_EQ(server.statistics().half_open, 0u);
    EXPECT_FALSE(server.poll_event());
    EXPECT_FALSE(server.next_timeout());
}

TEST(Endpoint, ShortClientDestinationIsIgnored) {
    endpoint server(pipe::defaults().server, 3);
    hostile_client client(server);
    client.destination = connection_id(std::vector<std::uint8_t>(7, 1));
    client.initial = initial_keys(version::v1, client.destination, perspective::client);
    client.send(encryption_level::initial, [](frame_writer& out) { out.write(ping_frame{}); });
    EXPECT_EQ(server.statistics().connections, 0u) << "RFC 9000 7.2";
}

TEST(Endpoint, StatelessAnswersAreQueuedOnlyWithinACap) {
    endpoint server(pipe::defaults().server, 3);
    for (int i = 0; i < 1000; ++i) give(server, long_header(0x0a1a2a3a, 8, 1200), {});
    std::size_t sent = 0;
    while (!next_datagram(server, {}).empty()) ++sent;
    EXPECT_EQ(sent, stateless_answers::max_queued);
}

TEST(Endpoint, ManyConnectionsAtOnce) {
    auto o = pipe::defaults();
    o.server.retry = retry_policy::never;
    pipe p(o);
    constexpr std::size_t count = 300;
    std::set<connection_handle> handles;
    for (std::size_t i = 0; i < count; ++i) handles.insert(p.connect());
    EXPECT_EQ(handles.size(), count);
    ASSERT_TRUE(p.run_for(20s, [&] { return events_of<quic::handshake_confirmed>(p.client_events).size() == count; }));
    EXPECT_EQ(p.server.statistics().connections, count);
    EXPECT_EQ(p.server.statistics().half_open, 0u);
    // Half of them end; handles are not used again.
    std::size_t closed = 0;
    for (const auto handle : handles) {
        if (++closed > count / 2) break;
        p.client.find(handle)->close(0, "", p.now);
    }
    p.run_for(5s);
    EXPECT_EQ(p.server.statistics().connections, count - count / 2);
    EXPECT_EQ(p.client.statistics().connections, count - count / 2);
    EXPECT_FALSE(handles.contains(p.connect()));
}

TEST(Endpoint, ConnectSaysWhatIsWrong) {
    pipe p;
    auto c = p.connect_to_server();
    c.server_name.clear();
    tls::error why;
    EXPECT_FALSE(p.client.connect(c, p.now, why));
    EXPECT_EQ(why.code, tls::error_code::option);
    EXPECT_EQ(p.client.statistics().connections, 0u);
}

// A token that was damaged on the way must not end the handshake: the client sends it again, whole.
TEST(Endpoint, DamagedRetryTokenIsNotAnswered) {
    auto o = pipe::defaults();
    o.server.retry = retry_policy::always;
    pipe p(o);
    int damaged = 0;
    p.on_wire = [&](flying& f) {
        const auto parsed = parse_packet(f.bytes, 8, quic_bit::any);
        if (f.to_server && parsed && !parsed.header.token.empty() && damaged == 0) {
            const auto at = static_cast<std::size_t>(parsed.header.token.data() - f.bytes.data());
            f.bytes[at + 5] ^= 1;
            ++damaged;
        }
        return true;
    };
    EXPECT_TRUE(p.handshake());
    EXPECT_EQ(damaged, 1);
}

}  // namespace
}  // namespace tandem::quic::test
