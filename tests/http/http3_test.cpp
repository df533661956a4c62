#include <gtest/gtest.h>

#include <tandem/http/http3_client.hpp>
#include <tandem/http/http3_server.hpp>

#include "fake_transport.hpp"
#include "session_trace.hpp"

namespace tandem::http {
namespace {

using test::at;

constexpr auto code_of(h3_error e) { return static_cast<std::uint64_t>(e); }

// A client and a server on one connection in memory, both applications reading at once.
struct http3 : testing::Test {
    http3() { make({}, {}); }

    void make(const limits& client_limits, const limits& server_limits) {
        client_end.emplace(quic::perspective::client);
        server_end.emplace(quic::perspective::server);
        client_end->connect(*server_end);
        server_end->connect(*client_end);
        client.emplace(*client_end, client_limits);
        server.emplace(*server_end, server_limits);
    }
    void run(double ms = 0) {
        for (int i = 0; i < 8; ++i) {
            client->pump(at(ms));
            asked.run(*client, at(ms));
            server->pump(at(ms));
            served.run(*server, at(ms));
        }
    }
    request_id get(std::string path, std::optional<priority> p = {}) {
        return client->submit({.authority = "host", .path = std::move(path), .priority = p}, nullptr, at(0));
    }

    std::optional<test::fake_transport> client_end, server_end;
    std::optional<http3_client> client;
    std::optional<http3_server> server;
    test::client_trace asked;
    test::server_trace served;
};

TEST_F(http3, request_and_response) {
    EXPECT_FALSE(client->can_submit());
    run();
    EXPECT_TRUE(client->can_submit());
    get("/a?b");
    run();
    EXPECT_EQ(served.text, "request 0 GET https://host/a?b; received 0; ");
    server->respond(0, {200, {{"x", "y"}}}, std::make_unique<memory_body>(std::string(100000, 'z')), at(0));
    run();
    EXPECT_EQ(asked.text, "response 0 200 x=y content-length=100000 +body; finished 0; ");
    EXPECT_EQ(asked.bodies[0], std::string(100000, 'z'));
    EXPECT_TRUE(served.text.ends_with("finished 0; "));
    EXPECT_EQ(server->active_requests(), 0u);
}

TEST_F(http3, bodies_and_trailers_both_ways) {
    request message{.method = "POST", .authority = "host"};
    client->submit(message, std::make_unique<test::piecewise_body>("question", 3, fields{{"t-one", "1"}}), at(0));
    run();
    EXPECT_EQ(served.text, "request 0 POST https://host/ +body; trailers 0 t-one=1; received 0; ");
    EXPECT_EQ(served.bodies[0], "question");
    server->respond(0, {200, {}}, std::make_unique<test::piecewise_body>("answer", 4, fields{{"t-two", "2"}}), at(0));
    run();
    EXPECT_EQ(asked.text, "response 0 200 +body; trailers 0 t-two=2; finished 0; ");
    EXPECT_EQ(asked.bodies[0], "answer");
}

TEST_F(http3, answers_without_bodies) {
    client->submit({.method = "HEAD", .authority = "host"}, nullptr, at(0));
    get("/1");
    get("/2");
    run();
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string("hello")), at(0));
    server->respond(1, {204, {}}, nullptr, at(0));
    server->respond(2, {304, {}}, std::make_unique<memory_body>(std::string("hello")), at(0));
    run();
    EXPECT_EQ(asked.text,
              "response 0 200 content-length=5; finished 0; response 1 204; finished 1; response 2 304 content-length=5; finished 2; ");
}

TEST_F(http3, streams_do_not_wait_for_each_other) {
    get("/0");
    get("/1");
    run();
    client_end->held.insert(0);
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string("first")), at(0));
    server->respond(1, {200, {}}, std::make_unique<memory_body>(std::string("second")), at(0));
    run();
    EXPECT_EQ(asked.text, "response 1 200 content-length=6 +body; finished 1; ");
    client_end->release(0);
    run();
    EXPECT_EQ(asked.bodies[0], "first");
}

