#include <gtest/gtest.h>

#include <tandem/http/byte_stream_client.hpp>
#include <tandem/http/byte_stream_server.hpp>
#include <tandem/http/error.hpp>
#include <tandem/tls/certificate.hpp>
#include <tandem/tls/context.hpp>

#include "session_trace.hpp"

namespace tandem::http {
namespace {

using test::at;

constexpr std::int64_t noon = 1'700'000'000;

struct identity {
    std::shared_ptr<const tls::server_context> server;
    std::shared_ptr<const tls::client_context> client;
};

const identity& localhost() {
    static const identity made = [] {
        tls::error why;
        auto certificate =
            tls::self_signed({.key = tls::key_kind::ed25519, .not_before = noon - 1000, .not_after = noon + 1000}, why);
        EXPECT_TRUE(certificate) << why.text;
        identity both;
        both.server = tls::server_context::create(
            {.certificate = *certificate, .ticket_keys = std::nullopt, .wall_clock = noon, .key_log = {}}, why);
        EXPECT_TRUE(both.server) << why.text;
        both.client = tls::client_context::create(
            {.ca_file = {}, .ca_pem = certificate->chain_pem, .wall_clock = noon, .key_log = {}}, why);
        EXPECT_TRUE(both.client) << why.text;
        return both;
    }();
    return made;
}

struct options {
    std::vector<std::string> client_alpn{std::string(alpn_http1)};
    std::vector<std::string> server_alpn{std::string(alpn_h3_qmux), std::string(alpn_http1)};
    std::string server_name = "localhost";
    http::limits client_limits;
    std::size_t piece = 100000;  // bytes handed over at a time
    bool report_carried = false;
};

// Both ends in memory; applications that read everything at once.
struct connection {
    explicit connection(options o = {}) : piece(o.piece) {
        byte_stream_client_config c;
        c.alpn = o.client_alpn;
        c.limits = o.client_limits;
        byte_stream_server_config s;
        s.alpn = o.server_alpn;
        s.report_carried = o.report_carried;
        client.emplace(localhost().client, o.server_name, c, at(0));
        server.emplace(localhost().server, s, at(0));
    }

    bool step(time_point now) {
        bool moved = to_server(now);
        return to_client(now) || moved;
    }
    bool to_server(time_point now) {
        std::vector<std::uint8_t> out(piece);
        auto n = client->transmit(out, now);
        if (n > 0) server->receive(std::span(out).first(n), {}, now);
        if (client->finished_sending() && !client_shut) server->receive_end(now), client_shut = true;
        if (server->session()) served.run(*server->session(), now);
        if (on_served) on_served(now);
        return n > 0;
    }
    bool to_client(time_point now) {
        std::vector<std::uint8_t> out(piece);
        auto n = server->transmit(out, now);
        from_server += n;
        const byte_times times[] = {{n, now, now}};
        if (n > 0) client->receive(std::span(out).first(n), times, now);
        if (server->finished_sending() && !server_shut) client->receive_end(now), server_shut = true;
        if (client->session()) asked.run(*client->session(), now);
        return n > 0;
    }
    void run(double ms = 0) {
        while (step(at(ms))) {
        }
    }
    void answer_all(std::size_t size) {
        on_served = [this, size](time_point now) {
            for (; answered < served.requests.size(); ++answered) {
                server->session()->respond(
                    answered, {200, {}},
                    std::make_unique<memory_body>(std::string(size + answered, 'a' + static_cast<char>(answered))), now);
            }
        };
    }
    request_id get(std::string path, double ms = 0) {
        return client->session()->submit({.authority = "localhost", .path = std::move(path)}, nullptr, at(ms));
    }

