// Whole handshakes between two endpoints on a wire that loses, repeats, reorders and damages.
#include <gtest/gtest.h>

#include <tandem/bytes/random.hpp>

#include "pipe.hpp"
#include "seed.hpp"

namespace tandem::quic::test {
namespace {

// Enough protocols that the ClientHello does not fit into one datagram, as with post-quantum key shares.
std::vector<std::string> many_protocols() {
    std::vector<std::string> all;
    for (int i = 0; i < 12; ++i) all.push_back("protocol-" + std::to_string(i) + std::string(190, 'x'));
    all.push_back("test");
    return all;
}

TEST(ConnectionHandshake, CompletesInOneRoundTrip) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    const auto client = first_of<handshake_completed>(p.client_events);
    const auto server = first_of<handshake_completed>(p.server_events);
    ASSERT_TRUE(client && server);
    EXPECT_EQ(client->alpn, "test");
    EXPECT_EQ(server->alpn, "test");
    EXPECT_EQ(p.server_connection()->server_name(), "localhost");
    EXPECT_EQ(p.client_connection()->state(), connection_state::established);
    EXPECT_EQ(p.client_connection()->statistics().handshake_duration, 20ms);
    EXPECT_EQ(p.server_connection()->statistics().handshake_duration, 20ms);
    // RFC 9000 5: the server's first event is that it began.
    EXPECT_TRUE(std::holds_alternative<handshake_started>(p.server_events.front().event));
}

TEST(ConnectionHandshake, KeysAreDiscarded) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.run_for(1s);
    // RFC 9001 4.9: nobody sends an Initial or Handshake packet any more.
    p.on_wire = [&](flying& f) {
        EXPECT_FALSE(f.bytes[0] & header_form_bit);
        return true;
    };
    transfer up(p, true, 10'000);
    transfer down(p, false, 10'000);
    EXPECT_TRUE(run_transfers(p, {&up, &down}, 10s));
}

TEST(ConnectionHandshake, LateCopiesOfInitialsAreNoNewClients) {
    pipe p;
    std::vector<flying> copies;
    p.on_wire = [&](flying& f) {
        if (f.to_server) copies.push_back(f);
        return true;
    };
    ASSERT_TRUE(p.handshake());
    p.run_for(1s);
    for (auto& f : std::exchange(copies, {})) p.deliver(f);
    p.run_for(1s);
    EXPECT_EQ(p.server.statistics().accepted, 1u);
    EXPECT_EQ(p.server_connection()->state(), connection_state::established);
}

TEST(ConnectionHandshake, InitialsAreExpanded) {
    pipe p;
    p.on_wire = [&](flying& f) {
        const auto parsed = parse_packet(f.bytes, 8, quic_bit::any);
        if (parsed && parsed.header.type == packet_type::initial) {
            EXPECT_GE(f.bytes.size(), 1200u) << "RFC 9000 14.1";
        }
        return true;
    };
    ASSERT_TRUE(p.handshake());
}

TEST(ConnectionHandshake, SurvivesTheLossOfAnyOneDatagram) {
    for (const bool to_server : {true, false}) {
        for (std::uint64_t lost = 0; lost < 12; ++lost) {
            pipe p;
            p.on_wire = [&](flying& f) { return f.to_server != to_server || f.index != lost; };
            ASSERT_TRUE(p.handshake()) << "to_server " << to_server << " number " << lost;
            transfer up(p, true, 20'000);
            transfer down(p, false, 20'000);
            ASSERT_TRUE(run_transfers(p, {&up, &down}, 20s)) << "to_server " << to_server << " number " << lost;
        }
    }
}

TEST(ConnectionHandshake, SurvivesTheLossOfWholeFlights) {
    for (const bool to_server : {true, false}) {
        for (std::uint64_t lost = 1; lost <= 12; ++lost) {
            auto o = pipe::defaults();
            o.client.handshake_timeout = o.server.accepted.handshake_timeout = 10min;
            o.client.max_idle_timeout = o.server.accepted.max_idle_timeout = 10min;
            pipe p(o);
            p.on_wire = [&](flying& f) { return f.to_server != to_server || f.index >= lost; };
            ASSERT_TRUE(p.handshake(10min)) << "to_server " << to_server << " " << lost;
        }
    }
}

// What arrives alone must not be mistaken for what is missing: a lone probe is acknowledged, and the rest still comes. The
// server's flight is large, so that what the client cannot read yet fills the window.
TEST(ConnectionHandshake, SurvivesTheLossOfAllButOne) {
    for (const bool to_server : {true, false}) {
        for (std::uint64_t lost = 2; lost <= 14; ++lost) {
            for (std::uint64_t survivor = 0; survivor < lost; ++survivor) {
                auto o = pipe::defaults(large_localhost());
                o.client.handshake_timeout = o.server.accepted.handshake_timeout = 10min;
                o.client.max_idle_timeout = o.server.accepted.max_idle_timeout = 10min;
                pipe p(o);
                p.on_wire = [&](flying& f) { return f.to_server != to_server || f.index >= lost || f.index == survivor; };
                ASSERT_TRUE(p.handshake(10min)) << "to_server " << to_server << " " << lost << " but " << survivor;
            }
        }
    }
}

TEST(ConnectionHandshake, LargeCertificateWaitsForTheAmplificationLimit) {
    pipe p(pipe::defaults(large_localhost()));
    ASSERT_TRUE(p.handshake());
    EXPECT_EQ(p.client_connection()->statistics().handshake_duration, 40ms) << "a round trip more";
}

TEST(ConnectionHandshake, LargeCertificateSurvivesTheLossOfAnyOneDatagram) {
    for (const bool to_server : {true, false}) {
        for (std::uint64_t lost = 0; lost < 14; ++lost) {
            pipe p(pipe::defaults(large_localhost()));
            p.on_wire = [&](flying& f) { return f.to_server != to_server || f.index != lost; };
            ASSERT_TRUE(p.handshake()) << "to_server " << to_server << " number " << lost;
        }
    }
}

TEST(ConnectionHandshake, SurvivesHeavyLoss) {
    random_source random(tandem::test::seed());
    int complete = 0;
    for (std::uint64_t run = 0; run < 50; ++run) {
        auto o = pipe::defaults();
        o.seed = run * 2 + 1;
        o.client.handshake_timeout = o.server.accepted.handshake_timeout = 60s;
        o.who = run % 2 == 0 ? &localhost() : &large_localhost();
        o.server.server = o.who->server;
        pipe p(o);
        p.on_wire = [&](flying&) { return random.uniform() >= 0.3; };
        complete += p.handshake(60s) ? 1 : 0;
    }
    // With a third lost, eight tries in a row that all fail are rarer than that.
    EXPECT_GE(complete, 48);
}

TEST(ConnectionHandshake, SurvivesDuplicationReorderingAndDamage) {
    random_source random(tandem::test::seed());
    for (std::uint64_t run = 0; run < 30; ++run) {
        auto o = pipe::defaults();
        o.seed = run * 2 + 1;
        pipe p(o);
        std::vector<flying> copies;
        p.on_wire = [&](flying& f) {
            f.delay += std::chrono::microseconds(random.below(15'000));
            if (random.below(4) == 0) f.bytes[random.below(f.bytes.size())] ^= static_cast<std::uint8_t>(1 + random.below(255));
            if (random.below(3) == 0) copies.push_back(f);
            return true;
        };
        p.connect();
        const bool done = p.run_for(10s, [&] {
            for (auto& f : std::exchange(copies, {})) p.deliver(f);
            return p.client_connection() != nullptr && p.client_connection()->handshake_confirmed();
        });
        EXPECT_TRUE(done) << "run " << run;
    }
}

TEST(ConnectionHandshake, ClientHelloOfManyDatagrams) {
    for (const bool reversed : {false, true}) {
        auto o = pipe::defaults();
        o.client.alpn = many_protocols();
        pipe p(o);
        // RFC 9000 14.1 and Chromium's habit: the pieces come in any order.
        p.on_wire = [&](flying& f) {
            if (reversed && f.to_server && f.index < 3) f.delay += (3 - f.index) * 1ms;
            return true;
        };
        ASSERT_TRUE(p.handshake()) << reversed;
        EXPECT_EQ(first_of<handshake_completed>(p.client_events)->alpn, "test");
    }
}

TEST(ConnectionHandshake, ClientHelloOfManyDatagramsWithLoss) {
    for (std::uint64_t lost = 0; lost < 8; ++lost) {
        auto o = pipe::defaults();
        o.client.alpn = many_protocols();
        pipe p(o);
        p.on_wire = [&](flying& f) { return !f.to_server || f.index != lost; };
        ASSERT_TRUE(p.handshake()) << lost;
    }
}

TEST(ConnectionHandshake, LargerDatagramsAreProvenByTheHandshake) {
    auto o = pipe::defaults();
    o.client.max_datagram_size = o.server.accepted.max_datagram_size = 1452;
    pipe p(o);
    std::size_t first = 0;
    p.on_wire = [&](flying& f) {
        if (f.index == 0 && f.to_server) first = f.bytes.size();
        return true;
    };
    ASSERT_TRUE(p.handshake());
    EXPECT_EQ(first, 1452u);
}

TEST(ConnectionHandshake, FallsBackTo1200BytesWhereThePathIsNarrow) {
    auto o = pipe::defaults();
    o.client.max_datagram_size = o.server.accepted.max_datagram_size = 1452;
    pipe p(o);
    p.on_wire = [&](flying& f) { return f.bytes.size() <= 1280; };
    ASSERT_TRUE(p.handshake());
    transfer up(p, true, 100'000);
    EXPECT_TRUE(run_transfers(p, {&up}, 30s));
}

TEST(ConnectionHandshake, PeersLimitOnDatagramsHolds) {
    auto o = pipe::defaults();
    o.client.max_datagram_size = 1500;
    pipe p(o);
    ASSERT_TRUE(p.handshake());
    transfer up(p, true, 200'000);
    EXPECT_TRUE(run_transfers(p, {&up}, 30s));
}

TEST(ConnectionHandshake, WrongNameFails) {
    auto o = pipe::defaults();
    o.server_name = "example.org";
    pipe p(o);
    EXPECT_FALSE(p.handshake(5s));
    const auto closed = first_of<connection_closed>(p.client_events);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->cause, close_cause::protocol_error);
    EXPECT_EQ(closed->error.code, crypto_error_code(42)) << "bad_certificate";
    const auto told = first_of<connection_closed>(p.server_events);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->cause, close_cause::peer);
    EXPECT_EQ(told->error.code, crypto_error_code(42));
}

TEST(ConnectionHandshake, WithoutCommonProtocolFails) {
    auto o = pipe::defaults();
    o.client.alpn = {"other"};
    pipe p(o);
    EXPECT_FALSE(p.handshake(5s));
    const auto closed = first_of<connection_closed>(p.client_events);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->cause, close_cause::peer);
    EXPECT_EQ(closed->error.code, crypto_error_code(120)) << "RFC 9001 8.1: no_application_protocol";
}

TEST(ConnectionHandshake, SilenceTimesOut) {
    pipe p;
    p.on_wire = [](flying&) { return false; };
    const auto begin = p.now;
    p.connect();
    EXPECT_TRUE(p.run_for(1min, [&] { return !events_of<connection_closed>(p.client_events).empty(); }));
    const auto closed = first_of<connection_closed>(p.client_events);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->cause, close_cause::handshake_timeout);
    EXPECT_EQ(p.now - begin, 10s);
    // RFC 9002 6.2: probes at 1, 3 and 7 seconds, about: a flight and three times two datagrams.
    EXPECT_LE(p.sent[true], 7u);
    EXPECT_GE(p.sent[true], 4u);
    p.run_for(1s);
    EXPECT_EQ(p.client_connection(), nullptr);
}

TEST(ConnectionHandshake, ServerForgetsAClientThatNeverGoesOn) {
    pipe p;
    p.on_wire = [](flying& f) { return f.to_server && f.index == 0; };
    p.connect();
    p.run_for(1min);
    EXPECT_EQ(p.server.statistics().accepted, 1u);
    EXPECT_EQ(p.server.statistics().connections, 0u);
    EXPECT_EQ(p.server.statistics().half_open, 0u);
}

TEST(ConnectionHandshake, TicketResumes) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.run_for(1s);
    const auto ticket = first_of<ticket_received>(p.client_events);
    ASSERT_TRUE(ticket);
    auto c = p.connect_to_server();
    c.ticket = ticket->ticket;
    p.client_events.clear();
    p.connect(c);
    ASSERT_TRUE(p.run_for(5s, [&] { return !events_of<handshake_completed>(p.client_events).empty(); }));
    EXPECT_TRUE(first_of<handshake_completed>(p.client_events)->resumed);
}

}  // namespace
}  // namespace tandem::quic::test
