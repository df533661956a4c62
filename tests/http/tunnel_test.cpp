// Requests that turn their stream or connection into something else: Upgrade (RFC 9110 7.8), extended CONNECT (RFC 8441, RFC
// 9220).
#include <gtest/gtest.h>

#include <optional>

#include <tandem/http/http1_client.hpp>
#include <tandem/http/http1_server.hpp>
#include <tandem/http/http2_client.hpp>
#include <tandem/http/http2_server.hpp>
#include <tandem/http/http3_settings_reader.hpp>

#include "http3_pair.hpp"

namespace tandem::http {
namespace {

using test::at;

// What one side has to say, given when the test likes.
struct speech {
    std::string text;
    bool end = false;
    bool broken = false;
    bool asked = false;
    bool gone = false;
};
class spoken final : public body_source {
public:
    explicit spoken(std::shared_ptr<speech> s) : s_(std::move(s)) {}
    ~spoken() override { s_->gone = true; }
    result read(std::span<std::uint8_t> out) override {
        s_->asked = true;
        const auto n = std::min(out.size(), s_->text.size());
        std::copy_n(s_->text.begin(), n, out.begin());
        s_->text.erase(0, n);
        return {n, s_->end && s_->text.empty(), s_->broken};
    }

private:
    std::shared_ptr<speech> s_;
};

enum class version : std::uint8_t { http1, http2, http3 };

class Tunnel : public testing::TestWithParam<version> {
protected:
    static limits offering(std::vector<std::string> protocols) {
        limits l;
        l.tunnel_protocols = std::move(protocols);
        return l;
    }
    void make(const limits& server_limits) {
        switch (GetParam()) {
            case version::http1:
                client1.emplace();
                server1.emplace(server_limits, "https", false);
                client = &*client1;
                server = &*server1;
                break;
            case version::http2:
                client2.emplace();
                server2.emplace(server_limits);
                client = &*client2;
                server = &*server2;
                break;
            case version::http3:
                client_end.emplace(quic::perspective::client);
                server_end.emplace(quic::perspective::server);
                client_end->connect(*server_end);
                server_end->connect(*client_end);
                client3.emplace(*client_end);
                server3.emplace(*server_end, server_limits);
                client = &*client3;
                server = &*server3;
                break;
        }
    }
    template <class Client, class Server>
    bool exchange(Client& c, Server& s) {
        std::vector<std::uint8_t> out(10'000);
        const auto sent = c.transmit(out, at(0));
        give(s, std::span(out).first(sent));
        served.run(s, at(0));
        const auto answered = s.transmit(out, at(0));
        give(c, std::span(out).first(answered));
        asked.run(c, at(0));
        served.run(s, at(0));
        return sent > 0 || answered > 0;
    }
    template <class Session>
    void give(Session& session, std::span<const std::uint8_t> bytes) {
        if constexpr (requires { session.wants_to_receive(); }) {
            EXPECT_EQ(session.receive(bytes, {}, at(0)), bytes.size());
        } else {
            session.receive(bytes, {}, at(0));
        }
    }
    void run() {
        for (int i = 0; i < 8; ++i) {
            if (client1) exchange(*client1, *server1);
            if (client2) exchange(*client2, *server2);
            if (!client3) continue;
            client3->pump(at(0));
            asked.run(*client3, at(0));
            server3->pump(at(0));
            served.run(*server3, at(0));
        }
        // The owner of the streams beneath closes them.
        if (server1 && server1->finished_sending()) client1->receive_end(true, at(0));
        asked.run(*client, at(0));
    }
    void ask(std::string protocol = "websocket") {
        request r{.method = "CONNECT", .authority = "host", .path = "/chat"};
        r.protocol = std::move(protocol);
        r.fields.append("x", "y");
        client->submit(std::move(r), std::make_unique<spoken>(up), at(0));
    }
    void open() {
        make(offering({"websocket"}));
        ask();
        run();
        server->respond(0, {101, {{"a", "b"}}}, std::make_unique<spoken>(down), at(0));
        run();
    }
    void say(std::shared_ptr<speech>& who, std::string text, bool end = false) {
        who->text += text;
        who->end = end;
        who == up ? client->resume_body(0) : server->resume_body(0);
        run();
    }
    bool http1() const { return GetParam() == version::http1; }

    std::optional<http1_client> client1;
    std::optional<http1_server> server1;
    std::optional<http2_client> client2;
    std::optional<http2_server> server2;
    std::optional<test::fake_transport> client_end, server_end;
    std::optional<http3_client> client3;
    std::optional<http3_server> server3;
    client_session* client = nullptr;
    server_session* server = nullptr;
    test::client_trace asked;
    test::server_trace served;
    std::shared_ptr<speech> up = std::make_shared<speech>(), down = std::make_shared<speech>();
};

TEST_P(Tunnel, CarriesBytesBothWays) {
    make(offering({"other", "websocket"}));
    up->text = "too early? ";
    ask();
    run();
    EXPECT_EQ(served.text, std::string("request 0 ") + (http1() ? "GET" : "CONNECT") + " https://host/chat x=y +body; ");
    EXPECT_EQ(served.requests[0].protocol, "websocket");
    EXPECT_FALSE(up->asked);
    EXPECT_EQ(served.bodies[0], "");
    server->respond(0, {101, {{"a", "b"}}}, std::make_unique<spoken>(down), at(0));
    run();
    EXPECT_TRUE(asked.text.starts_with("response 0 101 a=b +body; ")) << asked.text;
    EXPECT_EQ(served.bodies[0], "too early? ");
    for (int i = 0; i < 3; ++i) {
        say(up, "up" + std::to_string(i) + ' ');
        say(down, "down" + std::to_string(i) + ' ');
    }
    EXPECT_EQ(served.bodies[0], "too early? up0 up1 up2 ");
    EXPECT_EQ(asked.bodies[0], "down0 down1 down2 ");
    EXPECT_EQ(server->active_requests(), 1u);
}

TEST_P(Tunnel, LargeAmountsWait) {
    open();
    served.read_bodies = asked.read_bodies = false;
    const std::string much(3'000'000, 'x');
    up->text = down->text = much;
    client->resume_body(0);
    server->resume_body(0);
    if (http1()) {  // the sessions take what they have room for; the owner keeps the rest
        std::vector<std::uint8_t> out(200'000);
        const auto n = client1->transmit(out, at(0));
        EXPECT_EQ(n, out.size());
        EXPECT_LT(server1->receive(out, {}, at(0)), n);
        EXPECT_FALSE(server1->wants_to_receive());
        return;
    }
    run();
    EXPECT_FALSE(up->text.empty());
    EXPECT_FALSE(down->text.empty());
    served.read_bodies = asked.read_bodies = true;
    for (int i = 0; i < 200 && (served.bodies[0].size() < much.size() || asked.bodies[0].size() < much.size()); ++i) {
        served.bodies[0] += test::read_all(*server, 0, at(0));
        asked.bodies[0] += test::read_all(*client, 0, at(0));
        run();
    }
    EXPECT_TRUE(served.bodies[0] == much);
    EXPECT_TRUE(asked.bodies[0] == much);
}

TEST_P(Tunnel, EachSideEndsForItself) {
    for (bool client_first : {true, false}) {
        asked = {};
        served = {};
        *up = *down = {};
        client1.reset();
        server1.reset();
        client2.reset();
        server2.reset();
        client3.reset();
        server3.reset();
        open();
        served.text.clear();
        asked.text.clear();
        if (client_first) {
            say(up, "last", true);
            EXPECT_EQ(served.bodies[0], "last");
            EXPECT_EQ(served.text, http1() ? "" : "received 0; ");
            say(down, "reply", true);
        } else {
            say(down, "reply", true);
            EXPECT_EQ(asked.bodies[0], "reply");
            EXPECT_TRUE(asked.text.starts_with("received 0; ")) << asked.text;
            if (!http1()) say(up, "last", true);
        }
        run();
        EXPECT_EQ(asked.bodies[0], "reply");
        EXPECT_TRUE(asked.text.find("finished 0; ") != std::string::npos) << asked.text;
        EXPECT_TRUE(served.text.find("finished 0; ") != std::string::npos) << served.text;
        EXPECT_EQ(server->active_requests(), 0u);
        if (!http1()) {
            EXPECT_EQ(served.bodies[0], "last");
        }
    }
}

TEST_P(Tunnel, EndsBehindWhatWasNotReadYet) {
    if (http1()) return;
    open();
    served.read_bodies = asked.read_bodies = false;
    say(up, "last", true);
    say(down, "reply", true);
    EXPECT_EQ(served.text.find("finished"), std::string::npos);
    EXPECT_EQ(asked.text.find("finished"), std::string::npos);
    EXPECT_EQ(test::read_all(*server, 0, at(0)), "last");
    EXPECT_EQ(test::read_all(*client, 0, at(0)), "reply");
    run();
    EXPECT_TRUE(served.text.ends_with("received 0; finished 0; ")) << served.text;
    EXPECT_TRUE(asked.text.ends_with("received 0; finished 0; ")) << asked.text;
}

TEST_P(Tunnel, ResetsAreHeard) {
    open();
    server->reset(0, h3_error::internal_error, at(0));
    if (http1()) {
        run();
        EXPECT_TRUE(server1->finished_sending());
        return;
    }
    run();
    EXPECT_TRUE(asked.text.ends_with("failed 0 reset; ")) << asked.text;
    EXPECT_TRUE(served.text.ends_with("failed 0 cancelled; ")) << served.text;
    EXPECT_TRUE(up->gone);
    EXPECT_TRUE(down->gone);
}

TEST_P(Tunnel, TheClientCancels) {
    open();
    client->cancel(0, at(0));
    if (http1()) {
        EXPECT_TRUE(client1->finished_sending());
        server1->receive_end(true, at(0));
        run();
        EXPECT_TRUE(served.text.ends_with("received 0; ")) << served.text;
        return;
    }
    run();
    EXPECT_TRUE(served.text.ends_with("failed 0 reset; ")) << served.text;
    EXPECT_EQ(server->active_requests(), 0u);
}

TEST_P(Tunnel, ABrokenSourceIsHeard) {
    open();
    down->broken = true;
    server->resume_body(0);
    run();
    EXPECT_TRUE(served.text.find("failed 0 body_failed; ") != std::string::npos) << served.text;
    if (!http1()) {
        EXPECT_TRUE(asked.text.ends_with("failed 0 reset; ")) << asked.text;
    }
}

TEST_P(Tunnel, RefusedItIsAnOrdinaryAnswer) {
    make(offering({"websocket"}));
    ask();
    run();
    server->respond(0, {403, {}}, std::make_unique<memory_body>(std::string("no")), at(0));
    run();
    EXPECT_EQ(asked.text, "response 0 403 content-length=2 +body; finished 0; ");
    EXPECT_EQ(asked.bodies[0], "no");
    EXPECT_FALSE(up->asked);
    EXPECT_TRUE(served.text.find("finished 0; ") != std::string::npos) << served.text;
    EXPECT_TRUE(client->can_submit());
    client->submit({.authority = "host", .path = "/next"}, nullptr, at(0));
    run();
    EXPECT_TRUE(served.text.ends_with("request 1 GET https://host/next; received 1; ")) << served.text;
}

TEST_P(Tunnel, IsNotAskedForUnlessOffered) {
    make({});
    ask();
    run();
    if (http1()) {  // the server overlooks the upgrade
        EXPECT_EQ(served.text, "request 0 GET https://host/chat x=y; received 0; ");
        EXPECT_EQ(served.requests[0].protocol, "");
        return;
    }
    EXPECT_EQ(served.text, "");
    EXPECT_EQ(asked.text, "failed 0 unsupported; ");
}

TEST_P(Tunnel, UnknownProtocolsAre501) {
    make(offering({"websocket"}));
    ask("frob");
    run();
    if (http1()) {
        EXPECT_EQ(served.text, "request 0 GET https://host/chat x=y; received 0; ");
        return;
    }
    EXPECT_EQ(served.text, "");
    EXPECT_TRUE(asked.text.starts_with("response 0 501")) << asked.text;
    EXPECT_EQ(server->active_requests(), 0u);
}

// A handler that knows nothing of tunnels must not open one.
TEST_P(Tunnel, AnOrdinaryAnswerAcceptsNothing) {
    make(offering({"websocket"}));
    ask();
    run();
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string("page")), at(0));
    run();
    EXPECT_TRUE(asked.text.starts_with(http1() ? "response 0 200 content-length=4 +body; finished 0; " : "response 0 501"))
        << asked.text;
}

TEST_P(Tunnel, SwitchingIsForThoseWhoAsked) {
    make(offering({"websocket"}));
    client->submit({.authority = "host"}, nullptr, at(0));
    run();
    server->respond(0, {101, {}}, nullptr, at(0));
    run();
    EXPECT_TRUE(asked.text.starts_with("response 0 500")) << asked.text;
    request unasked{.method = "GET", .authority = "host"};
    unasked.protocol = "websocket";
    client->submit(std::move(unasked), nullptr, at(0));
    run();
    EXPECT_TRUE(asked.text.ends_with("failed 1 malformed; ")) << asked.text;
}

// Requests that need no settings do not wait for those of one that does; it goes when they are there.
TEST_P(Tunnel, OthersNeedNotWaitForSettings) {
    make(offering({"websocket"}));
    if (http1()) return;
    ask();
    client->submit({.authority = "host"}, nullptr, at(0));
    run();
    EXPECT_EQ(served.text, "request 0 GET https://host/; received 0; request 1 CONNECT https://host/chat x=y +body; ");
}

INSTANTIATE_TEST_SUITE_P(All, Tunnel, testing::Values(version::http1, version::http2, version::http3),
                         [](const auto& i) { return "http" + std::to_string(static_cast<int>(i.param) + 1); });

// The wire of HTTP/1.1, both ways.
TEST(tunnel_http1, upgrade_on_the_wire) {
    http1_client client;
    request r{.method = "CONNECT", .authority = "host", .path = "/chat"};
    r.protocol = "websocket";
    client.submit(r, nullptr, at(0));
    std::string out(1000, '\0');
    const auto room = std::span(reinterpret_cast<std::uint8_t*>(out.data()), out.size());
    EXPECT_EQ(out.substr(0, client.transmit(room, at(0))),
              "GET /chat HTTP/1.1\r\nhost: host\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n");
    test::client_trace asked;
    // Bytes of the new protocol may come in the same segment.
    client.receive(test::bytes_of("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nConnection: "
                                  "upgrade\r\nUpgrade: WebSocket\r\n\r\nbytes"),
                   {}, at(0));
    asked.run(client, at(0));
    EXPECT_EQ(asked.text, "interim 0 103; response 0 101 +body; going_away; ");
    EXPECT_EQ(asked.bodies[0], "bytes");

    limits l;
    l.tunnel_protocols = {"websocket"};
    http1_server server(l);
    test::server_trace served;
    const std::string_view text =
        "GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: frob/1, WebSocket\r\nConnection: keep-alive, Upgrade\r\n\r\nearly";
    const auto taken = server.receive(test::bytes_of(text), {}, at(0));
    served.run(server, at(0));
    EXPECT_EQ(text.substr(taken), "early");  // waits for the answer: it may be a request, or the new protocol
    EXPECT_FALSE(server.wants_to_receive());
    server.respond(0, {101, {}}, nullptr, at(0));
    EXPECT_EQ(out.substr(0, server.transmit(room, at(0))),
              "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n");
}

TEST(tunnel_http1, an_upgrade_that_may_be_overlooked) {
    limits l;
    l.tunnel_protocols = {"websocket"};
    for (const char* text :
         {"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n",                         // no Connection
          "GET / HTTP/1.0\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",  // RFC 9110 7.8
          "POST / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx",
          "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websockets\r\n\r\n"}) {
        http1_server server(l);
        test::server_trace served;
        server.receive(test::bytes_of(text), {}, at(0));
        served.run(server, at(0));
        EXPECT_EQ(served.requests[0].protocol, "") << text;
        EXPECT_TRUE(served.text.ends_with("received 0; ")) << text;
    }
}

TEST(tunnel_http1, a_server_switches_to_what_was_asked_for_alone) {
    for (const char* answer : {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: frob\r\n\r\n",
                               "HTTP/1.1 101 Switching Protocols\r\n\r\n"}) {
        http1_client client;
        request r{.method = "CONNECT", .authority = "host", .path = "/chat"};
        r.protocol = "websocket";
        client.submit(r, nullptr, at(0));
        std::uint8_t out[1000];
        client.transmit(out, at(0));
        client.receive(test::bytes_of(answer), {}, at(0));
        test::client_trace asked;
        asked.run(client, at(0));
        EXPECT_EQ(asked.text, "failed 0 malformed; closed; ");
    }
}

// How long a tunnel is quiet is its protocol's business.
TEST(tunnel_http1, no_idle_time) {
    limits l;
    l.tunnel_protocols = {"websocket"};
    http1_server server(l);
    server.receive(test::bytes_of("GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"), {}, at(0));
    server.respond(0, {101, {}}, std::make_unique<spoken>(std::make_shared<speech>()), at(0));
    std::uint8_t out[1000];
    server.transmit(out, at(0));
    EXPECT_FALSE(server.next_timeout());
}

// Stream type, SETTINGS, its length, then pairs; split everywhere, in long and short forms.
TEST(http3_settings_reader, finds_the_setting) {
    struct sample {
        std::vector<std::uint8_t> bytes;
        std::optional<bool> offered;
        bool good = true;
    };
    for (const auto& s : {sample{{0, 4, 0}, false},
                          {{0, 4, 2, 8, 1}, true},
                          {{0, 4, 2, 8, 0}, false},
                          {{0, 4, 4, 6, 1, 8, 1, 8, 9}, true},
                          {{0x40, 0, 0x40, 4, 0x40, 6, 0x40, 8, 0x80, 0, 0, 1}, true},
                          {{0, 4, 4, 0x33, 1, 6, 5}, false},
                          {{0, 4, 2, 8}, {}},
                          {{2, 4, 2, 8, 1}, {}},
                          {{0, 4, 2, 8, 2}, {}, false}}) {
        for (std::size_t split = 0; split <= s.bytes.size(); ++split) {
            http3_settings_reader reader;
            const std::span all(s.bytes);
            EXPECT_TRUE(reader.feed(7, {}));
            const bool first = reader.feed(3, all.first(split));
            const bool good = first && reader.feed(3, all.subspan(split));
            EXPECT_EQ(good, s.good);
            EXPECT_EQ(reader.extended_connect(), s.offered) << split;
        }
    }
}

}  // namespace
}  // namespace tandem::http