TEST_F(http3, a_body_that_comes_later) {
    get("/");
    run();
    bool paused = false;
    auto body = std::make_unique<test::piecewise_body>("hello world", 100);
    body->pause_at = 5;
    body->paused = &paused;
    server->respond(0, {200, {}}, std::move(body), at(0));
    run();
    EXPECT_TRUE(paused);
    EXPECT_EQ(asked.bodies[0], "hello");
    server->resume_body(0);
    run();
    EXPECT_EQ(asked.bodies[0], "hello world");
    EXPECT_TRUE(asked.text.ends_with("finished 0; "));
}

TEST_F(http3, writes_as_the_transport_has_room) {
    server_end->room = 1000;
    get("/");
    run();
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string(50000, 'z')), at(0));
    for (int i = 0; i < 100; ++i) run();
    EXPECT_EQ(asked.bodies[0].size(), 50000u);
    EXPECT_TRUE(served.text.ends_with("finished 0; "));
}

TEST_F(http3, stops_reading_until_the_application_reads) {
    limits small;
    small.body_buffer = 1000;
    make(small, {});
    server_end->room = 5000;
    asked.read_bodies = false;
    get("/");
    run();
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string(100000, 'z')), at(0));
    for (int i = 0; i < 10; ++i) run();
    EXPECT_LT(server_end->sent[0].size(), 30000u);  // a read of 16 KiB, and what the transport holds
    std::string all;
    for (int i = 0; i < 100; ++i) {
        all += test::read_all(*client, 0, at(i));
        run(i);
    }
    EXPECT_EQ(all.size(), 100000u);
    EXPECT_TRUE(asked.text.ends_with("finished 0; "));
}

TEST_F(http3, one_read_loop_drains_a_paused_stream) {
    limits small;
    small.body_buffer = 1000;
    make(small, {});
    asked.read_bodies = false;
    get("/");
    run();
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string(100000, 'z')), at(0));
    run();
    EXPECT_EQ(test::read_all(*client, 0, at(1)).size(), 100000u);  // without a pump in between
}

TEST_F(http3, requests_wait_for_streams) {
    client_end->max_bidirectional = 1;
    get("/0");
    get("/1");
    run();
    EXPECT_EQ(served.requests.size(), 1u);
    EXPECT_FALSE(client->can_submit());
    client_end->allow_more(1);
    run();
    EXPECT_EQ(served.requests.size(), 2u);
    EXPECT_TRUE(client->can_submit());
}

TEST_F(http3, priorities_reach_both_transports) {
    get("/0", priority{1, true});
    get("/1");
    get("/2", priority{3, true});
    run();
    auto last = [](const test::fake_transport& end, std::uint64_t stream) {
        std::optional<priority> found;
        for (const auto& [id, p] : end.priorities) {
            if (id == stream) found = p;
        }
        return found;
    };
    EXPECT_EQ(last(*client_end, 0), (priority{1, true}));
    EXPECT_EQ(last(*server_end, 0), (priority{1, true}));
    EXPECT_EQ(last(*client_end, 4), (priority{3, false}));
    EXPECT_EQ(last(*server_end, 4), (priority{3, false}));  // RFC 9218's default is not the transport's
    EXPECT_EQ(last(*server_end, 8).value_or(priority{3, true}), (priority{3, true}));
    EXPECT_EQ(served.requests[0].priority, (priority{1, true}));
    EXPECT_FALSE(served.requests[1].priority);
    // PRIORITY_UPDATE on the client's control stream (RFC 9218 7.2): stream 4, "u=0".
    server_end->inject(2, std::string("\x80\x0f\x07\x00\x04\x04u=0", 9));
    run();
    EXPECT_EQ(last(*server_end, 4), (priority{0, false}));
}

