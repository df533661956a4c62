#include <gtest/gtest.h>

#include <tandem/http/http3_client.hpp>
#include <tandem/http/quic_client.hpp>
#include <tandem/http/quic_server.hpp>
#include <tandem/http/quic_transport.hpp>

#include "../quic/pipe.hpp"
#include "session_trace.hpp"
#include "tunnel_bodies.hpp"

namespace tandem::http {
namespace {

using namespace std::chrono_literals;

// HTTP/3 over two QUIC endpoints in virtual time; the server answers every request with `size` bytes.
struct quic_http : testing::Test {
    explicit quic_http(quic::test::pipe::options o = quic::test::pipe::defaults()) : pipe(std::move(o)) {
        pipe.on_client_event = [this](quic::endpoint_event& e) {
            if (client) client->on_event(e.event, pipe.now);
        };
        pipe.on_server_event = [this](quic::endpoint_event& e) {
            if (std::holds_alternative<quic::handshake_started>(e.event))
                server.emplace(*pipe.server.find(e.connection), server_limits);
            if (server) server->on_event(e.event, pipe.now);
        };
    }
    void connect() {
        pipe.connect();
        client.emplace(*pipe.client_connection(), client_limits);
    }
    bool run(duration limit, const std::function<bool()>& done) {
        return pipe.run_for(limit, [&] {
            turn();
            return done();
        });
    }
    // What drivers do after events: let HTTP move bytes, let the applications act, until nothing changes.
    void turn() {
        for (int i = 0; i < 3; ++i) {
            if (client) {
                client->pump(pipe.now);
                asked.run(client->session(), pipe.now);
            }
            if (server) {
                server->pump(pipe.now);
                served.run(server->session(), pipe.now);
                for (; answer && answered < served.requests.size(); ++answered) {
                    server->session().respond(answered, {200, {}}, std::make_unique<memory_body>(std::string(size, 'x')),
                                              pipe.now);
                }
            }
        }
    }
    void get(int count) {
        for (int i = 0; i < count; ++i)
            client->session().submit({.authority = "localhost", .path = "/" + std::to_string(i)}, nullptr, pipe.now);
    }
    bool all_finished(std::size_t count) {
        std::size_t whole = 0;
        for (const auto& [id, body] : asked.bodies) whole += body.size() == size && asked.ledgers.contains(id);
        return whole == count;
    }

