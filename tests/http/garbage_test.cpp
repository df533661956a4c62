// Streams that were damaged, in pieces of any size: nothing may crash, hang or be told twice.
#include <gtest/gtest.h>

#include <tandem/bytes/random.hpp>
#include <tandem/http/http1_client.hpp>
#include <tandem/http/http1_server.hpp>

#include "../seed.hpp"
#include "http3_pair.hpp"

namespace tandem::http {
namespace {

using test::at;
using test::bytes_of;

// Flips, drops, repeats and inserts a few bytes.
std::string damage(std::string text, random_source& random) {
    for (auto times = random.below(4); times > 0 && !text.empty(); --times) {
        auto where = random.below(text.size());
        auto length = std::min<std::size_t>(1 + random.below(8), text.size() - where);
        switch (random.below(5)) {
            case 0:
                text[where] = static_cast<char>(random.below(256));
                break;
            case 1:
                text.erase(where, length);
                break;
            case 2:
                text.insert(where, text.substr(where, length));
                break;
            case 3:
                text.insert(where, 1, "\r\n\0 :;,0"[random.below(8)]);
                break;
            case 4:
                text.resize(where);
                break;
        }
    }
    return text;
}

// Each request ends once at the most, and nothing is told of it afterwards.
void check_order(const std::string& trace) {
    for (const char* id : {"0", "1", "2"}) {
        auto of = [&](const char* what) {
            return trace.find(std::string(what) + ' ' + id + (std::string_view(what) == "failed" ? " " : ";"));
        };
        auto end = std::min(of("finished"), of("failed"));
        if (end == std::string::npos) continue;
        auto rest = std::string_view(trace).substr(end + 7);
        for (auto what : {"response ", "request ", "trailers ", "finished ", "failed "}) {
            EXPECT_EQ(rest.find(std::string(what) + id), std::string_view::npos) << trace;
        }
    }
    auto closed = trace.find("closed; ");
    EXPECT_TRUE(closed == std::string::npos || closed + 8 == trace.size()) << trace;
}

TEST(garbage, http1_server) {
    random_source random(tandem::test::seed());
    const std::string good =
        "GET /0 HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n"
        "POST /1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nT: u\r\n\r\n"
        "PUT /2 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello";
    std::uint8_t out[300];
    for (int round = 0; round < 5000; ++round) {
        auto text = damage(good, random);
        http1_server server;
        test::server_trace trace;
        std::size_t answered = 0;
        for (std::string_view left = text; !left.empty();) {
            auto n = server.receive(bytes_of(left.substr(0, 1 + random.below(40))), {}, at(0));
            left.remove_prefix(n);
            trace.run(server, at(0));
            for (; answered < trace.requests.size(); ++answered)
                server.respond(answered, {200, {}}, std::make_unique<memory_body>(std::string("ok")), at(0));
            std::size_t sent = 0;
            while (auto m = server.transmit(out, at(0))) sent += m;
            trace.run(server, at(0));
            ASSERT_LT(sent, 2000u);
            if (n == 0 && sent == 0) break;
        }
        server.receive_end(true, at(1));
        while (server.transmit(out, at(0)) > 0) {
        }
        trace.run(server, at(1));
        check_order(trace.text);
        EXPECT_TRUE(server.finished_sending());
        if (HasFailure()) FAIL() << text;
    }
}

TEST(garbage, http1_client) {
    random_source random(tandem::test::seed() + 1);
    const std::string good =
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello"
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nT: u\r\n\r\n"
        "HTTP/1.0 404 Not Found\r\n\r\nuntil the end";
    std::uint8_t out[300];
    for (int round = 0; round < 5000; ++round) {
        auto text = damage(good, random);
        http1_client client;
        test::client_trace trace;
        for (auto path : {"/0", "/1", "/2"}) client.submit({.authority = "h", .path = path}, nullptr, at(0));
        for (std::string_view left = text; !left.empty();) {
            while (client.transmit(out, at(0)) > 0) {
            }
            auto n = client.receive(bytes_of(left.substr(0, 1 + random.below(40))), {}, at(0));
            left.remove_prefix(n);
            trace.run(client, at(0));
            if (n == 0) break;
        }
        client.receive_end(random.below(2) == 0, at(1));
        trace.run(client, at(1));
        check_order(trace.text);
        EXPECT_EQ(trace.ledgers.size(), 3u) << trace.text;  // each ended, one way or the other
        if (HasFailure()) FAIL() << text;
    }
}

using garbage_h3 = test::http3_pair;

TEST_F(garbage_h3, server) {
    random_source random(tandem::test::seed() + 2);
    // What a client sent, recorded.
    client->submit({.method = "POST", .authority = "host", .fields = {{"x", "y"}}},
                   std::make_unique<test::piecewise_body>("question", 3, fields{{"t", "u"}}), at(0));
    get("/1");
    run();
    const auto recorded = client_end->sent;
    for (int round = 0; round < 5000; ++round) {
        make({}, {});
        served = {};
        server->pump(at(0));
        std::size_t answered = 0;
        for (std::uint64_t stream : {2, 6, 10, 0, 4}) {
            auto text = damage(recorded.at(stream), random);
            for (std::string_view left = text; !left.empty();) {
                auto piece = left.substr(0, 1 + random.below(20));
                left.remove_prefix(piece.size());
                server_end->inject(stream, piece, left.empty() && stream % 4 == 0);
                server->pump(at(0));
                served.run(*server, at(0));
                for (; answered < 2; ++answered) {
                    if (!served.requests.contains(answered)) break;
                    server->respond(answered, {200, {}}, std::make_unique<memory_body>(std::string("ok")), at(0));
                }
            }
            if (random.below(20) == 0) server_end->inject_reset(stream, random.below(0x300));
            if (random.below(20) == 0 && stream % 4 == 0) server_end->inject_stop_sending(stream, random.below(0x300));
            server->pump(at(0));
            served.run(*server, at(0));
        }
        server->connection_lost({0, true, "gone"}, at(1));
        served.run(*server, at(1));
        check_order(served.text);
        EXPECT_EQ(server->active_requests(), 0u);
        if (HasFailure()) FAIL() << "round " << round;
    }
}

TEST_F(garbage_h3, client) {
    random_source random(tandem::test::seed() + 3);
    get("/0");
    get("/1");
    run();
    server->respond(0, {200, {{"x", "y"}}}, std::make_unique<test::piecewise_body>("answer", 4, fields{{"t", "u"}}), at(0));
    server->respond(1, {200, {}}, std::make_unique<memory_body>(std::string(300, 'z')), at(0));
    run();
    const auto recorded = server_end->sent;
    for (int round = 0; round < 5000; ++round) {
        make({}, {});
        asked = {};
        get("/0");
        get("/1");
        client->pump(at(0));
        for (std::uint64_t stream : {3, 7, 11, 4, 0}) {
            auto text = damage(recorded.at(stream), random);
            for (std::string_view left = text; !left.empty();) {
                auto piece = left.substr(0, 1 + random.below(20));
                left.remove_prefix(piece.size());
                client_end->inject(stream, piece, left.empty() && stream % 4 == 0);
                client->pump(at(0));
                asked.run(*client, at(0));
            }
            if (random.below(20) == 0) client_end->inject_reset(stream, random.below(0x300));
            client->pump(at(0));
            asked.run(*client, at(0));
        }
        client->connection_lost({0, true, "gone"}, at(1));
        asked.run(*client, at(1));
        check_order(asked.text);
        EXPECT_EQ(asked.ledgers.size(), 2u) << asked.text;
        if (HasFailure()) FAIL() << "round " << round;
    }
}

}  // namespace
}  // namespace tandem::http
