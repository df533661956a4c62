// How connections end: by either side, by silence, by a reset.
#include <gtest/gtest.h>

#include <tandem/quic/stateless_answers.hpp>

#include "pipe.hpp"

namespace tandem::quic::test {
namespace {

TEST(ConnectionClose, ByTheClientsApplication) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.client_connection()->close(17, "done", p.now);
    EXPECT_EQ(p.client_connection()->state(), connection_state::closing);
    p.run_for(10ms + 1ns);
    EXPECT_EQ(p.server_connection()->state(), connection_state::draining);
    const auto ours = first_of<connection_closed>(p.client_events);
    const auto theirs = first_of<connection_closed>(p.server_events);
    ASSERT_TRUE(ours && theirs);
    EXPECT_EQ(ours->cause, close_cause::application);
    EXPECT_EQ(theirs->cause, close_cause::peer);
    EXPECT_TRUE(theirs->error.application);
    EXPECT_EQ(theirs->error.code, 17u);
    EXPECT_EQ(theirs->error.reason, "done");
    // RFC 9000 10.2: gone after three probe timeouts.
    p.run_for(2s);
    EXPECT_EQ(p.client_connection(), nullptr);
    EXPECT_EQ(p.server_connection(), nullptr);
    EXPECT_FALSE(p.client.next_timeout());
    EXPECT_FALSE(p.server.next_timeout());
}

TEST(ConnectionClose, ByTheServersApplication) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.server_connection()->close(18, "bye", p.now);
    p.run_for(5s);
    const auto theirs = first_of<connection_closed>(p.client_events);
    ASSERT_TRUE(theirs);
    EXPECT_EQ(theirs->cause, close_cause::peer);
    EXPECT_EQ(theirs->error.code, 18u);
    EXPECT_EQ(p.client.statistics().connections, 0u);
    EXPECT_EQ(p.server.statistics().connections, 0u);
}

TEST(ConnectionClose, LostCloseIsRepeatedWhenThePeerGoesOn) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    transfer down(p, false, 10'000'000);
    p.run_for(50ms, [&] {
        down.step();
        return false;
    });
    bool lose = true;
    p.on_wire = [&](flying& f) { return !(f.to_server && std::exchange(lose, false)); };
    p.client_connection()->close(1, "", p.now);
    p.run_for(5s);
    const auto theirs = first_of<connection_closed>(p.server_events);
    ASSERT_TRUE(theirs);
    EXPECT_EQ(theirs->cause, close_cause::peer);
}

TEST(ConnectionClose, CloseDuringTheHandshakeArrives) {
    for (const auto after : {0ms, 5ms, 15ms, 25ms}) {
        pipe p;
        p.connect();
        p.run_for(after);
        p.client_connection()->close(5, "changed my mind", p.now);
        p.run_for(20s);
        EXPECT_EQ(p.client.statistics().connections, 0u) << after.count();
        EXPECT_EQ(p.server.statistics().connections, 0u) << after.count();
        EXPECT_EQ(events_of<connection_closed>(p.client_events).size(), 1u);
    }
}

TEST(ConnectionClose, IdleTimeoutOfTheLesserSide) {
    auto o = pipe::defaults();
    o.client.max_idle_timeout = 8s;
    o.server.accepted.max_idle_timeout = 20s;
    pipe p(o);
    ASSERT_TRUE(p.handshake());
    const auto datagrams = p.sent;
    const auto begin = p.now;
    ASSERT_TRUE(p.run_for(1min, [&] { return !events_of<connection_closed>(p.client_events).empty(); }));
    EXPECT_NEAR(std::chrono::duration<double>(p.now - begin).count(), 8.0, 0.2);
    EXPECT_EQ(first_of<connection_closed>(p.client_events)->cause, close_cause::idle_timeout);
    ASSERT_TRUE(p.run_for(1s, [&] { return !events_of<connection_closed>(p.server_events).empty(); }));
    EXPECT_EQ(first_of<connection_closed>(p.server_events)->cause, close_cause::idle_timeout);
    EXPECT_LE(p.sent[true] - datagrams.at(true), 4u) << "silently, but for what acknowledgments were due";
}

