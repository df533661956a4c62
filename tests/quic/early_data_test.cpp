// 0-RTT over whole connections: accepted, rejected, lost, overtaken, repeated; and resumption without it.
#include <gtest/gtest.h>

#include <tandem/quic/early_arrivals.hpp>
#include <tandem/quic/resumption.hpp>

#include "pipe.hpp"

namespace tandem::quic::test {
namespace {

pipe::options with_early_data() {
    auto o = pipe::defaults();
    o.server.accepted.early_data = o.client.early_data = true;
    return o;
}

bool has_packet(const flying& f, packet_type type) {
    std::span<const std::uint8_t> rest = f.bytes;
    for (auto parsed = parse_packet(rest, 8); parsed && !rest.empty(); parsed = parse_packet(rest, 8)) {
        if (parsed.header.type == type) return true;
        rest = rest.subspan(parsed.header.size);
    }
    return false;
}

// A first connection that brings a ticket, in a wire of its own or this one.
std::vector<std::uint8_t> ticket_from(pipe& p) {
    EXPECT_TRUE(p.handshake());
    p.run_for(100ms);
    const auto ticket = first_of<ticket_received>(p.client_events);
    EXPECT_TRUE(ticket);
    p.client_connection()->close(0, "", p.now);
    p.run_for(5s);
    p.client_events.clear();
    p.server_events.clear();
    p.client_handle = p.server_handle = 0;
    p.sent.clear();
    return ticket ? ticket->ticket : std::vector<std::uint8_t>();
}

// Writes a request in the client's first flight, answers it as soon as it is there, and knows when each was.
struct exchange {
    explicit exchange(pipe& wire) : p(wire) {}

    void begin(const std::vector<std::uint8_t>& ticket, std::size_t request_size = 500) {
        auto c = p.connect_to_server();
        c.ticket = ticket;
        p.connect(c);
        started = p.now;
        size = request_size;
        p.on_server_event = [this](endpoint_event&) { serve(); };
        p.on_client_event = [this](endpoint_event&) { receive(); };
        send();
    }
    void send() {
        if (id) return;
        id = p.client_connection()->open(direction::bidirectional);
        if (!id) return;
        std::vector<std::uint8_t> request(size);
        for (std::size_t i = 0; i < size; ++i) request[i] = pattern(id->value, i);
        written = p.client_connection()->write(*id, request, true, p.now);
    }
    void serve() {
        auto* c = p.server_connection();
        if (c == nullptr || !id) return;
        std::array<std::uint8_t, 2000> buffer;
        for (;;) {
            early = early || c->arrived_early(*id);
            const auto got = c->read(*id, buffer, p.now);
            for (std::size_t i = 0; i < got.n; ++i) EXPECT_EQ(buffer[i], pattern(id->value, received + i));
            received += got.n;
            if (got.end && !requested) {
                ++requests;
                requested = p.now;
                c->write(*id, std::array<std::uint8_t, 4>{'d', 'o', 'n', 'e'}, true, p.now);
            }
            if (got.n == 0) return;
        }
    }
    void receive() {
        auto* c = p.client_connection();
        if (c == nullptr) return;
        send();
        if (!id) return;
        std::array<std::uint8_t, 100> buffer;
        const auto got = c->read(*id, buffer, p.now);
        answer += got.n;
        if (got.end && !answered) answered = p.now;
    }
    bool run(duration limit = 10s) {
        return p.run_for(limit, [&] { return answered.has_value(); });
    }
    tls::early_data_state outcome() const {
        const auto done = first_of<handshake_completed>(p.client_events);
        return done ? done->early_data : tls::early_data_state::none;
    }