TEST_F(http3, cancelling_resets_with_the_right_code) {
    get("/");
    run();
    server->respond(0, {200, {}}, std::make_unique<test::piecewise_body>(std::string(10, 'z')), at(0));
    client->cancel(0, at(1));
    run();
    EXPECT_EQ(client_end->stops.at(0), code_of(h3_error::request_cancelled));
    EXPECT_EQ(asked.text, "failed 0 cancelled; ");
    EXPECT_TRUE(served.text.ends_with("failed 0 reset; ")) << served.text;
    EXPECT_FALSE(client_end->closed_with);
    get("/again");
    run();
    EXPECT_TRUE(served.requests.contains(1));
}

TEST_F(http3, a_server_that_rejects_lets_the_client_try_again) {
    get("/0");
    get("/1");
    run();
    server->reset(0, h3_error::request_rejected, at(0));
    server->reset(1, h3_error::internal_error, at(0));
    run();
    EXPECT_EQ(asked.text, "failed 0 rejected retryable; failed 1 reset; ");
    EXPECT_EQ(asked.failures[1].code, code_of(h3_error::internal_error));
}

TEST_F(http3, a_body_that_breaks_resets_its_stream_only) {
    get("/0");
    get("/1");
    run();
    auto broken = std::make_unique<test::piecewise_body>("hello", 100);
    broken->break_at = 2;
    auto shorter = std::make_unique<test::piecewise_body>("hello", 100);
    shorter->length = 9;
    server->respond(0, {200, {}}, std::move(broken), at(0));
    server->respond(1, {200, {}}, std::move(shorter), at(0));
    run();
    EXPECT_TRUE(asked.failures.contains(0));
    EXPECT_TRUE(asked.failures.contains(1));
    EXPECT_EQ(asked.failures[0].code, code_of(h3_error::internal_error));
    EXPECT_EQ(served.failures[0].kind, failure_kind::body_failed);
    EXPECT_FALSE(server_end->closed_with);
}

TEST_F(http3, an_answer_before_the_end_of_the_request) {
    auto body = std::make_unique<test::piecewise_body>(std::string(100, 'q'), 10);
    body->pause_at = 50;
    client->submit({.method = "POST", .authority = "host"}, std::move(body), at(0));
    run();
    server->respond(0, {413, {}}, nullptr, at(0));
    run();
    EXPECT_EQ(server_end->stops.at(0), code_of(h3_error::no_error));  // RFC 9114 4.1
    EXPECT_EQ(asked.text, "response 0 413; finished 0; ");
    EXPECT_TRUE(served.text.ends_with("finished 0; "));
    EXPECT_EQ(server->active_requests(), 0u);
}

TEST_F(http3, goaway_lets_requests_under_way_end) {
    get("/0");
    run();
    server->close(at(0));
    run();
    EXPECT_EQ(asked.text, "going_away; ");
    EXPECT_FALSE(client->can_submit());
    get("/late");
    asked.run(*client, at(0));
    EXPECT_TRUE(asked.text.ends_with("failed 1 closed retryable; "));
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string("bye")), at(0));
    server->pump(at(0));
    EXPECT_FALSE(server_end->closed_with);  // the transport has not delivered it yet
    run();
    EXPECT_EQ(asked.bodies[0], "bye");
    server_end->finish(0);
    run();
    EXPECT_EQ(server_end->closed_with, code_of(h3_error::no_error));
    EXPECT_EQ(client_end->closed_with, code_of(h3_error::no_error));
}

TEST_F(http3, requests_the_server_did_not_see_before_goaway_are_rejected) {
    run();
    server_end->held.insert(0);
    server->close(at(0));
    get("/0");
    client->pump(at(0));
    server->pump(at(0));
    run();
    EXPECT_EQ(asked.text, "going_away; failed 0 rejected retryable; closed; ");
}

TEST_F(http3, client_close_ends_the_connection_when_done) {
    get("/0");
    run();
    client->close(at(0));
    run();
    EXPECT_FALSE(client_end->closed_with);
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string("x")), at(0));
    run();
    EXPECT_EQ(client_end->closed_with, code_of(h3_error::no_error));
    EXPECT_TRUE(asked.text.ends_with("finished 0; closed; "));
}

