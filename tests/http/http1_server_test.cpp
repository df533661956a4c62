#include <gtest/gtest.h>

#include <tandem/http/http1_server.hpp>

#include "session_trace.hpp"

namespace tandem::http {
namespace {

using namespace std::string_literals;
using test::at;
using test::bytes_of;

std::string sent_by(http1_server& server, time_point now = at(0), std::size_t room = 16384) {
    std::string text;
    std::string out(room, '\0');
    while (auto n = server.transmit({reinterpret_cast<std::uint8_t*>(out.data()), out.size()}, now)) text.append(out, 0, n);
    return text;
}

// Gives the server what it takes; returns what it left.
std::string_view feed(http1_server& server, test::server_trace& trace, std::string_view text, time_point now = at(0)) {
    while (!text.empty()) {
        auto n = server.receive(bytes_of(text), {}, now);
        text.remove_prefix(n);
        trace.run(server, now);
        if (n == 0) break;
    }
    trace.run(server, now);
    return text;
}

struct sample {
    const char* name;
    const char* text;
    const char* events;
    const char* body = "";
};

const sample requests[] = {
    {"plain", "GET /a?b HTTP/1.1\r\nHost: h:1\r\nX: y\r\n\r\n", "request 0 GET https://h:1/a?b x=y; received 0; "},
    {"empty line before", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "request 0 GET https://h/; received 0; "},
    {"length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
     "request 0 POST https://h/ content-length=3 +body; received 0; ", "abc"},
    {"fields that Connection names", "GET / HTTP/1.1\r\nHost: h\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n",
     "request 0 GET https://h/ x-end=2; received 0; "},
    {"chunked", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\nT: u\r\n\r\n",
     "request 0 POST https://h/ +body; trailers 0 t=u; received 0; ", "abcd"},
    {"absolute form", "GET http://Other:80/x?y HTTP/1.1\r\nHost: h\r\n\r\n", "request 0 GET http://Other:80/x?y; received 0; "},
    {"absolute form without path", "GET https://other?q HTTP/1.1\r\nHost: h\r\n\r\n",
     "request 0 GET https://other/?q; received 0; "},
    {"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "request 0 OPTIONS https://h*; received 0; "},
    {"authority form", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", "request 0 CONNECT https://h:443; received 0; "},
    {"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "request 0 GET https:///; received 0; "},
    {"own method", "FROB-1 / HTTP/1.1\r\nHost: h\r\n\r\n", "request 0 FROB-1 https://h/; received 0; "},
};

TEST(http1_server, takes_requests_split_at_every_position) {
    for (const auto& r : requests) {
        std::string_view text = r.text;
        for (std::size_t split = 0; split <= text.size(); ++split) {
            http1_server server;
            test::server_trace trace;
            EXPECT_EQ(feed(server, trace, text.substr(0, split)), "");
            EXPECT_EQ(feed(server, trace, text.substr(split)), "");
            EXPECT_EQ(trace.text, r.events) << r.name << " split at " << split;
            EXPECT_EQ(trace.bodies[0], r.body) << r.name << " split at " << split;
        }
    }
}

struct refusal {
    const char* name;
    std::string text;
    int status;
};

// RFC 9112 and what is known of request smuggling: one parser's body must not be another one's next request.
const refusal refusals[] = {
    {"both framings", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"both framings, the other way",
     "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
    {"both framings, obscured", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: xchunked\r\n\r\n", 400},
    {"two lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
    {"list of lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5,6\r\n\r\n", 400},
    {"same length twice", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
    {"list of the same length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc", 400},
    {"empty host", "GET / HTTP/1.1\r\nHost: \r\n\r\n", 400},
    {"signed length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\n", 400},
    {"length with space", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1 2\r\n\r\n", 400},
    {"empty length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\n", 400},
    {"hexadecimal length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\n", 400},
    {"length beyond 64 bits", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551621\r\n\r\n", 400},
    {"space before colon", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n", 400},
    {"folded line", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n chunked\r\n\r\n", 400},
    {"folded value", "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n\tb\r\n\r\n", 400},
    {"first line folded", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400},
    {"bare LF after a field", "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", 400},
    {"bare LF after the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n", 400},
    {"bare CR", "GET / HTTP/1.1\r\nHost: h\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n", 400},
    {"NUL in a value", "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n"s, 400},
    {"NUL in a name", "GET / HTTP/1.1\r\nHost: h\r\nX\0: a\r\n\r\n"s, 400},
    {"coding twice", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"chunked not last", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 501},
    {"other coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {"coding with vertical tab", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \vchunked\r\n\r\n", 400},
    {"quoted coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", 501},
    {"coding behind a tab", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\tchunked\r\n\r\n", 400},
    {"length before a tab", "POST / HTTP/1.1\r\nHost: h\r\nX:\ty\r\nContent-length: 3\t\r\n\r\n", 400},
    {"coding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"no host", "GET / HTTP/1.1\r\nX: y\r\n\r\n", 400},
    {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
    {"host with user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400},
    {"host with path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"relative target", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"fragment", "GET /#a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"other scheme", "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"user in absolute form", "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"asterisk with GET", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"CONNECT without port", "CONNECT h HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"space in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"two spaces", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"lone CR first", "\rGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"HTTP/0.9", "GET /\r\n\r\n", 400},
    {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505},
    {"lower-case version", "GET / http/1.1\r\nHost: h\r\n\r\n", 400},
    {"TLS", "\x16\x03\x01\x02\x00\x01\r\n\r\n"s, 400},
    {"no colon", "GET / HTTP/1.1\r\nHost: h\r\nX\r\n\r\n", 400},
    {"empty name", "GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n", 400},
    {"unknown expectation", "GET / HTTP/1.1\r\nHost: h\r\nExpect: 200-ok\r\n\r\n", 417},
    {"long target", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
};

TEST(http1_server, refuses_requests_and_closes) {
    for (const auto& r : refusals) {
        for (bool bytewise : {false, true}) {
            http1_server server;
            test::server_trace trace;
            if (bytewise) {
                for (char c : r.text) feed(server, trace, std::string_view(&c, 1));
            } else {
                feed(server, trace, r.text);
            }
            auto answer = sent_by(server);
            trace.run(server, at(0));
            EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(r.status) + ' ')) << r.name << ": " << answer;
            EXPECT_NE(answer.find("connection: close\r\n"), std::string::npos) << r.name;
            EXPECT_EQ(trace.text, "closed; ") << r.name;
            EXPECT_TRUE(server.finished_sending()) << r.name;
        }
    }
}

TEST(http1_server, a_body_that_goes_wrong_fails_its_request) {
    const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::string body :
         {"x\r\n", "5\nhello\r\n0\r\n\r\n", "3\r\nhello\r\n0\r\n\r\n", "-1\r\n", "0x5\r\nhello\r\n\r\n", "1g\r\na\r\n", "0\r\n\n",
          "0\r\nA : b\r\n\r\n", "0\r\nTransfer-Encoding: chunked\r\n\r\n", "5;a=\"\n\"\r\nhello\r\n",
          "5;a=\"\r\nhello\r\n0\r\n\r\n\"", "5;a=\"\\\"\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0;a=\"\r\n\r\n"}) {
        http1_server server;
        test::server_trace trace;
        feed(server, trace, head + body);
        auto answer = sent_by(server);
        trace.run(server, at(0));
        EXPECT_EQ(trace.text, "request 0 POST https://h/ +body; failed 0 malformed; closed; ") << body;
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << body;
    }
}

TEST(http1_server, limits_what_it_holds) {
    limits small;
    small.field_section_size = 300;
    small.field_count = 3;
    small.chunk_header = 32;
    auto status_of = [&](const std::string& text) {
        http1_server server(small);
        test::server_trace trace;
        feed(server, trace, text);
        if (!trace.requests.empty()) server.respond(0, {204, {}}, nullptr, at(0));
        return sent_by(server).substr(9, 3);
    };
    const std::string start = "GET / HTTP/1.1\r\nHost: h\r\n";
    EXPECT_EQ(status_of(start + "A: 1\r\nB: 2\r\n\r\n"), "204");
    EXPECT_EQ(status_of(start + "A: 1\r\nB: 2\r\nC: 3\r\n\r\n"), "431");
    EXPECT_EQ(status_of(start + "A: " + std::string(200, 'x') + "\r\n\r\n"), "204");
    EXPECT_EQ(status_of(start + "A: " + std::string(300, 'x') + "\r\n\r\n"), "431");
    EXPECT_EQ(status_of(start + "A: " + std::string(100000, 'x')), "431");
    EXPECT_EQ(status_of("GET /" + std::string(100000, 'x')), "431");
    const std::string chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    EXPECT_EQ(status_of(chunked + "1;" + std::string(10, 'x') + "\r\n.\r\n0\r\n\r\n"), "204");
    limits defaults;
    http1_server server(defaults);
    test::server_trace trace;
    feed(server, trace, chunked + "1;" + std::string(1000, 'x'));
    EXPECT_TRUE(trace.failures.contains(0));
}

TEST(http1_server, answers) {
    struct answer {
        const char* request;
        response message;
        std::optional<std::string> body;
        bool known_length;
        const char* text;
        bool closes = false;
    };
    const answer answers[] = {
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
         {200, {{"X", "y"}}},
         "hello",
         true,
         "HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 5\r\n\r\nhello"},
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
         {404, {}},
         std::nullopt,
         false,
         "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"},
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
         {200, {}},
         "hello",
         false,
         "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nend: 1\r\n\r\n"},
        {"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", {200, {}}, "hello", true, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"},
        {"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
         {200, {{"content-length", "7"}}},
         std::nullopt,
         false,
         "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n"},
        {"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
         {200, {}},
         "hello",
         false,
         "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"},
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", {204, {}}, std::nullopt, false, "HTTP/1.1 204 No Content\r\n\r\n"},
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
         {304, {{"etag", "\"a\""}}},
         std::nullopt,
         false,
         "HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n"},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
         {200, {}},
         "hello",
         true,
         "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
         true},
        {"GET / HTTP/1.0\r\n\r\n",
         {200, {}},
         "hello",
         true,
         "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
         true},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
         {200, {}},
         "hello",
         true,
         "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\n\r\nhello"},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
         {200, {}},
         "hello",
         false,
         "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello",
         true},
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
         {200, {{"x", "a\r\nb: c"}}},
         "hello",
         true,
         "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"},
        {"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
         {405, {}},
         std::nullopt,
         false,
         "HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
         true},
    };
    for (const auto& a : answers) {
        for (std::size_t room : {64u, 100u, 16384u}) {
            http1_server server;
            test::server_trace trace;
            feed(server, trace, a.request);
            std::unique_ptr<body_source> body;
            if (a.body) {
                auto piecewise = std::make_unique<test::piecewise_body>(*a.body, 5, fields{{"end", "1"}});
                if (a.known_length) piecewise->length = a.body->size();
                body = std::move(piecewise);
            }
            server.respond(0, a.message, std::move(body), at(0));
            EXPECT_EQ(sent_by(server, at(0), room), a.text) << a.request;
            trace.run(server, at(0));
            EXPECT_TRUE(trace.text.ends_with(a.closes ? "finished 0; closed; " : "finished 0; ")) << trace.text;
            EXPECT_EQ(server.finished_sending(), a.closes);
        }
    }
}

TEST(http1_server, chunks_that_are_shorter_than_the_room) {
    http1_server server;
    test::server_trace trace;
    feed(server, trace, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    std::string big(5000, 'x');
    server.respond(0, {200, {}}, std::make_unique<test::piecewise_body>(big, 3000), at(0));
    EXPECT_EQ(sent_by(server), "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nbb8\r\n" + std::string(3000, 'x') +
                                   "\r\n7d0\r\n" + std::string(2000, 'x') + "\r\n0\r\n\r\n");
}

TEST(http1_server, answers_pipelined_requests_in_order_and_reads_one_at_a_time) {
    http1_server server;
    test::server_trace trace;
    std::string all;
    for (int i = 0; i < 3; ++i) all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
    auto left = feed(server, trace, all);
    EXPECT_EQ(left.size(), all.size() / 3 * 2);
    EXPECT_FALSE(server.wants_to_receive());
    std::string answers;
    for (request_id id = 0; id < 3; ++id) {
        server.respond(id, {200, {}}, std::make_unique<memory_body>(std::to_string(id)), at(0));
        answers += sent_by(server);
        left = feed(server, trace, left);
    }
    EXPECT_EQ(trace.text,
              "request 0 GET https://h/0; received 0; finished 0; request 1 GET https://h/1; received 1; finished 1; "
              "request 2 GET https://h/2; received 2; finished 2; ");
    EXPECT_NE(answers.find("\r\n\r\n2"), std::string::npos);
}

TEST(http1_server, continue_is_sent_when_the_application_has_not_answered) {
    const std::string head = "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    http1_server server;
    test::server_trace trace;
    feed(server, trace, head);
    EXPECT_EQ(sent_by(server), "HTTP/1.1 100 Continue\r\n\r\n");
    feed(server, trace, "abc");
    server.respond(0, {201, {}}, nullptr, at(0));
    EXPECT_EQ(sent_by(server), "HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n");
    EXPECT_FALSE(server.finished_sending());

    http1_server strict;
    test::server_trace refused;
    feed(strict, refused, head);
    strict.respond(0, {413, {}}, nullptr, at(0));
    EXPECT_EQ(sent_by(strict), "HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    EXPECT_TRUE(strict.finished_sending());  // the body may or may not come: nothing after it can be trusted

    http1_server eager;  // the client did not wait
    test::server_trace body_came;
    feed(eager, body_came, head + "abc");
    EXPECT_EQ(sent_by(eager), "");
    eager.respond(0, {201, {}}, nullptr, at(0));
    EXPECT_EQ(sent_by(eager), "HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n");
}

TEST(http1_server, interim_responses_come_before_the_answer) {
    for (bool old : {false, true}) {
        http1_server server;
        test::server_trace trace;
        feed(server, trace, old ? "GET / HTTP/1.0\r\n\r\n" : "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        server.inform(0, {103, {{"link", "</a>"}}}, at(0));
        server.inform(0, {101, {}}, at(0));
        EXPECT_EQ(sent_by(server), old ? "" : "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
        server.inform(0, {102, {}}, at(0));
        server.inform(0, {103, {}}, at(0));
        server.respond(0, {204, {}}, nullptr, at(0));
        server.inform(0, {103, {}}, at(0));
        EXPECT_EQ(sent_by(server),
                  old ? "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
                      : "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
    }
}

TEST(http1_server, throws_away_a_body_nobody_wants_up_to_a_limit) {
    for (bool large : {false, true}) {
        limits small;
        small.discarded_body = 100;
        http1_server server(small);
        test::server_trace trace;
        trace.read_bodies = false;
        std::size_t length = large ? 1000 : 50;
        feed(server, trace, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n");
        server.respond(0, {403, {}}, nullptr, at(0));
        sent_by(server);
        std::string rest = std::string(length, 'x') + "GET /next HTTP/1.1\r\nHost: h\r\n\r\n";
        for (std::string_view left = rest; !left.empty() && server.wants_to_receive();) {
            auto piece = left.substr(0, 30);
            left = left.substr(piece.size() - feed(server, trace, piece).size());
        }
        trace.run(server, at(0));
        EXPECT_EQ(server.finished_sending(), large);
        EXPECT_EQ(trace.text.find("/next") != std::string::npos, !large) << trace.text;
    }
}

TEST(http1_server, a_body_that_is_refused_does_not_cost_the_answer) {
    http1_server server;
    test::server_trace trace;
    trace.read_bodies = false;
    feed(server, trace, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nabc");
    server.refuse_body(0, at(0));
    server.respond(0, {413, {}}, nullptr, at(0));
    EXPECT_EQ(feed(server, trace, std::string(200'000, 'x')), "");  // taken and thrown away: the client must get to its answer
    EXPECT_EQ(sent_by(server), "HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    trace.run(server, at(0));
    EXPECT_TRUE(server.finished_sending());
    EXPECT_TRUE(trace.text.ends_with("finished 0; closed; ")) << trace.text;
}

TEST(http1_server, stops_receiving_until_the_application_reads) {
    limits small;
    small.body_buffer = 8;
    http1_server server(small);
    test::server_trace trace;
    trace.read_bodies = false;
    std::string text = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n01234567890123456789";
    auto left = feed(server, trace, text);
    EXPECT_EQ(left.size(), 12u);
    EXPECT_FALSE(server.wants_to_receive());
    server.on_room([&](time_point now) { left.remove_prefix(server.receive(bytes_of(left), {}, now)); });
    EXPECT_EQ(test::read_all(server, 0, at(0), 5), "01234567890123456789");
    trace.run(server, at(0));
    EXPECT_TRUE(trace.text.ends_with("received 0; "));
}

TEST(http1_server, slow_heads_and_idle_connections_end) {
    http1_server server;
    test::server_trace trace;
    EXPECT_FALSE(server.next_timeout());
    sent_by(server, at(0));
    EXPECT_EQ(server.next_timeout(), at(60000));
    feed(server, trace, "GET / HT", at(1000));
    EXPECT_EQ(server.next_timeout(), at(31000));
    feed(server, trace, "TP/1.1\r\n", at(30000));  // drops of water do not help
    server.on_timeout(at(30999));
    EXPECT_EQ(sent_by(server, at(30999)), "");
    server.on_timeout(at(31000));
    EXPECT_TRUE(sent_by(server, at(31000)).starts_with("HTTP/1.1 408 "));
    EXPECT_TRUE(server.finished_sending());

    http1_server idle;
    test::server_trace quiet;
    feed(idle, quiet, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", at(0));
    EXPECT_FALSE(idle.next_timeout());  // it is the application's turn
    idle.respond(0, {204, {}}, nullptr, at(5000));
    sent_by(idle, at(5000));
    EXPECT_EQ(idle.next_timeout(), at(65000));
    idle.on_timeout(at(65000));
    quiet.run(idle, at(65000));
    EXPECT_TRUE(quiet.text.ends_with("finished 0; closed; "));
    EXPECT_FALSE(idle.next_timeout());
}

TEST(http1_server, an_early_end_fails_the_request) {
    for (bool clean : {false, true}) {
        http1_server server;
        test::server_trace trace;
        feed(server, trace, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc");
        server.receive_end(clean, at(0));
        trace.run(server, at(0));
        EXPECT_EQ(trace.text, "request 0 POST https://h/ content-length=5 +body; failed 0 connection_lost; closed; ");
    }
}

TEST(http1_server, answers_a_client_that_has_shut_down_its_half) {
    http1_server server;
    test::server_trace trace;
    feed(server, trace, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    server.receive_end(true, at(0));
    server.respond(0, {200, {}}, std::make_unique<memory_body>(std::string("late")), at(1));
    EXPECT_TRUE(sent_by(server).ends_with("late"));
    trace.run(server, at(1));
    EXPECT_TRUE(trace.text.ends_with("finished 0; closed; "));
}

TEST(http1_server, a_response_body_that_breaks_ends_the_connection_at_once) {
    for (bool shorter : {false, true}) {
        http1_server server;
        test::server_trace trace;
        feed(server, trace, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        auto body = std::make_unique<test::piecewise_body>("hello", 100);
        body->length = shorter ? 9 : 5;
        if (!shorter) body->break_at = 2;
        server.respond(0, {200, {}}, std::move(body), at(0));
        sent_by(server);
        trace.run(server, at(0));
        EXPECT_TRUE(trace.text.ends_with("failed 0 body_failed; closed; ")) << trace.text;
        EXPECT_NE(server.error()->code, static_cast<std::uint64_t>(h3_error::no_error));
    }
}

TEST(http1_server, closes_after_the_request_under_way) {
    http1_server server;
    test::server_trace trace;
    feed(server, trace, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    server.close(at(0));
    EXPECT_FALSE(server.finished_sending());
    server.respond(0, {204, {}}, nullptr, at(0));
    EXPECT_EQ(sent_by(server), "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
    EXPECT_TRUE(server.finished_sending());

    http1_server unused;
    unused.close(at(0));
    EXPECT_TRUE(unused.finished_sending());
}

TEST(http1_server, says_which_bytes_carry_which_response) {
    http1_server server({}, "https", true);
    test::server_trace trace;
    std::string out;
    for (request_id id = 0; id < 2; ++id) {
        feed(server, trace, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        server.respond(id, {200, {}}, std::make_unique<memory_body>(std::string(100 + id, 'x')), at(0));
        out += sent_by(server);
    }
    auto carried = server.drain_carried();
    std::uint64_t end = 0;
    std::uint64_t of[2] = {};
    for (const auto& c : carried) {
        EXPECT_EQ(c.begin, end);
        end = c.end;
        of[c.request] += c.end - c.begin;
    }
    EXPECT_EQ(end, out.size());
    EXPECT_EQ(of[1], of[0] + 1);
    EXPECT_TRUE(server.drain_carried().empty());
}

}  // namespace
}  // namespace tandem::http
