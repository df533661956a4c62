#include <gtest/gtest.h>

#include <tandem/http/http1_client.hpp>

#include "session_trace.hpp"

namespace tandem::http {
namespace {

using test::at;
using test::bytes_of;

std::string sent_by(http1_client& client, time_point now = at(0), std::size_t room = 16384) {
    std::string text;
    std::string out(room, '\0');
    while (auto n = client.transmit({reinterpret_cast<std::uint8_t*>(out.data()), out.size()}, now)) text.append(out, 0, n);
    return text;
}

void feed(http1_client& client, test::client_trace& trace, std::string_view text, time_point now = at(0)) {
    auto left = bytes_of(text);
    while (!left.empty()) {
        auto n = client.receive(left, {}, now);
        left = left.subspan(n);
        trace.run(client, now);
        if (n == 0) break;
    }
    trace.run(client, now);
}

request get(std::string path) { return {.authority = "host", .path = std::move(path)}; }

struct exchange {
    const char* name;
    const char* method;
    const char* answer;
    const char* events;
    const char* body;
    bool ends = false;  // the stream ends cleanly after the answer
};

const exchange exchanges[] = {
    {"length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a b \r\n\r\nhello",
     "response 0 200 content-length=5 x=a b +body; finished 0; ", "hello"},
    {"empty", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "response 0 200 content-length=0; finished 0; ", ""},
    {"chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=\"y\"\r\n world\r\n0\r\n\r\n",
     "response 0 200 +body; finished 0; ", "hello world"},
    {"chunked, upper-case hexadecimal", "GET",
     "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n0A\r\n0123456789\r\n000\r\n\r\n", "response 0 200 +body; finished 0; ",
     "0123456789"},
    {"chunked, empty", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "response 0 200 +body; finished 0; ", ""},
    {"trailers", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nDigest: d\r\nB: 2\r\n\r\n",
     "response 0 200 +body; trailers 0 digest=d b=2; finished 0; ", "abc"},
    {"until close", "GET", "HTTP/1.0 200 OK\r\nServer: old\r\n\r\nall of it",
     "response 0 200 server=old +body; going_away; finished 0; closed; ", "all of it", true},
    {"until close, HTTP/1.1", "GET", "HTTP/1.1 200 OK\r\n\r\nxyz", "response 0 200 +body; going_away; finished 0; closed; ",
     "xyz", true},
    {"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "response 0 200 content-length=1000; finished 0; ", ""},
    {"HEAD, chunked", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "response 0 200; finished 0; ", ""},
    {"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", "response 0 204; finished 0; ", ""},
    {"304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: \"a\"\r\n\r\n",
     "response 0 304 content-length=77 etag=\"a\"; finished 0; ", ""},
    {"interim", "GET",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
     "interim 0 100; interim 0 103 link=</a>; response 0 200 content-length=2 +body; finished 0; ", "ok"},
    {"no reason phrase", "GET", "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\n.",
     "response 0 200 content-length=1 +body; finished 0; ", "."},
    {"close", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n.",
     "response 0 200 content-length=1 +body; going_away; finished 0; closed; ", "."},
    {"HTTP/1.0 keep-alive", "GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n.",
     "response 0 200 content-length=1 +body; finished 0; ", "."},
};

TEST(http1_client, takes_answers_split_at_every_position) {
    for (const auto& e : exchanges) {
        std::string_view answer = e.answer;
        for (std::size_t split = 0; split <= answer.size(); ++split) {
            http1_client client;
            test::client_trace trace;
            auto message = get("/");
            message.method = e.method;
            client.submit(message, nullptr, at(0));
            sent_by(client);
            feed(client, trace, answer.substr(0, split));
            feed(client, trace, answer.substr(split));
            if (e.ends) {
                client.receive_end(true, at(1));
                trace.run(client, at(1));
            }
            // "going away" is told with the body, which may come before or after the split.
            EXPECT_EQ(trace.text, e.events) << e.name << " split at " << split;
            EXPECT_EQ(trace.bodies[0], e.body) << e.name << " split at " << split;
        }
    }
}

TEST(http1_client, takes_answers_byte_by_byte) {
    for (const auto& e : exchanges) {
        http1_client client;
        test::client_trace trace;
        auto message = get("/");
        message.method = e.method;
        client.submit(message, nullptr, at(0));
        sent_by(client);
        for (char c : std::string_view(e.answer)) feed(client, trace, std::string_view(&c, 1));
        if (e.ends) client.receive_end(true, at(1));
        trace.run(client, at(1));
        EXPECT_EQ(trace.text, e.events) << e.name;
        EXPECT_EQ(trace.bodies[0], e.body) << e.name;
    }
}

TEST(http1_client, refuses_answers) {
    const std::pair<const char*, std::string> answers[] = {
        {"both framings", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {"both framings, the other way", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"},
        {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"},
        {"a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n"},
        {"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"},
        {"folded line", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"},
        {"space before colon", "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"},
        {"bare LF", "HTTP/1.1 200 OK\r\nX: a\nContent-Length: 0\r\n\r\n"},
        {"bare CR", "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n"},
        {"NUL", std::string("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", 27)},
        {"other coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
        {"chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n"},
        {"HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n"},
        {"status of two digits", "HTTP/1.1 20 OK\r\n\r\n"},
        {"unasked switch", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"},
        {"chunk without size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"},
        {"chunk size with 0x", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"},
        {"chunk size too large", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n"},
        {"chunk line with bare LF", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"},
        {"last chunk with bare LF", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\n"},
        {"chunk longer than it says", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n"},
        {"LF in a quoted extension", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"},
        {"length among trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n"},
        {"folded trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\r\n\r\n"},
    };
    for (const auto& [name, answer] : answers) {
        for (bool bytewise : {false, true}) {
            http1_client client;
            test::client_trace trace;
            client.submit(get("/"), nullptr, at(0));
            sent_by(client);
            if (bytewise) {
                for (char c : answer) feed(client, trace, std::string_view(&c, 1));
            } else {
                feed(client, trace, answer);
            }
            ASSERT_TRUE(trace.failures.contains(0)) << name << ": " << trace.text;
            EXPECT_EQ(trace.failures[0].kind, failure_kind::malformed) << name;
            EXPECT_TRUE(client.finished_sending()) << name;
            EXPECT_FALSE(client.can_submit()) << name;
        }
    }
}

TEST(http1_client, limits_what_it_holds) {
    auto refused = [](const std::string& answer, const limits& l) {
        http1_client client(l);
        test::client_trace trace;
        client.submit(get("/"), nullptr, at(0));
        sent_by(client);
        feed(client, trace, answer);
        return trace.failures.contains(0);
    };
    limits small;
    small.field_section_size = 200;
    small.field_count = 4;
    small.interim_responses = 2;
    small.chunk_header = 32;
    const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
    EXPECT_FALSE(refused(ok + "A: 1\r\nB: 2\r\nC: 3\r\n\r\n", small));
    EXPECT_TRUE(refused(ok + "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n", small));
    EXPECT_FALSE(refused(ok + "A: " + std::string(100, 'x') + "\r\n\r\n", small));
    EXPECT_TRUE(refused(ok + "A: " + std::string(200, 'x') + "\r\n\r\n", small));
    EXPECT_TRUE(refused(ok + "A: " + std::string(200, 'x'), small));  // before its end
    const std::string interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
    EXPECT_FALSE(refused(interim + interim + ok + "\r\n", small));
    EXPECT_TRUE(refused(interim + interim + interim + ok + "\r\n", small));
    const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    EXPECT_FALSE(refused(chunked + "1;" + std::string(20, 'x') + "\r\n.\r\n0\r\n\r\n", small));
    EXPECT_TRUE(refused(chunked + "1;" + std::string(40, 'x') + "\r\n.\r\n0\r\n\r\n", small));
    EXPECT_TRUE(refused(chunked + "1;" + std::string(40, 'x'), small));
    EXPECT_TRUE(refused(chunked + "0\r\nA: " + std::string(300, 'x'), small));
    EXPECT_TRUE(refused(chunked + "0\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\n\r\n", small));
}

TEST(http1_client, stops_receiving_until_the_application_reads) {
    limits small;
    small.body_buffer = 10;
    http1_client client(small);
    test::client_trace trace;
    trace.read_bodies = false;
    client.submit(get("/"), nullptr, at(0));
    sent_by(client);
    std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\nabcdefghijklmnopqrstuvwxyz";
    auto taken = client.receive(bytes_of(answer), {}, at(0));
    EXPECT_EQ(taken, answer.size() - 16);
    EXPECT_FALSE(client.wants_to_receive());
    EXPECT_EQ(client.receive(bytes_of(answer.substr(taken)), {}, at(0)), 0u);
    // Reading asks for more by itself where somebody can give it.
    client.on_room([&](time_point now) { taken += client.receive(bytes_of(answer.substr(taken)), {}, now); });
    EXPECT_EQ(test::read_all(client, 0, at(1), 7), "abcdefghijklmnopqrstuvwxyz");
    trace.run(client, at(1));
    EXPECT_EQ(trace.text, "response 0 200 content-length=26 +body; finished 0; ");
}

TEST(http1_client, writes_requests) {
    http1_client client;
    test::client_trace trace;
    request message{"POST", "https", "host:8443", "/a?b", {{"Accept", "*/*"}}, priority{1, true}};
    client.submit(message, std::make_unique<memory_body>(std::string("hello")), at(0));
    EXPECT_EQ(sent_by(client),
              "POST /a?b HTTP/1.1\r\nhost: host:8443\r\naccept: */*\r\npriority: u=1, i\r\ncontent-length: 5\r\n\r\nhello");
}

TEST(http1_client, frames_bodies_of_unknown_length_in_chunks) {
    http1_client client;
    request message{.method = "PUT", .authority = "host"};
    client.submit(message, std::make_unique<test::piecewise_body>("hello world", 5, fields{{"digest", "d"}}), at(0));
    EXPECT_EQ(sent_by(client),
              "PUT / HTTP/1.1\r\nhost: host\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\n "
              "worl\r\n1\r\nd\r\n0\r\ndigest: d\r\n\r\n");
}

TEST(http1_client, says_that_a_post_without_body_has_none) {
    http1_client client;
    client.submit({.method = "POST", .authority = "host"}, nullptr, at(0));
    EXPECT_EQ(sent_by(client), "POST / HTTP/1.1\r\nhost: host\r\ncontent-length: 0\r\n\r\n");
}

TEST(http1_client, waits_for_a_body_that_comes_later) {
    http1_client client;
    auto body = std::make_unique<test::piecewise_body>("hello", 100);
    body->length = 5;
    body->pause_at = 2;
    client.submit({.method = "PUT", .authority = "host"}, std::move(body), at(0));
    EXPECT_TRUE(sent_by(client).ends_with("\r\n\r\nhe"));
    EXPECT_EQ(sent_by(client), "");
    client.resume_body(0);
    EXPECT_EQ(sent_by(client), "llo");
}

TEST(http1_client, a_body_that_breaks_ends_the_connection) {
    for (bool shorter : {false, true}) {
        http1_client client;
        test::client_trace trace;
        auto body = std::make_unique<test::piecewise_body>("hello", 100);
        body->length = shorter ? 9 : 5;
        if (!shorter) body->break_at = 2;
        client.submit({.method = "PUT", .authority = "host"}, std::move(body), at(0));
        sent_by(client);
        trace.run(client, at(0));
        EXPECT_EQ(trace.text, "failed 0 body_failed; closed; ");
        EXPECT_TRUE(client.finished_sending());
    }
}

TEST(http1_client, sends_one_request_after_the_other) {
    http1_client client;
    test::client_trace trace;
    EXPECT_TRUE(client.can_submit());
    for (auto path : {"/0", "/1", "/2"}) client.submit(get(path), nullptr, at(0));
    EXPECT_FALSE(client.can_submit());
    EXPECT_EQ(sent_by(client), "GET /0 HTTP/1.1\r\nhost: host\r\n\r\n");
    feed(client, trace, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na");
    EXPECT_EQ(sent_by(client), "");
    feed(client, trace, "b");
    EXPECT_EQ(sent_by(client), "GET /1 HTTP/1.1\r\nhost: host\r\n\r\n");
    feed(client, trace, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nc");
    EXPECT_EQ(sent_by(client), "");
    EXPECT_EQ(trace.text,
              "response 0 200 content-length=2 +body; finished 0; response 1 200 content-length=1 +body; going_away; finished 1; "
              "failed 2 rejected retryable; closed; ");
    EXPECT_TRUE(client.finished_sending());
}

TEST(http1_client, an_early_end_fails_what_is_under_way) {
    struct sample {
        const char* method;
        const char* answer;
        bool clean;
        const char* events;
    };
    for (const auto& s : {
             sample{"GET", "", true, "failed 0 connection_lost retryable; failed 1 rejected retryable; closed; "},
             sample{"POST", "", true, "failed 0 connection_lost; failed 1 rejected retryable; closed; "},
             sample{"GET", "HTTP/1.1", true, "failed 0 connection_lost; failed 1 rejected retryable; closed; "},
             sample{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", true,
                    "response 0 200 content-length=5 +body; failed 0 connection_lost; failed 1 rejected retryable; closed; "},
             sample{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n0\r\n", true,
                    "response 0 200 +body; failed 0 connection_lost; failed 1 rejected retryable; closed; "},
             // A body that ends with the stream is only complete if the end is not an accident.
             sample{"GET", "HTTP/1.1 200 OK\r\n\r\nhel", false,
                    "response 0 200 +body; going_away; failed 0 connection_lost; failed 1 rejected retryable; closed; "},
         }) {
        http1_client client;
        test::client_trace trace;
        auto message = get("/");
        message.method = s.method;
        client.submit(message, nullptr, at(0));
        client.submit(get("/next"), nullptr, at(0));
        sent_by(client);
        feed(client, trace, s.answer);
        client.receive_end(s.clean, at(1));
        trace.run(client, at(1));
        EXPECT_EQ(trace.text, s.events) << s.answer;
    }
}

TEST(http1_client, bytes_nobody_asked_for_end_the_connection) {
    http1_client client;
    test::client_trace trace;
    feed(client, trace, "HTTP/1.1 408 Request Timeout\r\n\r\n");
    EXPECT_EQ(trace.text, "closed; ");
    EXPECT_FALSE(client.can_submit());
    client.submit(get("/"), nullptr, at(0));
    trace.run(client, at(0));
    EXPECT_EQ(trace.text, "closed; failed 0 closed retryable; ");
}

TEST(http1_client, cancels) {
    http1_client client;
    test::client_trace trace;
    client.submit(get("/0"), nullptr, at(0));
    client.submit(get("/1"), nullptr, at(0));
    client.submit(get("/2"), nullptr, at(0));
    sent_by(client);
    client.cancel(1, at(0));  // not sent yet: costs nothing
    trace.run(client, at(0));
    EXPECT_EQ(trace.text, "failed 1 cancelled; ");
    feed(client, trace, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab");
    client.cancel(0, at(0));  // under way: costs the connection
    trace.run(client, at(0));
    EXPECT_EQ(
        trace.text,
        "failed 1 cancelled; response 0 200 content-length=100 +body; failed 0 cancelled; failed 2 rejected retryable; closed; ");
}

TEST(http1_client, closes_when_all_is_done) {
    http1_client client;
    test::client_trace trace;
    client.submit(get("/0"), nullptr, at(0));
    client.close(at(0));
    EXPECT_FALSE(client.finished_sending());
    sent_by(client);
    feed(client, trace, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.");
    EXPECT_EQ(trace.text, "response 0 200 content-length=1 +body; finished 0; closed; ");
    EXPECT_TRUE(client.finished_sending());
}

TEST(http1_client, refuses_to_send_what_is_malformed) {
    http1_client client;
    test::client_trace trace;
    client.submit({.authority = "host", .path = "/", .fields = {{"x", "a\r\nInjected: yes"}}}, nullptr, at(0));
    trace.run(client, at(0));
    EXPECT_EQ(trace.text, "failed 0 malformed; ");
    EXPECT_EQ(sent_by(client), "");
}

TEST(http1_client, ledger_knows_the_queue_the_record_and_the_application) {
    http1_client client;
    test::client_trace trace;
    trace.read_bodies = false;
    client.submit(get("/0"), nullptr, at(0));
    client.submit(get("/1"), nullptr, at(0));
    sent_by(client, at(0));
    feed(client, trace, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", at(30));
    sent_by(client, at(40));  // the second request: 40 ms after it was submitted
    std::string_view head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    const tls::record_times times[] = {
        {head.size(), at(50), at(50), at(50)},
        {4, at(51), at(55), at(56)},  // waited 4 ms for a hole, 1 ms for its record
        {6, at(55), at(55), at(56)},
    };
    std::string text = std::string(head) + "0123456789";
    client.receive(bytes_of(text), times, at(56));
    EXPECT_EQ(test::read_all(client, 1, at(60)), "0123456789");  // 4 ms later
    trace.run(client, at(60));
    constexpr auto ms = 1000000u;
    const auto& ledger = trace.ledgers.at(1);
    EXPECT_EQ(ledger.byte_nanoseconds(wait_cause::http_queue), 10 * 40 * ms);
    EXPECT_EQ(ledger.byte_nanoseconds(wait_cause::own_stream_hole), 0u);
    EXPECT_EQ(ledger.byte_nanoseconds(wait_cause::other_stream_hole),
              4 * 4 * ms);  // none of this answer's bytes came at 55 before them
    EXPECT_EQ(ledger.byte_nanoseconds(wait_cause::tls_record), 10 * 1 * ms);
    EXPECT_EQ(ledger.byte_nanoseconds(wait_cause::application), (head.size() * 6 + 10 * 4) * ms);
    EXPECT_EQ(ledger.total(), ledger.sum());
    EXPECT_EQ(client.ledger().total(), ledger.total() + trace.ledgers.at(0).total());
}

TEST(http1_client, a_hole_in_its_own_answer_is_its_own) {
    http1_client client;
    test::client_trace trace;
    client.submit(get("/"), nullptr, at(0));
    sent_by(client, at(0));
    std::string_view text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
    const tls::record_times times[] = {{text.size() - 1, at(9), at(9), at(9)}, {1, at(5), at(9), at(9)}};
    client.receive(bytes_of(text), times, at(9));
    trace.run(client, at(9));
    EXPECT_EQ(trace.ledgers.at(0).byte_nanoseconds(wait_cause::own_stream_hole), 4000000u);
    EXPECT_EQ(trace.ledgers.at(0).byte_nanoseconds(wait_cause::other_stream_hole), 0u);
    EXPECT_EQ(trace.ledgers.at(0).total(), 4000000u);
}

}  // namespace
}  // namespace tandem::http
