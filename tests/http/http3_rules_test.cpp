// What a peer may not do, and what it may not make us do.
#include "http3_pair.hpp"

namespace tandem::http {
namespace {

using test::at;
using test::code_of;
using http3_rules = test::http3_pair;

TEST_F(http3_rules, field_sections_over_the_limit) {
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

TEST_F(http3_rules, interim_responses_over_the_limit) {
    for (std::size_t permitted : {0u, 1u}) {
        limits few;
        few.interim_responses = permitted;
        make(few, {});
        asked = {};
        auto body = std::make_unique<test::piecewise_body>("question", 100);
        body->pause_at = 0;
        client->submit({.method = "POST", .authority = "host", .fields = {{"expect", "100-continue"}}}, std::move(body), at(0));
        run();
        EXPECT_EQ(asked.text, permitted == 0 ? "failed 0 too_large; " : "interim 0 100; ");
    }
}

TEST_F(http3_rules, header_sections_on_their_way_are_known) {
    run();
    server_end->inject(0, std::string("\x01\x0a\0\0", 4));  // HEADERS of ten bytes
    server->pump(at(5));
    server_end->inject(0, "\xd1");
    server->pump(at(6));
    EXPECT_EQ(server->unfinished_head(), at(5));
    server_end->inject_reset(0, 0);
    server->pump(at(7));
    EXPECT_FALSE(server->unfinished_head());
}

TEST_F(http3_rules, interim_responses_come_before_the_answer) {
    get("/");
    run();
    server->inform(0, {103, {{"link", "</a>"}}}, at(0));
    server->inform(0, {101, {}}, at(0));
    run();
    EXPECT_EQ(asked.text, "interim 0 103 link=</a>; ");
    server->inform(0, {103, {}}, at(0));
    server->respond(0, {204, {}}, nullptr, at(0));
    run();
    EXPECT_EQ(asked.text, "interim 0 103 link=</a>; interim 0 103; response 0 204; finished 0; ");
}

TEST_F(http3_rules, trailers_over_the_limit) {
    limits small;
    small.field_section_size = 500;
    make({}, small);
    client->submit({.method = "POST", .authority = "host"},
                   std::make_unique<test::piecewise_body>("x", 1, fields{{"t", std::string(600, 'y')}}), at(0));
    run();
    EXPECT_EQ(served.failures[0].kind, failure_kind::too_large);
    EXPECT_EQ(server_end->stops.at(0), code_of(h3_error::excessive_load));
}

TEST_F(http3_rules, rapid_reset_ends_the_connection) {
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

TEST_F(http3_rules, making_the_server_reset_counts_as_well) {
    limits strict;
    strict.reset_budget = 10;
    make({}, strict);
    run();
    for (std::uint64_t i = 0; i < 11; ++i)
        server_end->inject_stop_sending(i * 4, code_of(h3_error::request_cancelled)), server_end->inject(i * 4, "");
    run();
    EXPECT_FALSE(server_end->closed_with);  // nothing was begun yet
    // HEADERS: GET https://a/ with indexed fields and a literal :authority.
    for (std::uint64_t i = 0; i < 11; ++i) {
        server_end->inject(100 + i * 4, std::string("\x01\x08\x00\x00\xd1\xd7\xc1\x50\x01"
                                                    "a",
                                                    10));
        run();
        server_end->inject_stop_sending(100 + i * 4, code_of(h3_error::request_cancelled));
        run();
    }
    EXPECT_EQ(served.requests.size(), 11u);
    EXPECT_EQ(server_end->closed_with, code_of(h3_error::excessive_load));
}

TEST_F(http3_rules, well_behaved_cancelling_is_no_attack) {
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
TEST_F(http3_rules, a_peer_that_breaks_the_rules_gets_the_right_code) {
    const std::string settings("\x00\x04\x00", 3);
    const std::string get_request(
        "\x01\x08\x00\x00\xd1\xd7\xc1\x50\x01"
        "a",
        10);
    const violation violations[] = {
        {"control stream without SETTINGS first", 2, std::string("\x00\x07\x01\x00", 4), false, h3_error::missing_settings},
        {"SETTINGS twice", 2, settings + std::string("\x04\x00", 2), false, h3_error::frame_unexpected},
        {"control stream ends", 2, settings, true, h3_error::closed_critical_stream},
        {"reserved setting of HTTP/2", 2, std::string("\x00\x04\x02\x02\x01", 5), false, h3_error::settings_error},
        {"DATA on the control stream", 2, settings + std::string("\x00\x01x", 3), false, h3_error::frame_unexpected},
        {"HEADERS on the control stream", 2, settings + get_request, false, h3_error::frame_unexpected},
        {"PRIORITY_UPDATE far ahead of the requests", 2, settings + std::string("\x80\x0f\x07\x00\x05\x4f\xa0u=0", 10), false,
         h3_error::id_error},
        {"DATA before HEADERS", 0, std::string("\x00\x01x", 3), false, h3_error::frame_unexpected},
        {"SETTINGS on a request stream", 0, std::string("\x04\x00", 2), false, h3_error::frame_unexpected},
        {"frame type of HTTP/2", 0, std::string("\x02\x00", 2), false, h3_error::frame_unexpected},
        {"push stream from a client", 2, std::string("\x01\x00", 2), false, h3_error::stream_creation_error},
        {"QPACK reference to a table that is not there", 0, std::string("\x01\x03\x02\x00\x80", 5), false,
         h3_error::qpack_decompression_failed},
        {"QPACK encoder stream sets a capacity that was not offered", 2, std::string("\x02\x3f\xe1\xff\x03", 5), false,
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

TEST_F(http3_rules, control_streams_are_critical) {
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

TEST_F(http3_rules, unknown_streams_and_frames_are_ignored) {
    run();
    server_end->inject(14, std::string("\x21junk", 5), true);
    server_end->inject(0,
                       std::string("\x21\x03xyz\x01\x08\x00\x00\xd1\xd7\xc1\x50\x01"
                                   "a",
                                   15),
                       true);
    run();
    EXPECT_FALSE(server_end->closed_with) << server_end->closed_because;
    EXPECT_EQ(served.text, "request 0 GET https://a/; received 0; ");
}

// RFC 9204 4.5.6: a literal field line.
std::string literal(std::string_view name, std::string_view value) {
    return std::string(1, static_cast<char>(0x20 | (name.size() < 7 ? name.size() : 7))) +
           (name.size() < 7 ? "" : std::string(1, static_cast<char>(name.size() - 7))) + std::string(name) +
           std::string(1, static_cast<char>(value.size())) + std::string(value);
}

// A HEADERS frame with a section that needs no dynamic table.
std::string headers_frame(std::string_view lines) {
    return std::string("\x01", 1) + static_cast<char>(lines.size() + 2) + std::string(2, '\0') + std::string(lines);
}

TEST_F(http3_rules, fields_with_characters_they_may_not_hold_do_not_arrive) {
    server->pump(at(0));
    const std::string good(
        "\xd1\xd7\xc1\x50\x01"
        "a",
        6);
    server_end->inject(
        0, headers_frame(good + literal("x", std::string_view("a\0b", 3)) + literal("y", "a\nb") + literal("z", "ok")), true);
    server->pump(at(0));
    served.run(*server, at(0));
    EXPECT_EQ(served.text, "request 0 GET https://a/ z=ok; received 0; ");
}

TEST_F(http3_rules, malformed_requests_do_not_reach_the_application) {
    const std::string good(
        "\xd1\xd7\xc1\x50\x01"
        "a",
        6);
    const std::pair<const char*, std::string> sections[] = {
        {"no :path", std::string("\xd1\xd7\x50\x01"
                                 "a",
                                 5)},
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
        {"user in the authority", std::string("\xd1\xd7\xc1\x50\x03"
                                              "u@a",
                                              8)},
    };
    for (const auto& [name, section] : sections) {
        make({}, {});
        served = {};
        server->pump(at(0));
        server_end->inject(0, headers_frame(section), true);
        server->pump(at(0));
        served.run(*server, at(0));
        EXPECT_TRUE(served.requests.empty()) << name << ": " << served.text;
        auto code = server_end->closed_with          ? *server_end->closed_with
                    : server_end->resets.contains(0) ? server_end->resets[0]
                                                     : 0;
        EXPECT_EQ(h3_error_name(code), "H3_MESSAGE_ERROR") << name;
    }
}

TEST_F(http3_rules, a_body_of_another_length_than_said_is_malformed) {
    server->pump(at(0));
    std::string block = std::string(
        "\x00\x00\xd1\xd7\xc1\x50\x01"
        "a\x54\x01"
        "5",
        11);
    server_end->inject(0,
                       std::string("\x01", 1) + static_cast<char>(block.size()) + block +
                           std::string("\x00\x03"
                                       "abc",
                                       5),
                       true);
    server->pump(at(0));
    served.run(*server, at(0));
    EXPECT_TRUE(served.failures.contains(0)) << served.text;
    EXPECT_EQ(served.text.find("received"), std::string::npos);
}

}  // namespace
}  // namespace tandem::http