TEST_F(http3, a_lost_connection_fails_what_is_under_way) {
    get("/0");
    client->submit({.method = "POST", .authority = "host"}, nullptr, at(0));
    get("/2");
    run();
    server->respond(2, {200, {}}, std::make_unique<test::piecewise_body>("part", 4), at(0));
    asked.read_bodies = false;
    run();
    client->connection_lost({0, false, "gone"}, at(1));
    asked.run(*client, at(1));
    EXPECT_EQ(asked.text, "response 2 200 +body; failed 0 connection_lost retryable; failed 1 connection_lost; ");
    EXPECT_EQ(test::read_all(*client, 2, at(2)), "part");  // it had come whole
    asked.run(*client, at(2));
    EXPECT_TRUE(asked.text.ends_with("finished 2; closed; "));
    server->connection_lost({0, true, "gone"}, at(1));
    served.run(*server, at(1));
    EXPECT_TRUE(served.text.ends_with("failed 0 connection_lost; failed 1 connection_lost; closed; ")) << served.text;
}

TEST_F(http3, application_waits_are_in_the_ledger) {
    asked.read_bodies = false;
    get("/");
    run(0);
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string(1000, 'z')), at(10));
    run(10);
    EXPECT_EQ(test::read_all(*client, 0, at(15)).size(), 1000u);
    asked.run(*client, at(15));
    EXPECT_EQ(asked.ledgers.at(0).byte_nanoseconds(wait_cause::application), 1000u * 5000000u);
    EXPECT_EQ(asked.ledgers.at(0).total(), asked.ledgers.at(0).sum());
    EXPECT_EQ(client->ledger().total(), asked.ledgers.at(0).total());
}

TEST_F(http3, field_sections_over_the_limit) {
    limits small;
    small.field_section_size = 500;
    small.field_count = 5;
    make({}, small);
    client->submit({.authority = "host", .fields = {{"x", std::string(600, 'y')}}}, nullptr, at(0));
    request many{.authority = "host"};
    for (int i = 0; i < 6; ++i) many.fields.append("x" + std::to_string(i), "");
    client->submit(many, nullptr, at(0));
    get("/fine");
    run();
    EXPECT_EQ(asked.text, "response 0 431; finished 0; response 1 431; finished 1; ");
    EXPECT_EQ(served.text, "request 2 GET https://host/fine; received 2; ");

    make(small, {});
    asked = {};
    served = {};
    get("/");
    run();
    server->respond(0, {200, {{"x", std::string(600, 'y')}}}, nullptr, at(0));
    run();
    EXPECT_EQ(asked.text, "failed 0 too_large; ");
}

TEST_F(http3, trailers_over_the_limit) {
    limits small;
    small.field_section_size = 500;
    make({}, small);
    client->submit({.method = "POST", .authority = "host"},
                   std::make_unique<test::piecewise_body>("x", 1, fields{{"t", std::string(600, 'y')}}), at(0));
    run();
    EXPECT_EQ(served.failures[0].kind, failure_kind::too_large);
    EXPECT_EQ(server_end->stops.at(0), code_of(h3_error::excessive_load));
}

TEST_F(http3, rapid_reset_ends_the_connection) {
    limits strict;
    strict.reset_budget = 10;
    make({}, strict);
    client_end->max_bidirectional = 1000;
    for (int i = 0; i < 11; ++i) {
        auto id = get("/");
        client->pump(at(0));
        client->cancel(id, at(0));
        server->pump(at(0));
        served.run(*server, at(0));
        if (i == 9) {
            ASSERT_FALSE(server_end->closed_with);
        }
    }
    server->pump(at(0));
    EXPECT_EQ(server_end->closed_with, code_of(h3_error::excessive_load));
}