    quic::test::pipe pipe;
    std::optional<quic_client> client;
    std::optional<quic_server> server;
    limits client_limits, server_limits;
    test::client_trace asked;
    test::server_trace served;
    bool answer = true;
    std::size_t answered = 0;
    std::size_t size = 20000;
};

TEST_F(quic_http, requests_submitted_before_the_handshake) {
    connect();
    get(5);
    ASSERT_TRUE(run(10s, [&] { return all_finished(5); })) << asked.text;
    EXPECT_EQ(served.requests.at(0).authority, "localhost");
}

TEST_F(quic_http, more_requests_than_streams) {
    connect();
    size = 100;
    get(350);  // the limit is 100 at one time
    EXPECT_TRUE(run(30s, [&] { return all_finished(350); })) << asked.bodies.size();
}

TEST_F(quic_http, a_large_body_flows_both_ways) {
    connect();
    size = 3000000;
    client->session().submit({.method = "POST", .authority = "localhost"},
                             std::make_unique<memory_body>(std::string(2000000, 'q')), pipe.now);
    EXPECT_TRUE(run(60s, [&] { return all_finished(1); }));
    EXPECT_EQ(served.bodies[0].size(), 2000000u);
}

TEST_F(quic_http, survives_loss) {
    std::uint64_t count = 0;
    pipe.on_wire = [&](quic::test::flying&) { return ++count % 11 != 0; };
    connect();
    get(10);
    EXPECT_TRUE(run(60s, [&] { return all_finished(10); })) << asked.text;
    for (const auto& [id, ledger] : asked.ledgers) {
        EXPECT_EQ(ledger.byte_nanoseconds(wait_cause::other_stream_hole), 0u);  // QUIC's promise
        EXPECT_EQ(ledger.total(), ledger.sum());
    }
}

TEST_F(quic_http, a_lost_packet_holds_up_its_own_stream_only) {
    connect();
    ASSERT_TRUE(run(10s, [&] { return pipe.client_connection()->handshake_confirmed(); }));
    size = 5000;
    bool lost = false;
    pipe.on_wire = [&](quic::test::flying& f) {
        if (f.to_server || lost || f.bytes.size() < 1000) return true;
        lost = true;
        return false;
    };
    get(4);
    ASSERT_TRUE(run(10s, [&] { return all_finished(4); })) << asked.text;
    EXPECT_TRUE(lost);
    int with_holes = 0;
    for (const auto& [id, ledger] : asked.ledgers) with_holes += ledger.byte_nanoseconds(wait_cause::own_stream_hole) != 0;
    EXPECT_EQ(with_holes, 1);
}

TEST_F(quic_http, a_cancelled_request_frees_its_stream) {
    connect();
    answer = false;
    get(2);
    ASSERT_TRUE(run(10s, [&] { return served.requests.size() == 2; }));
    client->session().cancel(0, pipe.now);
    ASSERT_TRUE(run(10s, [&] { return served.failures.contains(0); }));
    EXPECT_EQ(asked.failures[0].kind, failure_kind::cancelled);
    EXPECT_EQ(served.failures[0].code, static_cast<std::uint64_t>(h3_error::request_cancelled));
    server->session().respond(1, {200, {}}, std::make_unique<memory_body>(std::string(size, 'x')), pipe.now);
    EXPECT_TRUE(run(10s, [&] { return all_finished(1); }));
}

TEST_F(quic_http, graceful_close_loses_nothing) {
    for (bool by_server : {true, false}) {
        connect();
        asked = {};
        get(3);
        bool closing = false;
        ASSERT_TRUE(run(20s, [&] {
            if (!closing && asked.text.find("response") != std::string::npos) {
                closing = true;
                if (by_server) {
                    server->session().close(pipe.now);
                } else {
                    client->session().close(pipe.now);
                }
                turn();
            }
            return client->error() && server->error();
        }));
        EXPECT_TRUE(all_finished(3)) << asked.text;
        EXPECT_EQ(client->error()->code, static_cast<std::uint64_t>(h3_error::no_error));
        EXPECT_EQ(server->error()->code, static_cast<std::uint64_t>(h3_error::no_error));
        EXPECT_TRUE(asked.text.ends_with("closed; "));
        served = {};
        answered = 0;
        client.reset();
        server.reset();
    }
}

TEST_F(quic_http, nobody_there) {
    pipe.on_wire = [](quic::test::flying& f) { return !f.to_server; };
    connect();
    get(1);
    ASSERT_TRUE(run(60s, [&] { return client->error().has_value(); }));
    EXPECT_EQ(asked.failures[0].kind, failure_kind::connection_lost);
    EXPECT_TRUE(asked.failures[0].retryable);
    EXPECT_NE(client->error()->text.find("handshake"), std::string::npos);
}

TEST_F(quic_http, a_certificate_for_another_name) {
    auto options = pipe.connect_to_server();
    options.server_name = "other.example";
    pipe.connect(options);
    client.emplace(*pipe.client_connection());
    get(1);
    ASSERT_TRUE(run(60s, [&] { return client->error().has_value(); }));
    EXPECT_EQ(client->error()->tls, tls::error_code::verification) << client->error()->text;
    EXPECT_TRUE(served.requests.empty());
}

TEST_F(quic_http, urgent_answers_come_first) {
    connect();
    size = 200000;
    ASSERT_TRUE(run(10s, [&] { return pipe.client_connection()->handshake_confirmed(); }));
    for (int i = 0; i < 3; ++i) {
        client->session().submit(
            {.authority = "localhost", .path = "/", .priority = priority{static_cast<std::uint8_t>(6 - 3 * i), false}}, nullptr,
            pipe.now);
    }
    ASSERT_TRUE(run(60s, [&] { return all_finished(3); }));
    auto place = [&](int id) { return asked.text.find("finished " + std::to_string(id)); };
    EXPECT_LT(place(2), place(1));
    EXPECT_LT(place(1), place(0));
}

// HTTP datagrams (RFC 9297) in datagrams of QUIC, where both sides take some.
struct quic_http_datagrams : quic_http {
    quic_http_datagrams() : quic_http(with_datagrams()) {
        client_limits.datagram_buffer = server_limits.datagram_buffer = 64 * 1024;
        server_limits.tunnel_protocols = server_limits.datagram_protocols = {"connect-udp"};
        answer = false;
    }
    static quic::test::pipe::options with_datagrams() {
        auto o = quic::test::pipe::defaults();
        o.server.accepted.max_datagram_frame_size = o.client.max_datagram_frame_size = 65535;
        return o;
    }
    void open() {
        connect();
        request r{.method = "CONNECT", .authority = "localhost", .path = "/"};
        r.protocol = "connect-udp";
        r.datagrams = true;
        client->session().submit(std::move(r), std::make_unique<test::quiet_body>(ended), pipe.now);
        ASSERT_TRUE(run(10s, [&] { return served.requests.size() == 1; })) << asked.text;
        server->session().respond(0, {101, {}}, std::make_unique<test::quiet_body>(ended), pipe.now);
        ASSERT_TRUE(run(10s, [&] { return asked.text.find("response 0 101") != std::string::npos; })) << asked.text;
    }
    std::shared_ptr<bool> ended = std::make_shared<bool>(false);
};

TEST_F(quic_http_datagrams, both_ways) {
    open();
    const auto room = client->session().max_datagram(0);
    EXPECT_EQ(room, pipe.client_connection()->max_datagram_payload() - 1);
    EXPECT_GT(room, 1100u);
    const std::string large(room, 'x'), larger(room + 1, 'x');
    EXPECT_EQ(client->session().send_datagram(0, test::bytes_of(large), pipe.now), datagram_result::queued);
    EXPECT_EQ(client->session().send_datagram(0, test::bytes_of(larger), pipe.now), datagram_result::too_large);
    EXPECT_EQ(server->session().send_datagram(0, test::bytes_of("down"), pipe.now), datagram_result::queued);
    ASSERT_TRUE(run(1s, [&] { return served.datagrams.contains(0) && asked.datagrams.contains(0); }));
    EXPECT_EQ(served.datagrams[0], std::vector{large});
    EXPECT_EQ(asked.datagrams[0], std::vector<std::string>{"down"});
}

TEST_F(quic_http_datagrams, what_is_lost_is_lost) {
    open();
    pipe.run_for(1s);
    bool drop = true;
    pipe.on_wire = [&](quic::test::flying& f) { return !(f.to_server && drop); };
    client->session().send_datagram(0, test::bytes_of("lost"), pipe.now);
    pipe.transmit_all();
    drop = false;
    client->session().send_datagram(0, test::bytes_of("there"), pipe.now);
    ASSERT_TRUE(run(1s, [&] { return served.datagrams.contains(0); }));
    pipe.run_for(5s);
    turn();
    EXPECT_EQ(served.datagrams[0], std::vector<std::string>{"there"});
}

TEST_F(quic_http_datagrams, a_flood_is_bounded_by_the_transport) {
    open();
    int queued = 0;
    while (client->session().send_datagram(0, test::bytes_of(std::string(1000, 'x')), pipe.now) == datagram_result::queued)
        ASSERT_LT(++queued, 1000);
    EXPECT_EQ(client->session().send_datagram(0, test::bytes_of("x"), pipe.now), datagram_result::queued);
    EXPECT_GT(queued, 100);
}

// RFC 8470: what may be repeated goes in the first flight and is answered there; the rest waits for the handshake.
struct early_http : quic_http {
    early_http() : quic_http(with_early_data()) {}
    static quic::test::pipe::options with_early_data() {
        auto o = quic::test::pipe::defaults();
        o.server.accepted.early_data = o.client.early_data = true;
        return o;
    }
    void resume() {
        connect();
        ASSERT_TRUE(run(1s, [&] { return pipe.client_connection()->handshake_confirmed(); }));
        pipe.run_for(100ms);
        const auto ticket = quic::test::first_of<quic::ticket_received>(pipe.client_events);
        ASSERT_TRUE(ticket);
        client->session().close(pipe.now);
        run(1s, [] { return false; });
        pipe.client_events.clear();
        asked = {};
        served = {};
        answered = 0;
        client.reset();
        server.reset();
        auto options = pipe.connect_to_server();
        options.ticket = ticket->ticket;
        pipe.connect(options);
        client.emplace(*pipe.client_connection());
        begin = pipe.now;
    }
    void ask(std::string method, bool with_body = false) {
        client->session().submit({.method = std::move(method), .authority = "localhost", .path = "/"},
                                 with_body ? std::make_unique<memory_body>(std::string(100, 'b')) : nullptr, pipe.now);
    }
    bool served_after(duration d) {
        return run(1s, [&] { return !served.requests.empty(); }) && pipe.now - begin == d;
    }
    time_point begin;
};

TEST_F(early_http, safe_requests_are_answered_in_one_round_trip) {
    size = 1000;
    resume();
    ask("GET");
    EXPECT_TRUE(served_after(10ms));
    ASSERT_TRUE(run(1s, [&] { return all_finished(1); }));
    EXPECT_EQ(pipe.now - begin, 20ms);
    EXPECT_EQ(quic::test::first_of<quic::handshake_completed>(pipe.client_events)->early_data, tls::early_data_state::accepted);
}

TEST_F(early_http, others_wait_at_the_client) {
    resume();
    ask("POST", true);
    EXPECT_TRUE(served_after(30ms)) << (pipe.now - begin).count();
    ASSERT_TRUE(run(1s, [&] { return all_finished(1); }));
}

TEST_F(early_http, a_body_waits_with_any_method) {
    resume();
    ask("GET", true);
    EXPECT_TRUE(served_after(30ms)) << (pipe.now - begin).count();
}

// A client that sends what it should not: the application hears of it when it is certain that it is no copy. A safe one is not
// held up.
TEST_F(early_http, others_wait_at_the_server) {
    resume();
    struct careless final : quic_transport {
        using quic_transport::quic_transport;
        bool sends_early() const override { return false; }
    };
    client.reset();
    careless transport(*pipe.client_connection());
    http3_client http(transport);
    pipe.on_client_event = [&](quic::endpoint_event& e) { transport.take(e.event, pipe.now); };
    http.submit({.method = "DELETE", .authority = "localhost", .path = "/"}, nullptr, pipe.now);
    http.submit({.method = "GET", .authority = "localhost", .path = "/"}, nullptr, pipe.now);
    std::map<std::string, duration> heard;
    answer = false;
    ASSERT_TRUE(run(1s, [&] {
        transport.set_now(pipe.now);
        http.pump(pipe.now);
        for (const auto& [id, request] : served.requests) heard.try_emplace(request.method, pipe.now - begin);
        return heard.size() == 2;
    }));
    EXPECT_EQ(heard["GET"], 10ms);
    EXPECT_EQ(heard["DELETE"], 30ms);
    server.reset();
}

}  // namespace
}  // namespace tandem::http
