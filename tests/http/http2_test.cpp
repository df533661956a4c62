#include <gtest/gtest.h>

#include <tandem/http/http2_client.hpp>
#include <tandem/http/http2_server.hpp>

#include "session_trace.hpp"

namespace tandem::http {
namespace {

using test::at;

// A client and a server, byte for byte, with applications that read at once.
class http2 : public testing::Test {
protected:
    void make(limits c, limits s) {
        client.emplace(c);
        server.emplace(s);
    }
    bool step(time_point now) {
        asked.run(*client, now);
        served.run(*server, now);
        if (answer) answer();
        std::vector<std::uint8_t> out(piece);
        const auto up = client->transmit(out, now);
        if (up > 0) server->receive(std::span(out).first(up), {}, now);
        served.run(*server, now);
        if (answer) answer();
        const auto down = server->transmit(out, now);
        to_client += down;
        if (down > 0) client->receive(std::span(out).first(down), {}, now);
        asked.run(*client, now);
        return up > 0 || down > 0;
    }
    void run(double ms = 0) {
        while (step(at(ms))) {
        }
    }
    request_id get(std::string path) { return client->submit({.authority = "host", .path = std::move(path)}, nullptr, at(0)); }
    request_id post(std::unique_ptr<body_source> body) {
        return client->submit({.method = "POST", .authority = "host"}, std::move(body), at(0));
    }

    std::optional<http2_client> client{std::in_place};
    std::optional<http2_server> server{std::in_place};
    test::client_trace asked;
    test::server_trace served;
    std::function<void()> answer;
    std::size_t piece = 100'000;
    std::uint64_t to_client = 0;
};

TEST_F(http2, request_and_response) {
    get("/a?b");
    run();
    EXPECT_EQ(served.text, "request 0 GET https://host/a?b; received 0; ");
    server->respond(0, {200, {{"x", "y"}}}, std::make_unique<memory_body>(std::string("hello")), at(0));
    run();
    EXPECT_EQ(asked.text, "response 0 200 x=y content-length=5 +body; finished 0; ");
    EXPECT_EQ(asked.bodies[0], "hello");
    EXPECT_TRUE(served.text.ends_with("finished 0; "));
    EXPECT_EQ(server->active_requests(), 0u);
}

TEST_F(http2, every_split_of_the_bytes_is_the_same) {
    for (std::size_t size : {1u, 2u, 9u, 10u, 100u}) {
        make({}, {});
        asked = {}, served = {};
        piece = size;
        post(std::make_unique<memory_body>(std::string(3000, 'q')));
        run();
        server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string(3000, 'a')), at(0));
        run();
        EXPECT_EQ(asked.text, "response 0 200 content-length=3000 +body; finished 0; ") << size;
        EXPECT_EQ(asked.bodies[0].size(), 3000u);
        EXPECT_EQ(served.bodies[0].size(), 3000u);
    }
}