TEST_F(http3, making_the_server_reset_counts_as_well) {
    limits strict;
    strict.reset_budget = 10;
    make({}, strict);
    run();
    for (std::uint64_t i = 0; i < 11; ++i) server_end->inject_stop_sending(i * 4, code_of(h3_error::request_cancelled)), server_end->inject(i * 4, "");
    run();
    EXPECT_FALSE(server_end->closed_with);  // nothing was begun yet
    // HEADERS: GET https://a/ with indexed fields and a literal :authority.
    for (std::uint64_t i = 0; i < 11; ++i) {
        server_end->inject(100 + i * 4, std::string("\x01\x08\x00\x00\xd1\xd7\xc1\x50\x01" "a", 10));
        run();
        server_end->inject_stop_sending(100 + i * 4, code_of(h3_error::request_cancelled));
        run();
    }
    EXPECT_EQ(served.requests.size(), 11u);
    EXPECT_EQ(server_end->closed_with, code_of(h3_error::excessive_load));
}

TEST_F(http3, well_behaved_cancelling_is_no_attack) {
    limits strict;
    strict.reset_budget = 2;
    make({}, strict);
    client_end->max_bidirectional = 1000;
    for (int i = 0; i < 20; ++i) {
        auto kept = get("/kept");
        auto dropped = get("/dropped");
        run();
        server->respond(kept, {204, {}}, nullptr, at(0));
        run();
        client->cancel(dropped, at(0));
        run();
    }
    EXPECT_FALSE(server_end->closed_with);
}

struct violation {
    const char* name;
    std::uint64_t stream;
    std::string bytes;
    bool end;
    h3_error code;
};

// RFC 9114 6.2, 7.2, 8.1 as a client may break them. Stream 2 is the client's control stream, 0 a request.
TEST_F(http3, a_peer_that_breaks_the_rules_gets_the_right_code) {
    const std::string settings("\x00\x04\x00", 3);
    const std::string get_request("\x01\x08\x00\x00\xd1\xd7\xc1\x50\x01" "a", 10);
    const violation violations[] = {
        {"control stream without SETTINGS first", 2, std::string("\x00\x07\x01\x00", 4), false, h3_error::missing_settings},
        {"SETTINGS twice", 2, settings + std::string("\x04\x00", 2), false, h3_error::frame_unexpected},
        {"control stream ends", 2, settings, true, h3_error::closed_critical_stream},
        {"reserved setting of HTTP/2", 2, std::string("\x00\x04\x02\x02\x01", 5), false, h3_error::settings_error},
        {"the same setting twice", 2, std::string("\x00\x04\x04\x06\x01\x06\x02", 7), false, h3_error::settings_error},
        {"DATA on the control stream", 2, settings + std::string("\x00\x01x", 3), false, h3_error::frame_unexpected},
        {"HEADERS on the control stream", 2, settings + get_request, false, h3_error::frame_unexpected},
        {"DATA before HEADERS", 0, std::string("\x00\x01x", 3), false, h3_error::frame_unexpected},
        {"SETTINGS on a request stream", 0, std::string("\x04\x00", 2), false, h3_error::frame_unexpected},
        {"frame type of HTTP/2", 0, std::string("\x02\x00", 2), false, h3_error::frame_unexpected},
        {"push stream from a client", 2, std::string("\x01\x00", 2), false, h3_error::stream_creation_error},
        {"QPACK reference to a table that is not there", 0, std::string("\x01\x03\x02\x00\x80", 5), false, h3_error::qpack_decompression_failed},
        {"QPACK encoder stream sets a capacity that was not offered", 2, std::string("\x02\x3f\xe1\x1f", 4), false,
         h3_error::qpack_encoder_stream_error},
        {"QPACK decoder stream acknowledges nothing", 2, std::string("\x03\x80", 2), false, h3_error::qpack_decoder_stream_error},
    };
    for (const auto& v : violations) {
        make({}, {});
        server->pump(at(0));
        server_end->inject(v.stream, v.bytes, v.end);
        server->pump(at(0));
        served.run(*server, at(0));
        ASSERT_TRUE(server_end->closed_with) << v.name;
        EXPECT_EQ(h3_error_name(*server_end->closed_with), h3_error_name(code_of(v.code))) << v.name;
    }
}