TEST(ConnectionClose, KeepAlivePreventsTheIdleTimeout) {
    auto o = pipe::defaults();
    o.client.max_idle_timeout = 8s;
    o.client.keep_alive = 5s;
    pipe p(o);
    ASSERT_TRUE(p.handshake());
    p.run_for(2min);
    EXPECT_EQ(p.client_connection()->state(), connection_state::established);
    EXPECT_EQ(p.server_connection()->state(), connection_state::established);
}

TEST(ConnectionClose, StatelessResetOfAForgottenConnection) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.run_for(1s);
    // The server forgets everything but its keys: its datagrams' answers come from one that was made with the same seed.
    endpoint reborn(pipe::defaults().server, 2);
    std::vector<flying> to_server;
    p.on_wire = [&](flying& f) {
        if (f.to_server) to_server.push_back(f);
        return false;
    };
    transfer up(p, true, 3'000);
    up.step();
    p.run_for(1ms);
    ASSERT_FALSE(to_server.empty());
    received_datagram d{.payload = to_server[0].bytes, .path = to_server[0].path};
    reborn.receive(d, p.now);
    std::vector<std::uint8_t> buffer(1500);
    train out;
    out.buffer = buffer;
    ASSERT_TRUE(reborn.transmit(p.now, out));
    EXPECT_LT(out.size, to_server[0].bytes.size()) << "RFC 9000 10.3.3: smaller than what provoked it";
    EXPECT_EQ(reborn.statistics().stateless_resets_sent, 1u);
    p.deliver({.to_server = false,
               .bytes = {buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(out.size)},
               .path = {pipe::client_address, pipe::server_address}});
    p.run_for(1ms);
    const auto closed = first_of<connection_closed>(p.client_events);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->cause, close_cause::stateless_reset);
}

TEST(ConnectionClose, ResetsOfResetsComeToAnEnd) {
    endpoint a(pipe::defaults().server, 5);
    endpoint b(pipe::defaults().server, 6);
    std::vector<std::uint8_t> packet(1200, 0x41);
    std::vector<std::uint8_t> buffer(1500);
    int rounds = 0;
    for (auto* to = &a;; to = to == &a ? &b : &a, ++rounds) {
        received_datagram d{.payload = packet, .path = {pipe::server_address, pipe::client_address}};
        to->receive(d, time_point{1h});
        train out;
        out.buffer = buffer;
        if (!to->transmit(time_point{1h}, out)) break;
        packet.assign(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(out.size));
        ASSERT_LT(rounds, 100);
    }
}

TEST(ConnectionClose, ResetsAreLimitedInRate) {
    endpoint server(pipe::defaults().server, 5);
    std::vector<std::uint8_t> buffer(1500);
    std::uint64_t sent = 0;
    for (int i = 0; i < 10'000; ++i) {
        std::vector<std::uint8_t> packet(100, 0x41);
        packet[1] = static_cast<std::uint8_t>(i);
        received_datagram d{.payload = packet, .path = {pipe::server_address, pipe::client_address}};
        server.receive(d, time_point{1h} + i * 100us);
        train out;
        out.buffer = buffer;
        while (server.transmit(time_point{1h}, out)) ++sent;
    }
    EXPECT_LE(sent, 2 * stateless_answers::resets_per_second);
    EXPECT_GE(sent, stateless_answers::resets_per_second);
}

TEST(ConnectionClose, WhatArrivedCanStillBeRead) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    auto* server = p.server_connection();
    const auto id = *server->open(direction::unidirectional);
    server->write(id, std::vector<std::uint8_t>(100, 7), true, p.now);
    p.run_for(11ms);
    server->close(0, "", p.now);
    p.run_for(11ms);
    ASSERT_EQ(p.client_connection()->state(), connection_state::draining);
    std::vector<std::uint8_t> got(200);
    const auto read = p.client_connection()->read(id, got, p.now);
    EXPECT_EQ(read.n, 100u);
    EXPECT_TRUE(read.end);
}

TEST(ConnectionClose, EndpointClosesEverything) {
    pipe p;
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(p.handshake());
    p.server.close(3, "restart", p.now);
    p.run_for(20s);
    EXPECT_EQ(p.server.statistics().connections, 0u);
    EXPECT_EQ(events_of<connection_closed>(p.client_events).size(), 5u);
    p.connect();
    p.run_for(20s);
    EXPECT_EQ(p.server.statistics().accepted, 5u) << "nothing new is accepted";
}

}  // namespace
}  // namespace tandem::quic::test
