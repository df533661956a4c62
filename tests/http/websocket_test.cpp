// Frames, messages and handshakes of WebSocket (RFC 6455).
#include <gtest/gtest.h>

#include <random>

#include <tandem/http/websocket_engine.hpp>
#include <tandem/http/websocket_handshake.hpp>

#include "seed.hpp"
#include "session_trace.hpp"

namespace tandem::http {
namespace {

using namespace std::string_literals;
using test::bytes_of;
using role = websocket_engine::role;

std::uint64_t fixed_mask() { return 0x3d21fa37; }  // 37 fa 21 3d on the wire: the mask of RFC 6455 5.7

websocket_engine make(role side, websocket_limits limit = {}) { return {side, limit, fixed_mask}; }

std::string sent_by(websocket_engine& e, std::size_t room = 4096) {
    std::string text, out(room, '\0');
    while (auto n = e.transmit({reinterpret_cast<std::uint8_t*>(out.data()), out.size()})) text.append(out, 0, n);
    return text;
}

// Everything that an engine tells about the bytes, which come in pieces.
std::string heard(websocket_engine& e, std::string_view bytes, std::size_t piece = SIZE_MAX) {
    std::string text;
    while (!bytes.empty()) {
        const auto n = e.receive(bytes_of(bytes.substr(0, piece)));
        bytes.remove_prefix(n);
        while (auto event = e.poll_event()) {
            if (auto* m = std::get_if<websocket_message>(&*event)) text += (m->text ? "text " : "binary ") + m->data + "; ";
            if (auto* p = std::get_if<websocket_events::pong>(&*event)) text += "pong " + p->payload + "; ";
        }
        if (n == 0) break;
    }
    if (e.peer_close()) text += "close " + std::to_string(e.peer_close()->code) + ' ' + e.peer_close()->reason + "; ";
    if (e.failure()) text += "failed " + std::to_string(e.failure()->code) + "; ";
    return text;
}

std::string frame(int first, std::string payload) {  // as a server sends it
    std::string out(1, static_cast<char>(first));
    out += static_cast<char>(payload.size());
    return out + payload;
}

struct sample {
    const char* name;
    role reader;
    std::string bytes;
    const char* heard;
    std::string answer;  // what the reader sends by itself
};

// RFC 6455 5.7, to the letter.
TEST(websocket, examples_of_the_standard) {
    const sample samples[] = {
        {"unmasked text", role::client, "\x81\x05\x48\x65\x6c\x6c\x6f"s, "text Hello; ", ""},
        {"masked text", role::server, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"s, "text Hello; ", ""},
        {"fragments", role::client, "\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f"s, "text Hello; ", ""},
        {"ping", role::client, "\x89\x05\x48\x65\x6c\x6c\x6f"s, "", "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"s},
        {"masked pong", role::server, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"s, "pong Hello; ", ""},
    };
    for (const auto& s : samples) {
        for (std::size_t piece : {1, 2, 3, 100}) {
            auto e = make(s.reader);
            EXPECT_EQ(heard(e, s.bytes, piece), s.heard) << s.name;
            EXPECT_EQ(sent_by(e, piece), s.answer) << s.name;
        }
    }
    const std::string binary(256, 'x');
    auto e = make(role::client);
    EXPECT_EQ(heard(e, "\x82\x7e\x01\x00"s + binary), "binary " + binary + "; ");
    const std::string large(65536, 'y');
    EXPECT_EQ(heard(e, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"s + large), "binary " + large + "; ");
}

TEST(websocket, sends_what_the_standard_shows) {
    auto server = make(role::server), client = make(role::client);
    for (auto* e : {&server, &client}) ASSERT_TRUE(e->send(true, bytes_of("Hello")));
    EXPECT_EQ(sent_by(server), "\x81\x05Hello"s);
    EXPECT_EQ(sent_by(client), "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"s);
    const std::string binary(256, 'x'), large(65536, 'y');
    ASSERT_TRUE(server.send(false, bytes_of(binary)));
    EXPECT_EQ(sent_by(server), "\x82\x7e\x01\x00"s + binary);
    auto wide = make(role::server, {.fragment_size = 1 << 20});
    ASSERT_TRUE(wide.send(false, bytes_of(large)));
    EXPECT_EQ(sent_by(wide), "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"s + large);
}

struct fault {
    const char* name;
    std::string bytes;
    int code;
};

TEST(websocket, a_peer_that_breaks_a_rule_hears_which) {
    const fault faults[] = {
        {"masked by a server", "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"s, 1002},
        {"reserved bit 1", frame(0xc1, "a"), 1002},
        {"reserved bit 2", frame(0xa1, "a"), 1002},
        {"reserved bit 3", frame(0x91, "a"), 1002},
        {"reserved opcode", frame(0x83, "a"), 1002},
        {"reserved control opcode", frame(0x8b, "a"), 1002},
        {"fragmented ping", frame(0x09, "a"), 1002},
        {"fragmented close", frame(0x08, ""), 1002},
        {"long ping", "\x89\x7e\x00\x7e"s + std::string(126, 'a'), 1002},
        {"continuation of nothing", frame(0x80, "a"), 1002},
        {"text within a text", frame(0x01, "a") + frame(0x81, "b"), 1002},
        {"length of 64 bits", "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"s, 1002},
        {"16 bits for a small length", "\x82\x7e\x00\x7d"s, 1002},
        {"64 bits for a small length", "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"s, 1002},
        {"half a close code", frame(0x88, "\x03"), 1002},
        {"close code 999", frame(0x88, "\x03\xe7"s), 1002},
        {"close code 1004", frame(0x88, "\x03\xec"s), 1002},
        {"close code 1005", frame(0x88, "\x03\xed"s), 1002},
        {"close code 1006", frame(0x88, "\x03\xee"s), 1002},
        {"close code 1015", frame(0x88, "\x03\xf7"s), 1002},
        {"close code 2999", frame(0x88, "\x0b\xb7"s), 1002},
        {"close code 5000", frame(0x88, "\x13\x88"s), 1002},
        {"close reason", frame(0x88, "\x03\xe8\xff"s), 1007},
        {"lone continuation byte", frame(0x81, "\x80"), 1007},
        {"overlong", frame(0x81, "\xc0\xaf"), 1007},
        {"overlong of three", frame(0x81, "\xe0\x9f\xbf"), 1007},
        {"surrogate", frame(0x81, "\xed\xa0\x80"), 1007},
        {"above U+10FFFF", frame(0x81, "\xf4\x90\x80\x80"), 1007},
        {"text that ends within a character", frame(0x81, "\xe2\x82"), 1007},
        {"the same behind eight of ASCII", frame(0x81, "12345678\xe2\x82"), 1007},
        {"known before the frame's end",
         "\x81\x10"
         "12345678\xff"s,
         1007},
        {"too large", "\x82\x7e\x03\xe9"s, 1009},
        {"too large together", frame(0x02, std::string(100, 'a')) + "\x80\x7e\x03\x85"s, 1009},
        {"too large a frame", "\x02\x7e\x02\x01"s, 1009},
    };
    for (const auto& f : faults) {
        for (std::size_t piece : {1, 100000}) {
            auto e = make(role::client, {.message_size = 1000, .frame_size = f.name == "too large a frame"s ? 512u : 16000u});
            EXPECT_EQ(heard(e, f.bytes, piece), "failed " + std::to_string(f.code) + "; ") << f.name;
            EXPECT_FALSE(e.wants_to_receive()) << f.name;
            auto peer = make(role::server);
            const auto answer = heard(peer, sent_by(e));
            EXPECT_TRUE(answer.starts_with("close " + std::to_string(f.code))) << f.name << ": " << answer;
            EXPECT_TRUE(e.over()) << f.name;
        }
    }
    auto server = make(role::server);
    EXPECT_EQ(heard(server, frame(0x81, "a")), "failed 1002; ");  // RFC 6455 5.1: without a mask
}

TEST(websocket, limits_let_through_what_they_name) {
    auto e = make(role::client, {.message_size = 1000, .frame_size = 900});
    EXPECT_EQ(heard(e, "\x02\x7e\x03\x84"s + std::string(900, 'a') + frame(0x80, std::string(100, 'b'))),
              "binary " + std::string(900, 'a') + std::string(100, 'b') + "; ");
}

// A header alone takes no memory: what a peer announces is not what it sends.
TEST(websocket, memory_follows_what_came) {
    auto e = make(role::client);
    EXPECT_EQ(heard(e, "\x82\x7f\x00\x00\x00\x00\x01\x00\x00\x00"s + "abc"), "");
    EXPECT_TRUE(e.wants_to_receive());
}

TEST(websocket, characters_may_be_split_between_fragments) {
    for (const auto* text : {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
                             "12345678\xf0\x9f\x98\x80"
                             "12345678",
                             "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"}) {
        const std::string whole = text;
        for (std::size_t at = 0; at <= whole.size(); ++at) {
            auto e = make(role::client);
            EXPECT_EQ(heard(e, frame(0x01, whole.substr(0, at)) + frame(0x80, whole.substr(at))), "text " + whole + "; ");
        }
    }
}

TEST(websocket, control_frames_come_between_fragments) {
    auto e = make(role::client);
    EXPECT_EQ(heard(e, frame(0x01, "Hel") + frame(0x89, "1") + frame(0x8a, "?") + frame(0x80, "lo")), "pong ?; text Hello; ");
    auto peer = make(role::server);
    EXPECT_EQ(heard(peer, sent_by(e)), "pong 1; ");
}

// RFC 6455 5.5.3: a flood of pings to somebody who cannot send costs one pong.
TEST(websocket, only_the_latest_ping_is_answered) {
    auto e = make(role::client);
    std::string pings;
    for (int i = 0; i < 1000; ++i) pings += frame(0x89, std::to_string(i));
    EXPECT_EQ(heard(e, pings), "");
    auto peer = make(role::server);
    EXPECT_EQ(heard(peer, sent_by(e)), "pong 999; ");
}

TEST(websocket, a_pong_need_not_wait_for_a_large_message) {
    auto e = make(role::server, {.fragment_size = 100}), peer = make(role::client);
    const std::string large(1000, 'x');
    ASSERT_TRUE(e.send(false, bytes_of(large)));
    std::string out(150, '\0');
    auto n = e.transmit({reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
    auto begun = out.substr(0, n);
    EXPECT_EQ(heard(e, "\x89\x81\x00\x00\x00\x00!"s), "");
    EXPECT_EQ(heard(peer, begun + sent_by(e)), "pong !; binary " + large + "; ");
    EXPECT_FALSE(e.sending());
    EXPECT_FALSE(e.cut());
}

TEST(websocket, closing_handshake) {
    for (bool client_begins : {true, false}) {
        auto client = make(role::client), server = make(role::server);
        auto& first = client_begins ? client : server;
        auto& second = client_begins ? server : client;
        ASSERT_TRUE(first.close(3000, "enough"));
        EXPECT_FALSE(first.close(1000, ""));
        EXPECT_FALSE(first.send(true, bytes_of("late")));
        EXPECT_FALSE(first.ping(""));
        EXPECT_EQ(heard(second, sent_by(first)), "close 3000 enough; ");
        EXPECT_FALSE(first.over());
        EXPECT_FALSE(second.over());
        EXPECT_FALSE(second.wants_to_receive());
        EXPECT_EQ(heard(first, sent_by(second)), "close 3000 ; ");
        EXPECT_TRUE(first.over());
        EXPECT_TRUE(second.over());
        EXPECT_EQ(sent_by(first) + sent_by(second), "");
    }
}

TEST(websocket, close_without_a_code) {
    auto client = make(role::client), server = make(role::server);
    ASSERT_TRUE(server.close(websocket_code::none, ""));
    const auto bytes = sent_by(server);
    EXPECT_EQ(bytes, "\x88\x00"s);
    EXPECT_EQ(heard(client, bytes), "close 1005 ; ");
    EXPECT_EQ(heard(server, sent_by(client)), "close 1005 ; ");
}

TEST(websocket, refuses_to_send_what_may_not_be_sent) {
    auto e = make(role::server);
    EXPECT_FALSE(e.send(true, bytes_of("\xff")));
    EXPECT_FALSE(e.ping(std::string(126, 'a')));
    EXPECT_FALSE(e.close(1006, ""));
    EXPECT_FALSE(e.close(1005, "why"));
    EXPECT_FALSE(e.close(1000, std::string(124, 'a')));
    EXPECT_FALSE(e.close(1000, "\xff"));
    EXPECT_FALSE(e.wants_to_transmit());
}

// Both ways: the message under way ends before our Close; but a peer that closes has no use for the rest, which ends with a
// fragment.
TEST(websocket, close_in_the_middle_of_a_message) {
    const std::string large(1000, 'x');
    auto e = make(role::server, {.fragment_size = 100}), peer = make(role::client);
    ASSERT_TRUE(e.send(false, bytes_of(large)));
    std::string out(150, '\0');
    auto room = std::span(reinterpret_cast<std::uint8_t*>(out.data()), out.size());
    auto begun = out.substr(0, e.transmit(room));
    ASSERT_TRUE(e.close(1000, ""));
    EXPECT_EQ(heard(peer, begun + sent_by(e)), "binary " + large + "; close 1000 ; ");
    EXPECT_FALSE(e.cut());

    auto other = make(role::server, {.fragment_size = 100}), closer = make(role::client);
    ASSERT_TRUE(other.send(false, bytes_of(large)));
    begun = out.substr(0, other.transmit(room));
    ASSERT_TRUE(closer.close(1000, ""));
    EXPECT_EQ(heard(other, sent_by(closer)), "close 1000 ; ");
    const auto rest = sent_by(other);
    EXPECT_LT(begun.size() + rest.size(), 300u);
    EXPECT_EQ(heard(closer, begun + rest), "close 1000 ; ");
    EXPECT_TRUE(other.cut());
    EXPECT_TRUE(other.over());
}

TEST(websocket, an_abandoned_message) {
    auto e = make(role::server);
    ASSERT_TRUE(e.send(true, bytes_of("Hello")));
    EXPECT_TRUE(e.abandon());
    EXPECT_EQ(sent_by(e), "");
    ASSERT_TRUE(e.send(true, bytes_of("Hello")));
    std::uint8_t out[3];
    EXPECT_EQ(e.transmit(out), 3u);
    EXPECT_FALSE(e.abandon());
}

// Messages of all sizes, in fragments and pieces of all sizes, both ways.
TEST(websocket, messages_arrive_as_they_were_sent) {
    std::mt19937_64 random(tandem::test::seed());
    for (int round = 0; round < 60; ++round) {
        auto pick = [&](std::size_t most) { return random() % (most + 1); };
        const websocket_limits limit{.fragment_size = 1 + pick(5000)};
        auto client = make(role::client, limit), server = make(role::server, limit);
        for (auto [from, to] : {std::pair(&client, &server), std::pair(&server, &client)}) {
            std::string data(pick(round % 3 == 0 ? 100'000 : 300), '\0');
            for (auto& c : data) c = static_cast<char>(random() % 128);
            const bool text = pick(1) == 0;
            ASSERT_TRUE(from->send(text, bytes_of(data)));
            EXPECT_EQ(heard(*to, sent_by(*from, 1 + pick(3000)), 1 + pick(3000)), (text ? "text " : "binary ") + data + "; ");
        }
    }
}

request asking(std::string method = "GET") {
    request r{.method = std::move(method), .authority = "h", .path = "/chat"};
    r.protocol = "websocket";
    r.fields = {{"sec-websocket-version", "13"}};
    if (r.method == "GET") r.fields.append("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    return r;
}

TEST(websocket_handshake, key_and_accept_of_the_standard) {
    const std::array<std::uint8_t, 16> nonce{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    EXPECT_EQ(websocket_key(nonce), "AQIDBAUGBwgJCgsMDQ4PEA==");                              // RFC 6455 4.1
    EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // 1.3
}

TEST(websocket_handshake, server) {
    const std::vector<std::string> protocols{"new", "old"};
    auto good = answer_websocket(asking(), protocols);
    EXPECT_EQ(good.head.status, 101);
    EXPECT_EQ(test::describe(good.head.fields), " sec-websocket-accept=s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    auto extended = answer_websocket(asking("CONNECT"), protocols);
    EXPECT_EQ(extended.head.status, 101);
    EXPECT_TRUE(extended.head.fields.empty());  // RFC 8441 5.1
    auto with_protocol = asking();
    with_protocol.fields.append("sec-websocket-protocol", "older, old");
    with_protocol.fields.append("sec-websocket-protocol", "new");
    EXPECT_EQ(answer_websocket(with_protocol, protocols).head.fields.find("sec-websocket-protocol"), "new");
    EXPECT_EQ(answer_websocket(with_protocol, {}).subprotocol, "");

    const auto status_of = [](auto change, std::string method = "GET") {
        auto r = asking(std::move(method));
        change(r);
        auto answer = answer_websocket(r, {});
        EXPECT_FALSE(answer.problem.empty());
        EXPECT_EQ(answer.head.fields.find("sec-websocket-version"), "13");
        return answer.head.status;
    };
    EXPECT_EQ(status_of([](auto& r) { r.protocol.clear(); }), 426);
    EXPECT_EQ(status_of([](auto& r) { r.fields.set("sec-websocket-version", "8"); }), 426);
    EXPECT_EQ(status_of([](auto& r) { r.fields.erase("sec-websocket-version"); }), 426);
    EXPECT_EQ(status_of([](auto& r) { r.fields.set("sec-websocket-version", "8"); }, "CONNECT"), 400);
    EXPECT_EQ(status_of([](auto& r) { r.method = "POST"; }), 400);
    EXPECT_EQ(status_of([](auto& r) { r.fields.erase("sec-websocket-key"); }), 400);
    EXPECT_EQ(status_of([](auto& r) { r.fields.set("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ="); }), 400);
    EXPECT_EQ(status_of([](auto& r) { r.fields.set("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZ===="); }), 400);
    EXPECT_EQ(status_of([](auto& r) { r.fields.append("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="); }), 400);
}

TEST(websocket_handshake, client) {
    const std::vector<std::string> offered{"a", "b"};
    fields asked;
    ask_for_websocket(asked, offered, "dGhlIHNhbXBsZSBub25jZQ==");
    EXPECT_EQ(test::describe(asked),
              " sec-websocket-version=13 sec-websocket-key=dGhlIHNhbXBsZSBub25jZQ== sec-websocket-protocol=a, b");
    const auto verdict = [&](response r, std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==") {
        return std::string(wrong_websocket_answer(r, offered, key));
    };
    const field accept{"sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="};
    EXPECT_EQ(verdict({101, {accept}}), "");
    EXPECT_EQ(verdict({101, {accept, {"sec-websocket-protocol", "b"}}}), "");
    EXPECT_EQ(verdict({101, {}}, ""), "");
    EXPECT_EQ(verdict({200, {accept}}), "the server does not switch to WebSocket");
    EXPECT_EQ(verdict({101, {}}), "a wrong Sec-WebSocket-Accept");
    EXPECT_EQ(verdict({101, {{"sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOp="}}}), "a wrong Sec-WebSocket-Accept");
    EXPECT_EQ(verdict({101, {accept, {"sec-websocket-extensions", "permessage-deflate"}}}), "an extension that was not offered");
    EXPECT_EQ(verdict({101, {accept, {"sec-websocket-protocol", "c"}}}), "a subprotocol that was not offered");
}

}  // namespace
}  // namespace tandem::http