TEST_F(http3, control_streams_are_critical) {
    run();
    server_end->inject_reset(2, 0);
    server->pump(at(0));
    EXPECT_EQ(server_end->closed_with, code_of(h3_error::closed_critical_stream));
    make({}, {});
    run();
    client_end->inject_stop_sending(2, 0);
    client->pump(at(0));
    EXPECT_EQ(client_end->closed_with, code_of(h3_error::closed_critical_stream));
}

TEST_F(http3, unknown_streams_and_frames_are_ignored) {
    run();
    server_end->inject(14, std::string("\x21junk", 5), true);
    server_end->inject(0, std::string("\x21\x03xyz\x01\x08\x00\x00\xd1\xd7\xc1\x50\x01" "a", 15), true);
    run();
    EXPECT_FALSE(server_end->closed_with) << server_end->closed_because;
    EXPECT_EQ(served.text, "request 0 GET https://a/ +body; received 0; ");
}

TEST_F(http3, malformed_requests_do_not_reach_the_application) {
    auto literal = [](std::string_view name, std::string_view value) {  // RFC 9204 4.5.6
        return std::string(1, static_cast<char>(0x20 | (name.size() < 7 ? name.size() : 7))) +
               (name.size() < 7 ? "" : std::string(1, static_cast<char>(name.size() - 7))) + std::string(name) +
               std::string(1, static_cast<char>(value.size())) + std::string(value);
    };
    const std::string good("\xd1\xd7\xc1\x50\x01" "a", 6);
    const std::pair<const char*, std::string> sections[] = {
        {"no :path", std::string("\xd1\xd7\x50\x01" "a", 5)},
        {"no :authority", std::string("\xd1\xd7\xc1", 3)},
        {":method twice", "\xd1" + good},
        {"pseudo-header after a field", literal("x", "y") + good},
        {"unknown pseudo-header", good + literal(":x", "y")},
        {"response pseudo-header", good + literal(":status", "200")},
        {"upper case", good + literal("X", "y")},
        {"connection field", good + literal("connection", "close")},
        {"transfer-encoding", good + literal("transfer-encoding", "chunked")},
        {"te other than trailers", good + literal("te", "gzip")},
        {"other host", good + literal("host", "b")},
        {"two lengths", good + literal("content-length", "1") + literal("content-length", "2")},
        {"malformed length", good + literal("content-length", "1x")},
        {"NUL in a value", good + literal("x", std::string_view("a\0b", 3))},
        {"LF in a value", good + literal("x", "a\nb")},
        {"user in the authority", std::string("\xd1\xd7\xc1\x50\x03" "u@a", 8)},
    };
    for (const auto& [name, section] : sections) {
        make({}, {});
        served = {};
        server->pump(at(0));
        std::string block = std::string(2, '\0') + section;
        server_end->inject(0, std::string("\x01", 1) + static_cast<char>(block.size()) + block, true);
        server->pump(at(0));
        served.run(*server, at(0));
        EXPECT_TRUE(served.requests.empty()) << name << ": " << served.text;
        auto code = server_end->closed_with ? *server_end->closed_with : server_end->resets.contains(0) ? server_end->resets[0] : 0;
        EXPECT_EQ(h3_error_name(code), "H3_MESSAGE_ERROR") << name;
    }
}

TEST_F(http3, a_body_of_another_length_than_said_is_malformed) {
    server->pump(at(0));
    std::string block = std::string("\x00\x00\xd1\xd7\xc1\x50\x01" "a\x54\x01" "5", 11);
    server_end->inject(0, std::string("\x01", 1) + static_cast<char>(block.size()) + block + std::string("\x00\x03" "abc", 5), true);
    server->pump(at(0));
    served.run(*server, at(0));
    EXPECT_TRUE(served.failures.contains(0)) << served.text;
    EXPECT_EQ(served.text.find("received"), std::string::npos);
}

}  // namespace
}  // namespace tandem::http