TEST_F(http2, bodies_and_trailers_both_ways) {
    post(std::make_unique<test::piecewise_body>(std::string(100'000, 'q'), 999, fields{{"up", "1"}}));
    run();
    EXPECT_TRUE(served.text.ends_with("trailers 0 up=1; received 0; ")) << served.text;
    server->respond(0, {200, {}},
                    std::make_unique<test::piecewise_body>(std::string(3'000'000, 'a'), 9999, fields{{"down", "2"}}), at(0));
    run();
    EXPECT_EQ(asked.bodies[0].size(), 3'000'000u);  // more than any window
    EXPECT_TRUE(asked.text.ends_with("trailers 0 down=2; finished 0; ")) << asked.text;
}

TEST_F(http2, answers_without_bodies) {
    client->submit({.method = "HEAD", .authority = "host"}, nullptr, at(0));
    get("/1");
    run();
    server->respond(0, {200, {{"content-length", "99"}}}, nullptr, at(0));
    server->respond(1, {304, {}}, nullptr, at(0));
    run();
    EXPECT_EQ(asked.text, "response 0 200 content-length=99; finished 0; response 1 304; finished 1; ");
}

TEST_F(http2, an_application_that_does_not_read_stops_the_peer) {
    limits small;
    small.http2_stream_window = 70'000;
    make(small, {});
    asked.read_bodies = false;
    get("/");
    get("/other");
    run();
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string(1'000'000, 'z')), at(0));
    server->respond(1, {200, {}}, std::make_unique<memory_body>(std::string(50'000, 'o')), at(0));
    run();
    EXPECT_LT(to_client, 130'000u);
    EXPECT_EQ(test::read_all(*client, 1, at(1)).size(), 50'000u);  // the other stream went on
    std::string all;
    for (int i = 0; i < 100; ++i) {
        all += test::read_all(*client, 0, at(i));
        run(i);
    }
    EXPECT_EQ(all.size(), 1'000'000u);
}

TEST_F(http2, a_body_that_comes_later) {
    auto body = std::make_unique<test::piecewise_body>("abcdef");
    body->pause_at = 3;
    get("/");
    run();
    server->respond(0, {200, {}}, std::move(body), at(0));
    run();
    EXPECT_EQ(asked.bodies[0], "abc");
    server->resume_body(0);
    run();
    EXPECT_EQ(asked.bodies[0], "abcdef");
    EXPECT_TRUE(asked.text.ends_with("finished 0; "));
}

TEST_F(http2, requests_wait_for_streams) {
    limits few;
    few.http2_streams = 2;
    make({}, few);
    run();  // the server's SETTINGS
    for (int i = 0; i < 5; ++i) get("/" + std::to_string(i));
    EXPECT_FALSE(client->can_submit());
    std::size_t answered = 0, most = 0;
    answer = [&] {
        most = std::max(most, server->active_requests());
        for (; answered < served.requests.size(); ++answered) server->respond(answered, {204, {}}, nullptr, at(0));
    };
    run();
    EXPECT_EQ(answered, 5u);
    EXPECT_LE(most, 2u);
    EXPECT_TRUE(asked.text.ends_with("finished 4; ")) << asked.text;
}

TEST_F(http2, cancelling_and_resetting) {
    get("/0");
    get("/1");
    run();
    client->cancel(0, at(0));
    server->reset(1, h3_error::request_rejected, at(0));
    run();
    EXPECT_EQ(asked.text, "failed 0 cancelled; failed 1 rejected retryable; ");
    EXPECT_EQ(served.failures[0].text, "the request was reset: CANCEL");
    EXPECT_EQ(served.failures[1].kind, failure_kind::cancelled);
}

TEST_F(http2, a_body_that_breaks_resets_its_stream_only) {
    auto breaks = [] {
        auto body = std::make_unique<test::piecewise_body>(std::string(100, 'b'), 10);
        body->break_at = 50;
        return body;
    };
    post(breaks());
    get("/1");
    get("/2");
    run();
    EXPECT_EQ(asked.failures[0].kind, failure_kind::body_failed);
    server->respond(1, {200, {}}, breaks(), at(0));
    server->respond(2, {204, {}}, nullptr, at(0));
    run();
    EXPECT_EQ(asked.failures[1].kind, failure_kind::reset);
    EXPECT_EQ(served.failures[1].kind, failure_kind::body_failed);
    EXPECT_TRUE(asked.text.find("finished 2; ") != std::string::npos) << asked.text;
    EXPECT_FALSE(client->error());
}

TEST_F(http2, an_answer_before_the_end_of_the_request) {
    auto body = std::make_unique<test::piecewise_body>(std::string(100, 'q'), 10);
    body->pause_at = 50;
    post(std::move(body));
    run();
    server->respond(0, {413, {}}, nullptr, at(0));
    run();
    EXPECT_EQ(asked.text, "response 0 413; finished 0; ");
    EXPECT_TRUE(served.text.ends_with("finished 0; "));
    EXPECT_EQ(server->active_requests(), 0u);
}

TEST_F(http2, a_body_that_is_refused_does_not_cost_the_answer) {
    served.read_bodies = false;
    post(std::make_unique<memory_body>(std::string(5'000'000, 'q')));
    run();
    server->refuse_body(0, at(0));
    auto slow = std::make_unique<test::piecewise_body>(std::string(100, 'a'), 10);
    slow->pause_at = 50;
    server->respond(0, {413, {}}, std::move(slow), at(0));
    run();
    EXPECT_EQ(test::read_all(*server, 0, at(0)), "");
    server->resume_body(0);
    run();
    EXPECT_EQ(asked.bodies[0].size(), 100u);
    EXPECT_TRUE(asked.text.ends_with("finished 0; ")) << asked.text;
    // The window of the connection is whole again: another request has all of it.
    served.read_bodies = true;
    post(std::make_unique<memory_body>(std::string(5'000'000, 'r')));
    run();
    EXPECT_EQ(served.bodies[1].size(), 5'000'000u);
}

TEST_F(http2, draining_lets_requests_under_way_end) {
    get("/0");
    run();
    server->close(at(0));
    run();
    EXPECT_EQ(asked.text, "going_away; ");
    EXPECT_FALSE(client->can_submit());
    EXPECT_FALSE(server->error());
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string("late")), at(0));
    run();
    EXPECT_EQ(asked.text, "going_away; response 0 200 content-length=4 +body; finished 0; closed; ");
    EXPECT_TRUE(server->finished_sending());
    EXPECT_TRUE(client->finished_sending());
    EXPECT_EQ(client->error()->code, static_cast<std::uint64_t>(h3_error::no_error));
}

TEST_F(http2, client_close_ends_the_connection_when_done) {
    get("/0");
    client->close(at(0));
    get("/late");
    run();
    server->respond(0, {204, {}}, nullptr, at(0));
    run();
    EXPECT_EQ(asked.text, "failed 1 closed retryable; response 0 204; finished 0; closed; ");
    EXPECT_TRUE(served.text.ends_with("finished 0; closed; ")) << served.text;
    EXPECT_TRUE(client->finished_sending());
    EXPECT_TRUE(server->finished_sending());
}

TEST_F(http2, a_lost_connection_fails_what_is_under_way_but_not_what_came) {
    get("/0");
    post(nullptr);
    get("/2");
    run();
    asked.read_bodies = false;
    server->respond(2, {200, {}}, std::make_unique<memory_body>(std::string("part")), at(0));
    run();
    client->receive_end(false, at(1));
    asked.run(*client, at(1));
    EXPECT_EQ(asked.text,
              "response 2 200 content-length=4 +body; failed 0 connection_lost retryable; failed 1 connection_lost; ");
    EXPECT_EQ(test::read_all(*client, 2, at(2)), "part");
    asked.run(*client, at(2));
    EXPECT_TRUE(asked.text.ends_with("finished 2; closed; ")) << asked.text;
    server->receive_end(true, at(1));
    served.run(*server, at(1));
    EXPECT_TRUE(served.text.ends_with("failed 0 connection_lost; failed 1 connection_lost; closed; ")) << served.text;
}

TEST_F(http2, field_sections_have_a_limit) {
    limits small;
    small.field_section_size = 2000;
    make(small, small);
    client->submit({.authority = "host", .fields = {{"large", std::string(3000, 'x')}}}, nullptr, at(0));
    get("/1");
    run();
    EXPECT_EQ(served.text.find("request 0"), std::string::npos);
    EXPECT_TRUE(asked.text.find("response 0 431; finished 0; ") != std::string::npos) << asked.text;
    server->respond(1, {200, {{"large", std::string(3000, 'x')}}}, nullptr, at(0));
    run();
    EXPECT_EQ(asked.failures[1].kind, failure_kind::too_large);
}

TEST_F(http2, continue_is_sent_when_the_application_has_not_answered) {
    auto body = std::make_unique<test::piecewise_body>("data");
    body->pause_at = 0;
    client->submit({.method = "PUT", .authority = "host", .fields = {{"expect", "100-continue"}}}, std::move(body), at(0));
    run();
    run();
    client->resume_body(0);
    run();
    EXPECT_EQ(served.bodies[0], "data");
    server->respond(0, {201, {}}, nullptr, at(0));
    run();
    EXPECT_EQ(asked.text, "interim 0 100; response 0 201; finished 0; ");
}

TEST_F(http2, interim_responses_come_before_the_answer) {
    get("/");
    run();
    server->inform(0, {103, {{"link", "</a>"}}}, at(0));
    server->inform(0, {101, {}}, at(0));  // not these
    server->inform(0, {200, {}}, at(0));
    server->inform(0, {102, {{"connection", "x"}}}, at(0));
    run();
    EXPECT_EQ(asked.text, "interim 0 103 link=</a>; ");
    server->inform(0, {103, {}}, at(0));
    server->respond(0, {204, {}}, nullptr, at(0));
    server->inform(0, {103, {}}, at(0));
    run();
    EXPECT_EQ(asked.text, "interim 0 103 link=</a>; interim 0 103; response 0 204; finished 0; ");
}

TEST_F(http2, cookies_are_joined_and_host_is_checked) {
    client->submit({.authority = "host", .fields = {{"cookie", "a=1"}, {"cookie", "b=2"}}}, nullptr, at(0));
    client->submit({.authority = "host", .fields = {{"host", "other"}}}, nullptr, at(0));
    run();
    EXPECT_EQ(served.requests[0].fields.find("cookie"), "a=1; b=2");
    EXPECT_EQ(served.text.find("request 1"), std::string::npos);
    EXPECT_EQ(asked.failures.size(), 1u);
}

TEST_F(http2, whoever_begins_and_resets_again_and_again_is_put_out) {
    limits strict;
    strict.reset_budget = 20;
    make({}, strict);
    int rounds = 0;
    for (; rounds < 100 && !client->error(); ++rounds) {
        auto id = get("/");
        run();
        client->cancel(id, at(0));
        run();
    }
    EXPECT_EQ(rounds, 21);
    EXPECT_EQ(server->error()->code, static_cast<std::uint64_t>(h3_error::excessive_load));
    EXPECT_TRUE(client->error()->by_peer);
}

// --- literal bytes ---

std::vector<std::uint8_t> frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload = {}) {
    const auto n = payload.size();
    std::vector<std::uint8_t> out{static_cast<std::uint8_t>(n >> 16),
                                  static_cast<std::uint8_t>(n >> 8),
                                  static_cast<std::uint8_t>(n),
                                  type,
                                  flags,
                                  static_cast<std::uint8_t>(stream >> 24),
                                  static_cast<std::uint8_t>(stream >> 16),
                                  static_cast<std::uint8_t>(stream >> 8),
                                  static_cast<std::uint8_t>(stream)};
    out.insert(out.end(), payload.begin(), payload.end());
    return out;
}

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
// RFC 7541: GET, https, /, :authority "h", all from the static table or literal.
constexpr std::string_view get_h("\x82\x87\x84\x41\x01h", 6);

// The code of the GOAWAY the server answers these frames with; -1 without one.
int goaway_after(const std::vector<std::vector<std::uint8_t>>& frames, bool with_preface = true) {
    http2_server server;
    std::vector<std::uint8_t> in;
    if (with_preface) in.assign(preface.begin(), preface.end());
    for (const auto& f : frames) in.insert(in.end(), f.begin(), f.end());
    server.receive(in, {}, at(0));
    std::vector<std::uint8_t> out(100'000);
    out.resize(server.transmit(out, at(0)));
    for (std::size_t i = 0; i + 9 <= out.size(); i += 9 + (out[i] << 16 | out[i + 1] << 8 | out[i + 2])) {
        if (out[i + 3] == 7 && i + 17 <= out.size()) return out[i + 9 + 7];
    }
    return -1;
}

TEST(http2_rules, connection_errors_have_their_codes) {  // RFC 9113
    const auto settings = frame(4, 0, 0);
    const auto request = frame(1, 5, 1, get_h);
    EXPECT_EQ(goaway_after({settings, request}), -1);
    EXPECT_EQ(goaway_after({frame(1, 5, 1, get_h)}, false), 1) << "3.4: no preface";
    EXPECT_EQ(goaway_after({request}), 1) << "3.4: the first frame is SETTINGS";
    EXPECT_EQ(goaway_after({settings, frame(0, 0, 0, "x")}), 1) << "6.1: DATA on stream 0";
    EXPECT_EQ(goaway_after({settings, frame(1, 5, 2, get_h)}), 1) << "5.1.1: an even stream";
    EXPECT_EQ(goaway_after({settings, frame(4, 0, 1)}), 1) << "6.5: SETTINGS on a stream";
    EXPECT_EQ(goaway_after({settings, frame(4, 0, 0, "12345")}), 6) << "6.5: not a multiple of 6";
    EXPECT_EQ(goaway_after({settings, frame(4, 1, 0, "123456")}), 6) << "6.5: acknowledgment with a payload";
    EXPECT_EQ(goaway_after({settings, frame(6, 0, 0, "1234")}), 6) << "6.7: PING of another length";
    EXPECT_EQ(goaway_after({settings, frame(8, 0, 0, std::string_view("\0\0\0\0", 4))}), 1) << "6.9: increment of 0";
    EXPECT_EQ(goaway_after({settings, frame(8, 0, 0, std::string_view("\x7f\xff\xff\xff", 4))}), 3)
        << "6.9.1: window over 2^31-1";
    EXPECT_EQ(goaway_after({settings, frame(1, 1, 1, get_h), frame(6, 0, 0, "12345678")}), 1)
        << "6.10: a header block is interrupted";
    EXPECT_EQ(goaway_after({settings, frame(9, 4, 1, get_h)}), 1) << "6.10: CONTINUATION without HEADERS";
    EXPECT_EQ(goaway_after({settings, frame(1, 5, 1, "\xff\xff\xff\xff\xff\xff")}), 9) << "4.3: COMPRESSION_ERROR";
    EXPECT_EQ(goaway_after({settings, frame(5, 4, 1, std::string_view("\0\0\0\2", 4))}), 1) << "8.4: PUSH_PROMISE of a client";
    EXPECT_EQ(goaway_after({settings, frame(3, 0, 1, std::string_view("\0\0\0\0", 4))}), 1)
        << "6.4: RST_STREAM of an idle stream";
    EXPECT_EQ(goaway_after({settings, frame(0, 0, 1, std::string(20'000, 'x'))}), 6)
        << "4.2: larger than SETTINGS_MAX_FRAME_SIZE";
    EXPECT_EQ(goaway_after({settings, frame(1, 5, 5, get_h), frame(1, 5, 3, get_h)}), 1) << "5.1.1: a stream that was skipped";
    EXPECT_EQ(goaway_after({settings, frame(1, 5, 5, get_h), frame(1, 5, 9, get_h)}), -1) << "5.1.1: skipping is allowed";
    EXPECT_EQ(goaway_after({settings, frame(2, 0, 0, "12345")}), 1) << "6.3: PRIORITY on stream 0";
    EXPECT_EQ(goaway_after({settings, frame(2, 0, 7, "12345"), request}), -1) << "6.3: of an idle stream, of no effect";
    EXPECT_EQ(goaway_after({settings, frame(0x55, 0, 1, "unknown types are ignored"), request}), -1) << "4.1";
}

TEST(http2_rules, header_sections_on_their_way_are_known) {
    http2_server server;
    const auto take = [&](const std::vector<std::uint8_t>& in, double ms) { server.receive(in, {}, at(ms)); };
    take({preface.begin(), preface.end()}, 0);
    take(frame(4, 0, 0), 0);
    EXPECT_FALSE(server.unfinished_head());
    take(frame(1, 1, 1, get_h.substr(0, 2)), 5);
    take(frame(9, 0, 1, get_h.substr(2, 1)), 6);
    EXPECT_EQ(server.unfinished_head(), at(5));
    take(frame(9, 4, 1, get_h.substr(3)), 7);
    EXPECT_FALSE(server.unfinished_head());
    EXPECT_EQ(server.active_requests(), 1U);
}

TEST(http2_rules, floods_end_the_connection) {
    std::vector<std::vector<std::uint8_t>> pings{frame(4, 0, 0)};
    for (int i = 0; i < 20'000; ++i) pings.push_back(frame(6, 0, 0, "12345678"));  // CVE-2019-9512
    EXPECT_EQ(goaway_after(pings), 11);
    std::vector<std::vector<std::uint8_t>> settings{frame(4, 0, 0)};
    for (int i = 0; i < 20'000; ++i) settings.push_back(frame(4, 0, 0));  // CVE-2019-9515
    EXPECT_EQ(goaway_after(settings), 11);
    std::vector<std::vector<std::uint8_t>> endless{frame(4, 0, 0), frame(1, 1, 1, get_h)};
    for (int i = 0; i < 1000; ++i) endless.push_back(frame(9, 0, 1, std::string_view("\x40\x01x\x01y", 5)));  // CVE-2024-28182
    EXPECT_GT(goaway_after(endless), 0);
}

TEST(http2_rules, random_bytes_do_no_harm) {
    std::uint64_t state = 42;
    for (int round = 0; round < 300; ++round) {
        http2_server server;
        test::server_trace trace;
        std::vector<std::uint8_t> in(preface.begin(), preface.end());
        auto settings = frame(4, 0, 0);
        in.insert(in.end(), settings.begin(), settings.end());
        for (int i = 0; i < 20; ++i) {
            std::string payload;
            for (std::size_t n = (state >> 33) % 30; n > 0; --n)
                payload += static_cast<char>((state = state * 6364136223846793005u + 1442695040888963407u) >> 56);
            state = state * 6364136223846793005u + 1442695040888963407u;
            auto f = frame(static_cast<std::uint8_t>((state >> 40) % 11), static_cast<std::uint8_t>(state >> 48),
                           (state >> 35) % 8, payload);
            in.insert(in.end(), f.begin(), f.end());
        }
        server.receive(in, {}, at(0));
        trace.run(server, at(0));
        std::vector<std::uint8_t> out(100'000);
        server.transmit(out, at(0));
        trace.run(server, at(0));
        server.receive_end(true, at(1));
        trace.run(server, at(1));
        EXPECT_TRUE(trace.text.ends_with("closed; "));
    }
}

}  // namespace
}  // namespace tandem::http