    std::size_t piece;
    std::optional<byte_stream_client> client;
    std::optional<byte_stream_server> server;
    test::client_trace asked;
    test::server_trace served;
    std::function<void(time_point)> on_served;
    std::size_t answered = 0;
    std::uint64_t from_server = 0;
    bool client_shut = false;
    bool server_shut = false;
};

TEST(byte_stream, http1_and_http3_by_alpn) {
    for (auto alpn : {alpn_http1, alpn_h3_qmux}) {
        for (std::size_t piece : {100000u, 700u, 200u}) {
            connection c({.client_alpn = {std::string(alpn)}, .piece = piece});
            EXPECT_EQ(c.client->session(), nullptr);
            c.answer_all(50000);
            c.run();
            ASSERT_NE(c.client->session(), nullptr);
            EXPECT_EQ(c.client->alpn(), alpn);
            EXPECT_EQ(c.server->alpn(), alpn);
            for (int i = 0; i < 3; ++i) c.get("/" + std::to_string(i));
            c.run();
            for (request_id id = 0; id < 3; ++id) {
                EXPECT_TRUE(c.asked.bodies[id] == std::string(50000 + id, 'a' + static_cast<char>(id))) << alpn << ' ' << piece;
                EXPECT_TRUE(c.asked.ledgers.contains(id));
            }
            EXPECT_EQ(c.server->session()->active_requests(), 0u);
            EXPECT_FALSE(c.client->error()) << c.client->error()->text;
        }
    }
}

TEST(byte_stream, without_alpn_it_is_http1) {
    connection c({.client_alpn = {}});
    c.answer_all(10);
    c.run();
    ASSERT_NE(c.client->session(), nullptr);
    EXPECT_EQ(c.client->alpn(), "");
    c.get("/");
    c.run();
    EXPECT_EQ(c.asked.bodies[0], "aaaaaaaaaa");
}

TEST(byte_stream, no_common_protocol) {
    connection c({.client_alpn = {"other"}});
    c.run();
    ASSERT_TRUE(c.client->error());
    ASSERT_TRUE(c.server->error());
    EXPECT_NE(c.client->error()->tls, tls::error_code::none);
    EXPECT_EQ(c.client->session(), nullptr);
    EXPECT_TRUE(c.client->finished_sending());
    EXPECT_TRUE(c.server->finished_sending());
}

TEST(byte_stream, a_certificate_for_another_name_ends_the_connection) {
    connection c({.server_name = "other.example"});
    c.run();
    ASSERT_TRUE(c.client->error());
    EXPECT_EQ(c.client->error()->tls, tls::error_code::verification);
    EXPECT_NE(c.client->error()->text.find("other.example"), std::string::npos) << c.client->error()->text;
    EXPECT_EQ(c.client->session(), nullptr);
    EXPECT_TRUE(c.client->finished_sending());
    EXPECT_TRUE(c.server->error());
}

TEST(byte_stream, a_name_is_needed_to_verify) {
    connection c({.server_name = ""});
    ASSERT_TRUE(c.client->error());
    EXPECT_EQ(c.client->error()->tls, tls::error_code::option);
    EXPECT_TRUE(c.client->finished_sending());
}

TEST(byte_stream, orderly_close_from_either_side) {
    for (auto alpn : {alpn_http1, alpn_h3_qmux}) {
        for (bool by_client : {false, true}) {
            connection c({.client_alpn = {std::string(alpn)}});
            c.answer_all(1000);
            c.run();
            c.get("/");
            c.run();
            if (by_client) {
                c.client->session()->close(at(1));
            } else {
                c.server->session()->close(at(1));
            }
            c.run(1);
            EXPECT_TRUE(c.client->finished_sending()) << alpn << by_client;
            EXPECT_TRUE(c.server->finished_sending()) << alpn << by_client;
            ASSERT_TRUE(c.client->error()) << alpn << by_client;
            EXPECT_EQ(c.client->error()->tls, tls::error_code::none);
            EXPECT_TRUE(c.asked.text.ends_with("closed; ")) << c.asked.text;
            EXPECT_TRUE(c.served.text.ends_with("closed; ")) << c.served.text;
            EXPECT_FALSE(c.asked.failures.contains(0));
        }
    }
}

TEST(byte_stream, a_truncated_stream_fails_the_request) {
    for (auto alpn : {alpn_http1, alpn_h3_qmux}) {
        connection c({.client_alpn = {std::string(alpn)}, .piece = 1000});
        c.answer_all(100000);
        c.run();
        c.get("/");
        for (int i = 0; i < 5; ++i) c.step(at(1));
        c.client->receive_end(at(2));
        c.asked.run(*c.client->session(), at(2));
        EXPECT_TRUE(c.asked.failures.contains(0)) << alpn << ' ' << c.asked.text;
        EXPECT_FALSE(c.asked.text.find("finished") != std::string::npos);
        EXPECT_TRUE(c.client->error());
    }
}

TEST(byte_stream, a_body_without_length_must_not_end_by_accident) {
    // HTTP/1.0 server: the end of the stream is the end of the body, but only with close_notify.
    connection c({.piece = 100000});
    c.run();
    request old{.authority = "localhost", .path = "/"};
    c.client->session()->submit(old, nullptr, at(0));
    c.run();
    auto body = std::make_unique<test::piecewise_body>(std::string(100, 'x'), 100);
    body->break_at = 50;
    c.server->session()->respond(0, {200, {}}, std::move(body), at(0));
    c.run();
    EXPECT_TRUE(c.asked.failures.contains(0)) << c.asked.text;
    EXPECT_TRUE(c.server->finished_sending());
}

TEST(byte_stream, the_handshake_has_a_deadline) {
    connection c;
    EXPECT_EQ(c.server->next_timeout(), at(10000));
    c.server->on_timeout(at(9999));
    EXPECT_FALSE(c.server->error());
    c.server->on_timeout(at(10000));
    ASSERT_TRUE(c.server->error());
    EXPECT_TRUE(c.server->finished_sending());
    c.client->on_timeout(at(10000));
    EXPECT_EQ(c.client->error()->tls, tls::error_code::protocol);
}

TEST(byte_stream, backpressure_reaches_the_byte_stream) {
    limits small;
    small.body_buffer = 2000;
    connection c({.client_limits = small, .piece = 1500});
    c.asked.read_bodies = false;
    c.answer_all(500000);
    c.run();
    c.get("/");
    int rounds = 0;
    while (c.client->wants_to_receive() && rounds < 1000) c.step(at(1)), ++rounds;
    EXPECT_LT(rounds, 60);  // stopped after some tens of kilobytes, not after half a megabyte
    std::string body = test::read_all(*c.client->session(), 0, at(2));
    EXPECT_GT(body.size(), 2000u);  // reading alone drained what had come
    EXPECT_TRUE(c.client->wants_to_receive());
    for (int i = 0; i < 1000; ++i) {
        c.step(at(2));
        body += test::read_all(*c.client->session(), 0, at(2));
    }
    EXPECT_EQ(body.size(), 500000u);
}

TEST(byte_stream, says_which_ciphertext_carries_which_response) {
    for (auto alpn : {alpn_http1, alpn_h3_qmux}) {
        connection c({.client_alpn = {std::string(alpn)}, .piece = 3000, .report_carried = true});
        c.answer_all(40000);
        c.run();
        for (int i = 0; i < 3; ++i) c.get("/" + std::to_string(i));
        auto before = c.from_server;
        std::vector<carried_range> carried;
        while (c.step(at(1))) {
            for (const auto& r : c.server->drain_carried()) carried.push_back(r);
        }
        ASSERT_FALSE(carried.empty()) << alpn;
        std::uint64_t end = 0;
        std::uint64_t bytes_of[3] = {};
        for (const auto& r : carried) {
            EXPECT_LE(end, r.begin) << alpn;
            EXPECT_LT(r.begin, r.end) << alpn;
            end = r.end;
            ASSERT_LT(r.request, 3u);
            bytes_of[r.request] += r.end - r.begin;
        }
        EXPECT_LE(end, c.from_server);
        EXPECT_GE(carried.front().begin, alpn == alpn_http1 ? before : 0);
        for (int i = 0; i < 3; ++i) {
            EXPECT_GT(bytes_of[i], 40000u) << alpn;
            EXPECT_LT(bytes_of[i], 41000u) << alpn;
        }
    }
}

// Ciphertext with times: a packet is missing, what came behind it waits.
TEST(byte_stream, the_ledger_of_qmux_tells_whose_hole_it_was) {
    connection c({.client_alpn = {std::string(alpn_h3_qmux)}, .report_carried = true});
    c.answer_all(3000);
    c.run();
    c.get("/0");
    c.get("/1");
    c.to_server(at(10));
    c.server->drain_carried();
    std::vector<std::uint8_t> out(100000);
    out.resize(c.server->transmit(out, at(10)));
    auto base = c.from_server;
    // The first 1000 bytes come at 40 ms, the rest came at 20 ms and waited.
    const byte_times times[] = {{1000, at(40), at(40)}, {out.size() - 1000, at(20), at(40)}};
    auto carried = c.server->drain_carried();
    c.client->receive(out, times, at(40));
    c.asked.run(*c.client->session(), at(40));
    ASSERT_TRUE(c.asked.ledgers.contains(0));
    ASSERT_TRUE(c.asked.ledgers.contains(1));
    bool first_is_lost[2] = {};
    for (const auto& r : carried) {
        if (r.begin < base + 1000 && r.request < 2) first_is_lost[r.request] = true;
    }
    EXPECT_NE(first_is_lost[0], first_is_lost[1]);
    auto victim = first_is_lost[0] ? 1u : 0u;
    EXPECT_GT(c.asked.ledgers[victim].byte_nanoseconds(wait_cause::other_stream_hole), 0u);
    EXPECT_EQ(c.asked.ledgers[victim].byte_nanoseconds(wait_cause::own_stream_hole), 0u);
    EXPECT_GT(c.asked.ledgers[1 - victim].byte_nanoseconds(wait_cause::own_stream_hole), 0u);
    for (request_id id : {0, 1}) EXPECT_EQ(c.asked.ledgers[id].total(), c.asked.ledgers[id].sum()) << id;
}

TEST(byte_stream, the_ledger_of_http1_has_its_queue_and_its_own_holes) {
    connection c;
    c.answer_all(3000);
    c.run();
    c.get("/0", 0);
    c.get("/1", 0);
    c.to_server(at(10));
    std::vector<std::uint8_t> out(100000);
    out.resize(c.server->transmit(out, at(10)));
    const byte_times times[] = {{1000, at(40), at(40)}, {out.size() - 1000, at(20), at(40)}};
    c.client->receive(out, times, at(40));
    c.asked.run(*c.client->session(), at(40));
    ASSERT_TRUE(c.asked.ledgers.contains(0));
    EXPECT_GT(c.asked.ledgers[0].byte_nanoseconds(wait_cause::own_stream_hole), 0u);
    EXPECT_EQ(c.asked.ledgers[0].byte_nanoseconds(wait_cause::other_stream_hole), 0u);
    EXPECT_EQ(c.asked.ledgers[0].byte_nanoseconds(wait_cause::http_queue), 3000ull * 10000000u);
    EXPECT_EQ(c.asked.ledgers[0].total(), c.asked.ledgers[0].sum());
    c.to_server(at(50));
    c.to_client(at(60));
    ASSERT_TRUE(c.asked.ledgers.contains(1));
    EXPECT_EQ(c.asked.ledgers[1].byte_nanoseconds(wait_cause::http_queue), 3001ull * 50000000u);
}

}  // namespace
}  // namespace tandem::http