    pipe& p;
    time_point started;
    std::size_t size = 0;
    std::optional<stream_id> id;
    std::size_t written = 0;
    std::size_t received = 0;
    int requests = 0;
    bool early = false;
    std::size_t answer = 0;
    std::optional<time_point> requested;
    std::optional<time_point> answered;
};

TEST(EarlyData, TheAnswerTakesOneRoundTrip) {
    pipe p(with_early_data());
    const auto ticket = ticket_from(p);
    exchange e(p);
    e.begin(ticket);
    ASSERT_TRUE(first_of<early_data_started>(p.client_events) || p.client_connection()->can_open(direction::bidirectional));
    EXPECT_EQ(e.written, 500u);
    ASSERT_TRUE(e.run());
    EXPECT_EQ(*e.requested - e.started, 10ms);
    EXPECT_EQ(*e.answered - e.started, 20ms);
    EXPECT_TRUE(e.early);
    EXPECT_EQ(e.outcome(), tls::early_data_state::accepted);
    const auto started = first_of<early_data_started>(p.server_events);
    ASSERT_TRUE(started);
    EXPECT_EQ(started->alpn, "test");
    EXPECT_TRUE(first_of<handshake_completed>(p.client_events)->resumed);
    EXPECT_EQ(e.requests, 1);
    // What comes later is not early.
    transfer up(p, true, 1000);
    ASSERT_TRUE(run_transfers(p, {&up}, 1s));
    EXPECT_FALSE(p.server_connection()->arrived_early(up.id()));
}

TEST(EarlyData, GoesInZeroRttPacketsBehindTheInitial) {
    pipe p(with_early_data());
    const auto ticket = ticket_from(p);
    int early_datagrams = 0;
    p.on_wire = [&](flying& f) {
        if (has_packet(f, packet_type::zero_rtt)) {
            ++early_datagrams;
            EXPECT_TRUE(f.to_server);
        }
        return true;
    };
    exchange e(p);
    e.begin(ticket, 3000);
    ASSERT_TRUE(e.run());
    EXPECT_GE(early_datagrams, 3);
    EXPECT_EQ(*e.answered - e.started, 20ms);
}

TEST(EarlyData, ResumptionWithoutIt) {
    auto o = with_early_data();
    o.client.early_data = false;
    pipe p(o);
    const auto ticket = ticket_from(p);
    exchange e(p);
    e.begin(ticket);
    EXPECT_FALSE(e.id);
    ASSERT_TRUE(e.run());
    EXPECT_EQ(*e.answered - e.started, 40ms);
    EXPECT_FALSE(e.early);
    EXPECT_EQ(e.outcome(), tls::early_data_state::none);
    EXPECT_TRUE(first_of<handshake_completed>(p.client_events)->resumed);
    EXPECT_TRUE(first_of<handshake_completed>(p.server_events)->resumed);
}

TEST(EarlyData, AServerThatDoesNotTakeItGivesNoTicketForIt) {
    auto o = with_early_data();
    o.server.accepted.early_data = false;
    pipe p(o);
    const auto ticket = ticket_from(p);
    exchange e(p);
    e.begin(ticket);
    EXPECT_FALSE(e.id);
    ASSERT_TRUE(e.run());
    EXPECT_TRUE(first_of<handshake_completed>(p.client_events)->resumed);
}

// The same ticket a second time: the server has seen it. All is sent again, once, and arrives whole.
TEST(EarlyData, RejectedIsSentAgainOnce) {
    pipe p(with_early_data());
    const auto ticket = ticket_from(p);
    for (const std::size_t size : {std::size_t{500}, std::size_t{9000}}) {
        exchange e(p);
        e.begin(ticket, size);
        ASSERT_TRUE(e.run());
        const bool first = size == 500;
        EXPECT_EQ(e.outcome(), first ? tls::early_data_state::accepted : tls::early_data_state::rejected);
        EXPECT_EQ(e.early, first);
        EXPECT_EQ(e.requests, 1);
        EXPECT_EQ(e.received, size);
        EXPECT_LT(*e.answered - e.started, first ? 21ms : 50ms);  // the second time paced, behind the first attempt
        EXPECT_TRUE(first_of<handshake_completed>(p.client_events)->resumed);
        // Nothing is left to be sent again.
        const auto before = p.sent[true];
        p.run_for(1s);
        EXPECT_LE(p.sent[true] - before, 4u);
        EXPECT_EQ(p.client_connection()->statistics().bytes_in_flight, 0u);
        p.client_connection()->close(0, "", p.now);
        p.run_for(5s);
        p.client_events.clear();
        p.server_events.clear();
    }
}

// A copy of the client's whole first flight, to another instant of the same server.
TEST(EarlyData, AReplayIsNotTaken) {
    pipe p(with_early_data());
    const auto ticket = ticket_from(p);
    std::vector<flying> flight;
    p.on_wire = [&](flying& f) {
        if (f.to_server && flight.size() < 3) flight.push_back(f);
        return true;
    };
    exchange e(p);
    e.begin(ticket, 2000);
    ASSERT_TRUE(e.run());
    EXPECT_EQ(e.requests, 1);
    p.client_connection()->close(0, "", p.now);
    p.run_for(5s);
    p.server_events.clear();
    p.on_wire = [](flying& f) { return f.to_server; };  // the attacker hears nothing
    for (auto& f : flight) {
        f.path.remote.port += 1;
        p.deliver(f);
    }
    p.run_for(100ms);
    EXPECT_EQ(p.server.statistics().accepted, 3u);
    EXPECT_FALSE(first_of<early_data_started>(p.server_events));
    EXPECT_TRUE(events_of<stream_event>(p.server_events).empty());
    EXPECT_EQ(e.requests, 1);
}

TEST(EarlyData, SurvivesTheLossOfAnyOneDatagram) {
    for (const bool to_server : {true, false}) {
        for (std::uint64_t lost = 0; lost < 8; ++lost) {
            pipe p(with_early_data());
            const auto ticket = ticket_from(p);
            std::uint64_t index = 0;
            p.on_wire = [&](flying& f) { return f.to_server != to_server || index++ != lost; };
            exchange e(p);
            e.begin(ticket, 4000);
            ASSERT_TRUE(e.run()) << to_server << ' ' << lost;
            EXPECT_EQ(e.requests, 1);
            EXPECT_EQ(e.received, 4000u);
            EXPECT_LE(*e.answered - e.started, 3s) << to_server << ' ' << lost;
            EXPECT_EQ(e.outcome(), tls::early_data_state::accepted);
        }
    }
}

// The 0-RTT packets all vanish, the Initial arrives.
TEST(EarlyData, LostDataComesAfterTheHandshake) {
    pipe p(with_early_data());
    const auto ticket = ticket_from(p);
    p.on_wire = [&](flying& f) { return has_packet(f, packet_type::initial) || !has_packet(f, packet_type::zero_rtt); };
    exchange e(p);
    e.begin(ticket, 6000);
    ASSERT_TRUE(e.run());
    EXPECT_EQ(e.received, 6000u);
    EXPECT_EQ(e.requests, 1);
}

// Overtaken by everything that follows, up to after the handshake (RFC 9001 4.9.3).
TEST(EarlyData, ReorderedDataIsStillTaken) {
    for (const auto late : {1ms, 15ms, 25ms}) {
        pipe p(with_early_data());
        const auto ticket = ticket_from(p);
        p.on_wire = [&](flying& f) {
            if (!has_packet(f, packet_type::initial) && has_packet(f, packet_type::zero_rtt)) f.delay += late;
            return true;
        };
        exchange e(p);
        e.begin(ticket, 4000);
        ASSERT_TRUE(e.run());
        EXPECT_EQ(e.requests, 1);
        EXPECT_EQ(*e.requested - e.started, 10ms + late);
        EXPECT_TRUE(e.early);
    }
}

// The Initial comes last: what overtook it waits (RFC 9000 5.2.2).
TEST(EarlyData, MayOvertakeTheInitial) {
    pipe p(with_early_data());
    const auto ticket = ticket_from(p);
    p.on_wire = [&](flying& f) {
        if (f.to_server && has_packet(f, packet_type::initial)) f.delay += 5ms;
        return true;
    };
    exchange e(p);
    e.begin(ticket, 4000);
    ASSERT_TRUE(e.run());
    EXPECT_EQ(*e.requested - e.started, 15ms);
    EXPECT_TRUE(e.early);
    EXPECT_EQ(e.requests, 1);
}

TEST(EarlyData, WhatWaitsForAnInitialIsBounded) {
    early_arrivals waiting;
    std::vector<std::uint8_t> bytes(1500);
    received_datagram d{.payload = bytes, .path = {pipe::server_address, pipe::client_address}, .mark = ecn::not_ect};
    const connection_id id(std::array<std::uint8_t, 8>{1});
    const connection_id other(std::array<std::uint8_t, 8>{2});
    for (std::size_t i = 0; i < early_arrivals::max_datagrams; ++i)
        EXPECT_TRUE(waiting.push(i % 2 ? id : other, d, time_point(1h)));
    EXPECT_FALSE(waiting.push(id, d, time_point(1h)));
    EXPECT_TRUE(waiting.take(id, pipe::server_address).empty());  // from elsewhere
    EXPECT_EQ(waiting.take(id, d.path.remote).size(), early_arrivals::max_datagrams / 2);
    EXPECT_EQ(waiting.size(), early_arrivals::max_datagrams / 2);
    EXPECT_TRUE(waiting.push(id, d, time_point(1h + 201ms)));  // the others are too old now
    EXPECT_EQ(waiting.size(), 1u);
    bytes.resize(1501);
    d.payload = bytes;
    EXPECT_FALSE(waiting.push(id, d, time_point(1h)));
}

// RFC 9000 17.2.5.3: a server that sent Retry has thrown the 0-RTT packets away.
TEST(EarlyData, IsSentAgainAfterARetry) {
    auto o = with_early_data();
    o.server.retry = retry_policy::always;
    pipe p(o);
    const auto ticket = ticket_from(p);
    exchange e(p);
    e.begin(ticket, 3000);
    ASSERT_TRUE(e.run());
    EXPECT_TRUE(e.early);
    EXPECT_EQ(e.outcome(), tls::early_data_state::accepted);
    EXPECT_EQ(*e.answered - e.started, 40ms);
    EXPECT_EQ(e.requests, 1);
}

// Another server with the same ticket keys and other limits: the ticket resumes, its early data does not fit.
struct two_servers {
    two_servers() {
        tls::error why;
        constexpr std::int64_t day = 86400;
        const auto certificate = tls::self_signed(
            {.names = {"localhost"}, .key = tls::key_kind::ed25519, .not_before = noon - day, .not_after = noon + day}, why);
        const auto clock = [t = time] { return *t; };
        for (auto& each : who) {
            each.server =
                tls::server_context::create({.certificate = *certificate, .ticket_keys = {{1, 2, 3}}, .clock = clock}, why);
            each.client = tls::client_context::create({.ca_pem = certificate->chain_pem, .clock = clock}, why);
        }
        *time += 1000;  // servers that share keys take no early data just after their start
    }
    pipe::options options(int which) const {
        auto o = pipe::defaults(who[which]);
        o.server.accepted.early_data = o.client.early_data = true;
        return o;
    }
    std::shared_ptr<std::int64_t> time = std::make_shared<std::int64_t>(noon);
    std::array<identity, 2> who;
};

TEST(EarlyData, IsAcceptedByAServerThatIsTheSame) {
    const two_servers servers;
    pipe first(servers.options(0));
    const auto ticket = ticket_from(first);
    pipe p(servers.options(1));
    exchange e(p);
    e.begin(ticket);
    ASSERT_TRUE(e.run());
    EXPECT_EQ(e.outcome(), tls::early_data_state::accepted);
}

TEST(EarlyData, IsRejectedWhereTheServersLimitsChanged) {
    const two_servers servers;
    pipe first(servers.options(0));
    const auto ticket = ticket_from(first);
    auto o = servers.options(1);
    o.server.accepted.initial_stream_window = 2000;  // less than the client will have sent
    o.server.accepted.max_bidirectional_streams = 1;
    pipe p(o);
    exchange e(p);
    e.begin(ticket, 5000);
    ASSERT_TRUE(e.id);
    // A second stream, which the new limit does not permit: it waits until the first is over.
    const auto other = p.client_connection()->open(direction::bidirectional);
    ASSERT_TRUE(other);
    p.client_connection()->write(*other, std::array<std::uint8_t, 3>{1, 2, 3}, true, p.now);
    ASSERT_TRUE(e.run());
    EXPECT_EQ(e.outcome(), tls::early_data_state::rejected);
    EXPECT_EQ(e.received, 5000u);
    EXPECT_EQ(e.requests, 1);
    ASSERT_TRUE(p.run_for(5s, [&] { return p.server_connection()->readable(*other) == 3; }));
    EXPECT_EQ(p.client_connection()->state(), connection_state::established);
}

TEST(EarlyData, IsRejectedWhereTheApplicationsSettingsChanged) {
    const two_servers servers;
    pipe first(servers.options(0));
    const auto ticket = ticket_from(first);
    auto o = servers.options(1);
    o.server.accepted.early_data_application = "other";
    pipe p(o);
    exchange e(p);
    e.begin(ticket);
    ASSERT_TRUE(e.run());
    EXPECT_EQ(e.outcome(), tls::early_data_state::rejected);
    EXPECT_EQ(e.requests, 1);
}

// RFC 9000 7.4.1: the client sends no more than the remembered limits permit.
TEST(EarlyData, ObeysTheRememberedLimits) {
    auto o = with_early_data();
    o.server.accepted.initial_stream_window = 2500;
    o.server.accepted.max_bidirectional_streams = 1;
    pipe p(o);
    const auto ticket = ticket_from(p);
    exchange e(p);
    e.begin(ticket, 6000);
    EXPECT_FALSE(p.client_connection()->open(direction::bidirectional));
    std::size_t in_first_flight = 0;
    const auto begin = p.now;
    p.on_wire = [&](flying& f) {
        if (f.to_server && p.now == begin) in_first_flight += f.bytes.size();
        return true;
    };
    ASSERT_TRUE(e.run());
    EXPECT_LT(in_first_flight, 2500u + 1500u);
    EXPECT_EQ(e.received, 6000u);
    EXPECT_EQ(e.outcome(), tls::early_data_state::accepted);
}

TEST(EarlyData, ATicketOfAnotherVersionIsNotUsed) {
    pipe p(with_early_data());
    const auto ticket = ticket_from(p);
    auto c = p.connect_to_server();
    c.ticket = ticket;
    c.config.version = version::v2;
    p.connect(c);
    EXPECT_FALSE(p.client_connection()->can_open(direction::bidirectional));
    ASSERT_TRUE(p.run_for(1s, [&] { return p.client_connection()->handshake_confirmed(); }));
    EXPECT_FALSE(first_of<handshake_completed>(p.client_events)->resumed);
}

TEST(EarlyData, AnyDamagedTicketIsAFullHandshakeAtWorst) {
    pipe p(with_early_data());
    const auto ticket = ticket_from(p);
    for (std::size_t i = 0; i < 60; i += 3) {
        auto c = p.connect_to_server();
        c.ticket = ticket;
        c.ticket[i] ^= 0x40;
        p.connect(c);
        ASSERT_TRUE(p.run_for(1s, [&] { return p.client_connection()->handshake_confirmed(); })) << i;
    }
}

TEST(Resumption, RemembersWhatRfc9000Section741Names) {
    transport_parameters declared;
    declared.initial_max_data = 5;
    declared.initial_max_streams_bidi = 6;
    declared.active_connection_id_limit = 7;
    declared.max_datagram_frame_size = 8;
    declared.max_udp_payload_size = 1300;
    declared.disable_active_migration = true;
    declared.max_idle_timeout = 9s;
    const auto expected = declared;
    declared.ack_delay_exponent = 4;
    declared.max_ack_delay = 30ms;
    declared.initial_source_connection_id = connection_id(std::array<std::uint8_t, 4>{1, 2, 3, 4});
    declared.reset_token.emplace();
    declared.versions.emplace();
    EXPECT_EQ(remembered_part(declared), expected);
    const resumption before{version::v2, declared, {1, 2, 3}};
    const auto bytes = encode(before);
    const auto after = decode_resumption(bytes);
    ASSERT_TRUE(after);
    EXPECT_EQ(after->version, version::v2);
    EXPECT_EQ(after->remembered, expected);
    EXPECT_EQ(after->ticket, before.ticket);
    for (std::size_t size = 0; size + before.ticket.size() < bytes.size(); ++size)
        EXPECT_FALSE(decode_resumption(std::span(bytes).first(size)));
}

// RFC 9000 7.4.1: an accepting server that lowers a limit.
TEST(Resumption, NoLimitMayBeLower) {
    transport_parameters remembered;
    remembered.initial_max_data = remembered.initial_max_streams_bidi = remembered.initial_max_streams_uni = 10;
    remembered.initial_max_stream_data_bidi_local = remembered.initial_max_stream_data_bidi_remote = 10;
    remembered.initial_max_stream_data_uni = remembered.active_connection_id_limit = remembered.max_datagram_frame_size = 10;
    EXPECT_FALSE(check_not_reduced(remembered, remembered));
    for (auto member :
         {&transport_parameters::active_connection_id_limit, &transport_parameters::initial_max_data,
          &transport_parameters::initial_max_stream_data_bidi_local, &transport_parameters::initial_max_stream_data_bidi_remote,
          &transport_parameters::initial_max_stream_data_uni, &transport_parameters::initial_max_streams_bidi,
          &transport_parameters::initial_max_streams_uni, &transport_parameters::max_datagram_frame_size}) {
        auto declared = remembered;
        declared.*member = 11;
        EXPECT_FALSE(check_not_reduced(remembered, declared));
        declared.*member = 9;
        const auto error = check_not_reduced(remembered, declared);
        ASSERT_TRUE(error);
        EXPECT_EQ(error->code, static_cast<std::uint64_t>(transport_error::protocol_violation));
    }
}

}  // namespace
}  // namespace tandem::quic::test
