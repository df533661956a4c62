// HTTP datagrams in QUIC datagrams (RFC 9297 2) between sessions in memory, and what peers may not do.
#include <gtest/gtest.h>

#include <tandem/http/datagram_queue.hpp>
#include <tandem/http/http3_datagrams.hpp>

#include "../hex.hpp"
#include "http3_pair.hpp"
#include "tunnel_bodies.hpp"

namespace tandem::http {
namespace {

using tandem::test::from_hex;
using test::at;
using test::bytes_of;
using test::code_of;
using texts = std::vector<std::string>;

constexpr std::size_t buffer = 4 * (datagram_queue::cost + 1);  // four datagrams of one byte

limits taking() {
    limits l;
    l.tunnel_protocols = {"connect-udp", "websocket"};
    l.datagram_protocols = {"connect-udp"};
    l.datagram_buffer = buffer;
    return l;
}

class datagrams : public test::http3_pair {
protected:
    datagrams() {
        datagram_size = 1000;
        make(taking(), taking());
    }
    request_id ask(std::string protocol = "connect-udp") {
        request r{.method = "CONNECT", .authority = "host", .path = "/"};
        r.protocol = std::move(protocol);
        r.datagrams = r.protocol == "connect-udp";
        return client->submit(std::move(r), std::make_unique<test::quiet_body>(up), at(0));
    }
    void accept(request_id id = 0) {
        server->respond(id, {101, {}}, std::make_unique<test::quiet_body>(down), at(0));
        run();
    }
    void open() {
        ask();
        run();
        accept();
        run();
        asked.text.clear();
        served.text.clear();
    }
    datagram_result say(client_session& s, std::string_view text, request_id id = 0) {
        return s.send_datagram(id, bytes_of(text), at(0));
    }
    datagram_result say(server_session& s, std::string_view text, request_id id = 0) {
        return s.send_datagram(id, bytes_of(text), at(0));
    }
    void to_server(std::string_view hex) { server_end->inject_datagram(from_hex(hex)); }
    void to_client(std::string_view hex) { client_end->inject_datagram(from_hex(hex)); }

    std::shared_ptr<bool> up = std::make_shared<bool>(false), down = std::make_shared<bool>(false);  // their ends
};

TEST_F(datagrams, go_both_ways_beside_the_stream) {
    open();
    EXPECT_EQ(client->max_datagram(0), 999u);
    EXPECT_EQ(server->max_datagram(0), 999u);
    EXPECT_EQ(say(*client, "up"), datagram_result::queued);
    EXPECT_EQ(say(*client, ""), datagram_result::queued);
    EXPECT_EQ(say(*server, "down"), datagram_result::queued);
    run();
    EXPECT_EQ(served.datagrams[0], (texts{"up", ""}));
    EXPECT_EQ(asked.datagrams[0], (texts{"down"}));
    EXPECT_EQ(served.text, "datagrams 0; ");
    EXPECT_EQ(client->datagram_statistics().sent, 2u);
    EXPECT_EQ(server->datagram_statistics().received, 2u);
    EXPECT_EQ(served.bodies[0] + asked.bodies[0], "");
    EXPECT_TRUE(served.requests[0].datagrams);
}

TEST_F(datagrams, are_of_the_stream_they_name) {
    open();
    ask();
    run();
    accept(1);
    to_server("00 61");
    to_server("01 62");
    to_server("4001 63");  // a longer form of the same number
    to_client("01 64");
    run();
    EXPECT_EQ(served.datagrams[0], texts{"a"});
    EXPECT_EQ(served.datagrams[1], (texts{"b", "c"}));
    EXPECT_EQ(asked.datagrams[1], texts{"d"});
    say(*server, "e", 1);
    EXPECT_EQ(client_end->receive_datagram(), from_hex("01 65"));
}

TEST_F(datagrams, are_not_sent_unless_both_sides_offer_them) {
    for (auto [ours, theirs, carried] :
         {std::tuple{true, false, true}, {false, true, true}, {false, false, true}, {true, true, false}}) {
        asked = {};
        served = {};
        auto c = taking(), s = taking();
        c.datagram_buffer = ours ? buffer : 0;
        s.datagram_buffer = theirs ? buffer : 0;
        datagram_size = carried ? 1000 : 0;  // the transport's: QMux has none
        make(c, s);
        open();
        EXPECT_EQ(client->max_datagram(0), 0u);
        EXPECT_EQ(say(*client, "x"), datagram_result::unavailable);
        EXPECT_EQ(server->max_datagram(0), 0u);
        EXPECT_EQ(say(*server, "x"), datagram_result::unavailable);
        to_client("00 61");  // whoever sends some all the same is not heard where nothing was offered
        if (!ours || !carried) run();
        EXPECT_TRUE(asked.datagrams.empty());
        EXPECT_FALSE(client_end->closed_with);
    }
}

TEST_F(datagrams, wait_for_the_peers_settings) {
    client_end->held.insert(3);  // the server's control stream
    ask("websocket");
    client->pump(at(0));
    EXPECT_EQ(say(*client, "x"), datagram_result::unavailable);
    open();
}

TEST_F(datagrams, malformed_ones_end_the_connection) {
    for (const char* wrong : {"", "40", "c00000000000", "d000000000000000", "ffffffffffffffff 61"}) {
        for (bool at_server : {true, false}) {
            make(taking(), taking());
            run();
            auto& end = at_server ? *server_end : *client_end;
            end.inject_datagram(from_hex(wrong));
            run();
            EXPECT_EQ(end.closed_with, 0x33u) << wrong;
        }
    }
    make(taking(), taking());
    to_server("cfffffffffffffff 61");  // the largest there can be: of a stream that did not come
    run();
    EXPECT_FALSE(server_end->closed_with);
    EXPECT_EQ(h3_error_name(0x33), "H3_DATAGRAM_ERROR");
}

TEST_F(datagrams, a_setting_that_is_neither_0_nor_1) {
    using namespace std::string_literals;
    for (char value : {'\0', '\1', '\2', '\x3f'}) {
        const auto expected = value > 1 ? std::optional(code_of(h3_error::settings_error)) : std::nullopt;
        make(taking(), taking());
        server_end->inject(2, "\0\4\2\x33"s + value);
        server->pump(at(0));
        EXPECT_EQ(server_end->closed_with, expected);
        make(taking(), taking());
        client_end->inject(3, "\0\4\2\x33"s + value);
        client->pump(at(0));
        EXPECT_EQ(client_end->closed_with, expected);
    }
}

TEST_F(datagrams, of_requests_that_have_none_abort_them) {
    for (bool at_server : {true, false}) {
        asked = {};
        served = {};
        make(taking(), taking());
        get("/");
        ask("websocket");
        run();
        accept(1);
        for (auto id : {0, 1}) {
            auto& end = at_server ? *server_end : *client_end;
            end.inject_datagram({static_cast<std::uint8_t>(id), 'x'});
            run();
            EXPECT_EQ(end.resets[static_cast<unsigned>(id) * 4], id == 1 ? 0x33u : 0u) << id;  // the GET's own side had ended
            EXPECT_FALSE(end.closed_with);
        }
        const auto& failures = at_server ? served.failures : asked.failures;
        ASSERT_EQ(failures.size(), at_server ? 1u : 2u) << asked.text << served.text;
        EXPECT_EQ(failures.at(1).code, 0x33u);
        EXPECT_EQ(failures.at(1).kind, failure_kind::malformed);
    }
}

// A GET whose datagram came first; it is not told of at all.
TEST_F(datagrams, that_come_before_a_request_that_has_none_abort_it) {
    to_server("00 61");
    server->pump(at(0));
    request post{.method = "POST", .authority = "host", .path = "/"};
    client->submit(post, std::make_unique<test::quiet_body>(up), at(0));
    run();
    EXPECT_EQ(server_end->resets[0], 0x33u);
    EXPECT_EQ(server_end->stops[0], 0x33u);
    EXPECT_EQ(served.text, "");
    EXPECT_TRUE(asked.text.starts_with("failed 0 reset; ")) << asked.text;
    EXPECT_EQ(asked.failures[0].code, 0x33u);
}

TEST_F(datagrams, that_overtake_their_request_wait_for_it) {
    server_end->held.insert(0);
    ask();
    client->pump(at(0));
    to_server("00 61");
    to_server("01 62");  // of a stream that does not exist yet
    run();
    EXPECT_EQ(served.text, "");
    server_end->release(0);
    ask();
    run();
    const std::string first = "request 0 CONNECT https://host/ +body; datagrams 0; ";
    EXPECT_EQ(served.text, first + "request 1 CONNECT https://host/ +body; datagrams 1; ");
    EXPECT_EQ(served.datagrams[0], texts{"a"});
    EXPECT_EQ(served.datagrams[1], texts{"b"});
}

TEST_F(datagrams, clients_need_not_wait_for_the_answer) {
    ask();
    run();
    EXPECT_EQ(say(*client, "early"), datagram_result::queued);
    EXPECT_EQ(say(*server, "no"), datagram_result::unavailable);  // nothing is accepted
    run();
    EXPECT_EQ(served.datagrams[0], texts{"early"});
    // The server's first may overtake the answer.
    client_end->held.insert(0);
    accept();
    say(*server, "down");
    run();
    EXPECT_TRUE(asked.datagrams.empty());
    client_end->release(0);
    run();
    EXPECT_EQ(asked.text, "response 0 101 +body; datagrams 0; ");
    EXPECT_EQ(asked.datagrams[0], texts{"down"});
}

TEST_F(datagrams, of_refused_requests_are_dropped) {
    ask();
    run();
    say(*client, "early");
    server->respond(0, {403, {}}, std::make_unique<test::quiet_body>(down), at(0));
    run();
    EXPECT_EQ(say(*client, "late"), datagram_result::unavailable);
    to_server("00 61");
    to_client("00 61");
    run();
    EXPECT_TRUE(asked.datagrams.empty());
    EXPECT_EQ(client->datagram_statistics().unwanted, 1u);
    EXPECT_FALSE(client_end->closed_with || server_end->closed_with);
    EXPECT_FALSE(client_end->resets.contains(0) || server_end->resets.contains(0));
}

TEST_F(datagrams, of_streams_that_ended_are_dropped) {
    open();
    *up = true;
    client->resume_body(0);
    run();
    EXPECT_EQ(say(*client, "after the end"), datagram_result::unavailable);
    EXPECT_EQ(client->max_datagram(0), 0u);
    to_server("00 61");  // late
    say(*server, "the other half is open");
    run();
    EXPECT_TRUE(served.datagrams.empty());
    EXPECT_EQ(server->datagram_statistics().unwanted, 1u);
    EXPECT_EQ(asked.datagrams[0], texts{"the other half is open"});
    *down = true;
    server->resume_body(0);
    run();
    EXPECT_EQ(server->active_requests(), 0u);
    EXPECT_EQ(say(*server, "x"), datagram_result::unavailable);
    to_server("00 61");  // of a stream that is over
    to_client("00 61");
    to_client("05 61");  // of one that the client did not open
    run();
    EXPECT_EQ(server->datagram_statistics().unwanted, 2u);
    EXPECT_EQ(client->datagram_statistics().unwanted, 2u);
    EXPECT_FALSE(client_end->closed_with || server_end->closed_with);
}

// RFC 9297 3.2: 204, 205 and 206 accept the request and have no stream of capsules.
TEST_F(datagrams, answers_that_go_with_no_capsules_are_malformed) {
    using namespace std::string_literals;
    struct sample {
        std::string section;  // in QPACK, of the static table
        bool malformed;
    };
    for (const auto& [section, malformed] : {
             sample{"\0\0\xff\1"s, true},  // 204
             {"\0\0\xff\2"s, true},        // 206
             {"\0\0\xd9\xf5"s, true},      // 200, content-type
             {"\0\0\xd9"s, false},         // 200
             {"\0\0\xdb\xf5"s, false},     // 404, content-type
         }) {
        asked = {};
        make(taking(), taking());
        client_end->inject(3, "\0\4\2\x08\1"s);
        client->pump(at(0));
        ask();
        client->pump(at(0));
        client_end->inject(0, "\1"s + static_cast<char>(section.size()) + section);
        client->pump(at(0));
        asked.run(*client, at(0));
        EXPECT_EQ(asked.text.find("failed 0 malformed; ") != std::string::npos, malformed) << asked.text;
        EXPECT_EQ(client_end->stops[0], malformed ? code_of(h3_error::message_error) : 0u);
    }
}

TEST_F(datagrams, requests_that_go_with_no_capsules_are_malformed) {
    for (const char* name : {"content-type", "content-length"}) {
        request r{.method = "CONNECT", .authority = "host", .path = "/"};
        r.protocol = "connect-udp";
        r.fields.append(name, "0");
        const auto id = client->submit(std::move(r), nullptr, at(0));
        run();
        EXPECT_EQ(served.text, "");
        EXPECT_EQ(server_end->resets[4 * id], code_of(h3_error::message_error)) << name;
    }
}

TEST_F(datagrams, that_come_with_the_end_are_before_it) {
    open();
    *up = true;
    client->resume_body(0);
    say(*client, "last words");
    run();
    EXPECT_EQ(served.datagrams[0], texts{"last words"});
    EXPECT_EQ(served.text, "datagrams 0; received 0; ");
}

TEST_F(datagrams, too_large_and_too_many) {
    open();
    EXPECT_EQ(say(*client, std::string(999, 'x')), datagram_result::queued);
    EXPECT_EQ(say(*client, std::string(1000, 'x')), datagram_result::too_large);
    client_end->datagram_room = 1;
    EXPECT_EQ(say(*client, "x"), datagram_result::full);
}

TEST_F(datagrams, nobody_takes_make_room_for_newer_ones) {
    open();
    served.read_datagrams = false;
    for (int i = 0; i < 10; ++i) to_server("00 3" + std::to_string(i));
    run();
    EXPECT_EQ(served.text, "datagrams 0; ");  // told once
    EXPECT_EQ(server->datagram_statistics().unread, 6u);
    texts got;
    while (auto d = server->receive_datagram(0)) got.emplace_back(d->begin(), d->end());
    EXPECT_EQ(got, (texts{"6", "7", "8", "9"}));
    to_server("00 61");
    run();
    EXPECT_EQ(served.text, "datagrams 0; datagrams 0; ");
}

// All requests of a connection together hold four times what one may.
TEST_F(datagrams, of_many_requests_have_a_bound_too) {
    for (int i = 0; i < 8; ++i) ask();
    run();
    served.read_datagrams = false;
    for (int i = 0; i < 8; ++i) {
        accept(static_cast<request_id>(i));
        for (int k = 0; k < 4; ++k) server_end->inject_datagram({static_cast<std::uint8_t>(i), 'x'});
    }
    run();
    EXPECT_EQ(server->datagram_statistics().unread, 16u);
    for (request_id id = 0; id < 8; ++id) {
        int count = 0;
        while (server->receive_datagram(id)) ++count;
        EXPECT_EQ(count, id < 4 ? 4 : 0) << id;
    }
    to_server("07 61");  // there is room again
    run();
    EXPECT_TRUE(server->receive_datagram(7));
    server->reset(0, h3_error::internal_error, at(0));  // what an exchange held goes with it
    run();
}

TEST_F(datagrams, of_streams_to_come_are_few_and_wait_a_second) {
    for (int i = 0; i < 1000; ++i) to_server("05 6162636465666768");
    run();
    const auto kept = early_datagrams::max_bytes / (64 + 8);
    EXPECT_EQ(server->datagram_statistics().unwanted, 1000 - kept);
    make(taking(), taking());
    asked = {};
    served = {};
    to_server("00 61");
    run(0);
    to_server("00 62");
    run(900);
    ask();
    run(1100);
    EXPECT_EQ(served.datagrams[0], texts{"b"});
}

TEST_F(datagrams, that_abort_requests_again_and_again_end_the_connection) {
    for (unsigned i = 0; i < 300 && !server_end->closed_with; ++i) {
        client_end->allow_more(1);
        const auto id = ask("websocket");
        run();
        if (server_end->closed_with) break;
        server_end->inject_datagram({static_cast<std::uint8_t>(0x40 | id >> 8), static_cast<std::uint8_t>(id), 'x'});
        run();
    }
    EXPECT_EQ(server_end->closed_with, code_of(h3_error::excessive_load));
}

TEST(http3_datagram, literal) {
    EXPECT_FALSE(parse_http3_datagram({}));
    const auto bytes = from_hex("7fff 0102");
    const auto parsed = parse_http3_datagram(bytes);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->stream.value, 4u * 0x3fff);
    EXPECT_EQ(parsed->payload.size(), 2u);
    EXPECT_EQ(make_http3_datagram(parsed->stream, parsed->payload), bytes);
    EXPECT_EQ(http3_datagram_overhead(quic::stream_id{4 * 63}), 1u);
    EXPECT_EQ(http3_datagram_overhead(quic::stream_id{4 * 64}), 2u);
}

}  // namespace
}  // namespace tandem::http
