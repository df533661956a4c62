// WebSockets between our client and our server, over every version of HTTP.
#include <tandem/net/http_coroutine.hpp>
#include <tandem/net/http_router.hpp>
#include <tandem/net/reverse_proxy.hpp>
#include <tandem/net/websocket.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>

#include "net/http_fixture.hpp"

namespace tandem::net {
namespace {

using exchange_ptr = std::shared_ptr<http_exchange>;
using boost::asio::awaitable;
using boost::asio::use_awaitable;
using boost::system::error_code;
namespace errc = boost::system::errc;
constexpr auto as_tuple = asio::as_tuple(use_awaitable);

awaitable<void> echo(exchange_ptr exchange) {
    auto ws = websocket::accept(std::move(exchange));
    if (!ws) co_return;
    for (;;) co_await ws->async_write(co_await ws->async_read(use_awaitable), use_awaitable);
}

std::string pattern(std::size_t size) {
    std::string out(size, '\0');
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>('a' + (i * 131 + i / 7919) % 26);
    return out;
}

class WebSocket : public Http, public testing::WithParamInterface<http_protocol> {
protected:
    WebSocket() {
        server_options.limits.tunnel_protocols = {"websocket"};
        websocket_settings.close_timeout = std::chrono::seconds(20);
    }
    // A handler that keeps the server's ends.
    http_handler keep(websocket_options options = {}) {
        return [this, options](exchange_ptr e) {
            if (auto own = websocket::accept(std::move(e), options)) accepted = std::move(*own);
        };
    }
    http::url where(std::string path = "/") { return request(path).url; }

    // Runs until the coroutine has returned.
    template <class Coroutine>
    void run(Coroutine coroutine) {
        bool done = false;
        asio::co_spawn(io, std::move(coroutine), [&](std::exception_ptr failure) {
            done = true;
            if (!failure) return;
            try {
                std::rethrow_exception(failure);
            } catch (const std::exception& e) {
                ADD_FAILURE() << e.what();
            }
        });
        run_until([&] { return done; });
    }
    void connect() {
        use({GetParam()});
        run([&]() -> awaitable<void> {
            ws = co_await websocket::async_connect(*client, where(), websocket_settings, use_awaitable);
        });
        run_until([&] { return accepted || !keeps; });
    }
    void connect_kept(websocket_options options = {}) {
        keeps = true;
        serve(keep(std::move(options)));
        connect();
    }
    bool http1() const { return GetParam() == http_protocol::http1; }

    websocket_options websocket_settings;
    websocket ws;        // the client's end
    websocket accepted;  // the server's
    bool keeps = false;
};

TEST_P(WebSocket, Echo) {
    serve(spawn(echo));
    connect();
    run([&]() -> awaitable<void> {
        EXPECT_EQ(ws.response().status, 101);
        for (std::size_t size : {5, 0, 125, 126, 65535, 65536, 3'000'000}) {
            const auto text = pattern(size);
            co_await ws.async_write_text(text, use_awaitable);
            auto back = co_await ws.async_read(use_awaitable);
            EXPECT_TRUE(back.text && back.data == text) << size;
        }
        const std::string binary("\0\xff\x80", 3);
        co_await ws.async_write_binary(asio::buffer(binary), use_awaitable);
        auto back = co_await ws.async_read(use_awaitable);
        EXPECT_FALSE(back.text);
        EXPECT_EQ(back.data, binary);
        co_await ws.async_close(1000, "enough", use_awaitable);
        EXPECT_EQ(ws.peer_close().code, 1000);
    });
    run_until([&] { return log.size() == 1; });
    EXPECT_EQ(log[0], std::string(to_string(GetParam())) + (http1() ? " GET" : " CONNECT") + " / 101");
}

TEST_P(WebSocket, ManyMessagesKeepTheirOrder) {
    serve(spawn(echo));
    connect();
    constexpr int count = 300;
    asio::co_spawn(
        io,
        [&]() -> awaitable<void> {
            for (int i = 0; i < count; ++i) co_await ws.async_write_text(std::to_string(i), use_awaitable);
        },
        asio::detached);
    run([&]() -> awaitable<void> {
        for (int i = 0; i < count; ++i) EXPECT_EQ((co_await ws.async_read(use_awaitable)).data, std::to_string(i));
    });
}

TEST_P(WebSocket, EitherSideCloses) {
    for (bool client_begins : {true, false}) {
        accepted = {};
        server.reset();
        connect_kept();
        auto& first = client_begins ? ws : accepted;
        auto& second = client_begins ? accepted : ws;
        bool closed = false;
        run([&]() -> awaitable<void> {
            // What was sent before the Close frame is read before it.
            co_await first.async_write_text("last words", use_awaitable);
            first.async_close(3001, "because", [&](error_code e) {
                EXPECT_FALSE(e) << e.message();
                closed = true;
            });
            EXPECT_EQ((co_await second.async_read(use_awaitable)).data, "last words");
            auto [ended, nothing] = co_await second.async_read(as_tuple);
            EXPECT_EQ(ended, asio::error::eof);
            EXPECT_EQ(second.peer_close().code, 3001);
            EXPECT_EQ(second.peer_close().reason, "because");
            auto [refused] = co_await second.async_write_text("too late", as_tuple);
            EXPECT_EQ(refused, asio::error::shut_down);
            EXPECT_FALSE(second.ping());
            auto [own] = co_await second.async_close(1000, "", as_tuple);
            EXPECT_FALSE(own);
            auto [other_end, none] = co_await first.async_read(as_tuple);
            EXPECT_EQ(other_end, asio::error::eof);
        });
        run_until([&] { return closed && !log.empty(); });
        EXPECT_EQ(log[0].find("incomplete"), std::string::npos) << log[0];
        log.clear();
        ws = {};
    }
}

TEST_P(WebSocket, LettingGoSaysSo) {
    connect_kept();
    ws = {};
    run([&]() -> awaitable<void> {
        auto [ended, none] = co_await accepted.async_read(as_tuple);
        EXPECT_EQ(ended, asio::error::eof);
        EXPECT_EQ(accepted.peer_close().code, 1001);
    });
    run_until([&] { return log.size() == 1; });
    connect();
    accepted = {};
    run([&]() -> awaitable<void> {
        auto [ended, none] = co_await ws.async_read(as_tuple);
        EXPECT_EQ(ended, asio::error::eof);
        EXPECT_EQ(ws.peer_close().code, 1001);
    });
}

TEST_P(WebSocket, SubprotocolAndFields) {
    websocket_options server_side;
    server_side.subprotocols = {"chat", "superchat"};
    server_side.fields.append("x-answer", "yes");
    websocket_settings.subprotocols = {"superchat", "chat", "other"};
    websocket_settings.fields.append("origin", "https://here");
    connect_kept(server_side);
    EXPECT_EQ(ws.subprotocol(), "chat");
    EXPECT_EQ(accepted.subprotocol(), "chat");
    EXPECT_EQ(ws.response().fields.find("x-answer"), "yes");
    EXPECT_EQ(ws.response().fields.contains("sec-websocket-accept"), http1());
}

TEST_P(WebSocket, PingAndPong) {
    connect_kept();
    std::string at_client, at_server;
    ws.on_pong([&](std::string_view payload) { at_client = payload; });
    accepted.on_pong([&](std::string_view payload) { at_server = payload; });
    EXPECT_TRUE(ws.ping("up"));
    EXPECT_TRUE(accepted.ping("down"));
    EXPECT_FALSE(ws.ping(std::string(126, 'x')));
    run_until([&] { return at_client == "up" && at_server == "down"; });
}

TEST_P(WebSocket, ServersRefuse) {
    http_router router;
    router.add("*", "/ws", spawn(echo));
    router.add("*", "/no", [](exchange_ptr e) { e->respond(403, "text/plain", "not you"); });
    serve(http_handler(router));
    use({GetParam()});
    run([&]() -> awaitable<void> {
        auto [error, none] = co_await websocket::async_connect(*client, where("/no"), websocket_settings, as_tuple);
        EXPECT_EQ(error, asio::error::connection_refused);
        EXPECT_EQ(none.response().status, 403);
        EXPECT_EQ(none.failure(), "the server answered 403");
        auto [missing, none_either] = co_await websocket::async_connect(*client, where("/missing"), websocket_settings, as_tuple);
        EXPECT_EQ(missing, asio::error::connection_refused);
        EXPECT_EQ(none_either.response().status, 404);
        auto [ended, no_message] = co_await none.async_read(as_tuple);
        EXPECT_EQ(ended, asio::error::connection_refused);
        auto [unwritten] = co_await none.async_write_text("x", as_tuple);
        EXPECT_EQ(unwritten, asio::error::connection_refused);
    });
    auto page = fetch(request("/ws"));  // no WebSocket is asked for
    EXPECT_EQ(page->response.status, 426);
    EXPECT_EQ(page->response.fields.find("sec-websocket-version"), "13");
    auto again = request("/ws");
    again.protocol = "websocket";
    again.fields.append("sec-websocket-version", "12");
    EXPECT_EQ(fetch(std::move(again))->response.status, http1() ? 426 : 400);
    auto keyless = request("/ws");
    keyless.protocol = "websocket";
    keyless.fields.append("sec-websocket-version", "13");
    keyless.fields.append("sec-websocket-key", "short");
    if (http1()) {
        EXPECT_EQ(fetch(std::move(keyless))->response.status, 400);
    }
}

// Most servers: WebSockets over HTTP/1.1 only, whatever else they speak.
TEST_P(WebSocket, OfferedOverHttp1Only) {
    server_options.limits.extended_connect = false;
    serve(spawn(echo));
    for (bool both : {false, true}) {
        use({GetParam()});
        if (both && GetParam() != http_protocol::http3) break;
        if (both) use({GetParam(), http_protocol::http2});
        EXPECT_EQ(fetch(request("/"))->response.status, 426);  // there is a connection already
        run([&]() -> awaitable<void> {
            auto [error, socket] = co_await websocket::async_connect(*client, where(), websocket_settings, as_tuple);
            if (!both && !http1() && GetParam() != http_protocol::http2) {
                EXPECT_EQ(error, asio::error::operation_not_supported);
                co_return;
            }
            EXPECT_FALSE(error) << socket.failure();
            co_await socket.async_write_text("hello", use_awaitable);
            EXPECT_EQ((co_await socket.async_read(use_awaitable)).data, "hello");
            co_await socket.async_close(1000, "", use_awaitable);
        });
        if (both || http1() || GetParam() == http_protocol::http2) {
            run_until([&] { return log.back() == "HTTP/1.1 GET / 101"; });
        }
    }
}

TEST_P(WebSocket, NotOffered) {
    server_options.limits.tunnel_protocols.clear();
    serve(spawn(echo));
    use({GetParam()});
    run([&]() -> awaitable<void> {
        auto [error, none] = co_await websocket::async_connect(*client, where(), websocket_settings, as_tuple);
        if (http1() || GetParam() == http_protocol::http2) {  // HTTP/2 permits HTTP/1.1, which is tried
            EXPECT_EQ(error, asio::error::connection_refused);
            EXPECT_EQ(none.response().status, 426);
        } else {
            EXPECT_EQ(error, asio::error::operation_not_supported);
            EXPECT_EQ(none.failure(), "the server does not offer extended CONNECT");
        }
    });
}

// It joins messages, and must not wait for the end of a body that is none.
TEST_P(WebSocket, AProxyOpensNoTunnels) {
    reverse_proxy_options options;
    options.origin.port = 1;
    serve(reverse_proxy(io.get_executor(), options));
    use({GetParam()});
    run([&]() -> awaitable<void> {
        auto [error, none] = co_await websocket::async_connect(*client, where(), websocket_settings, as_tuple);
        EXPECT_EQ(error, asio::error::connection_refused);
        EXPECT_EQ(none.response().status, 501);
    });
}

TEST_P(WebSocket, AWrongAnswer) {
    exchange_ptr held;
    serve([&](exchange_ptr e) {
        e->begin({101, {{"sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, {"sec-websocket-protocol", "what"}}});
        held = std::move(e);
    });
    use({GetParam()});
    run([&]() -> awaitable<void> {
        auto [error, none] = co_await websocket::async_connect(*client, where(), websocket_settings, as_tuple);
        EXPECT_EQ(error, errc::make_error_code(errc::protocol_error));
        EXPECT_EQ(none.failure(), http1() ? "a wrong Sec-WebSocket-Accept" : "a subprotocol that was not offered");
    });
}

TEST_P(WebSocket, WhatThePeerMayNotSend) {
    websocket_options small;
    small.limits.message_size = 1000;
    connect_kept(small);
    run([&]() -> awaitable<void> {
        auto [refused] = co_await ws.async_write_text("\xff", as_tuple);
        EXPECT_EQ(refused, errc::make_error_code(errc::illegal_byte_sequence));
        const std::string large(1001, 'x');
        co_await ws.async_write_text(large, use_awaitable);
        auto [at_server, none] = co_await accepted.async_read(as_tuple);
        EXPECT_EQ(at_server, asio::error::message_size);
        auto [at_client, nothing] = co_await ws.async_read(as_tuple);
        EXPECT_EQ(at_client, asio::error::eof);
        EXPECT_EQ(ws.peer_close().code, 1009);
    });
}

// Who does not read holds the other back, and nobody's memory grows.
TEST_P(WebSocket, SlowReadersHoldWritersBack) {
    connect_kept();
    const auto message = pattern(100'000);
    int written = 0, wanted = 200;
    asio::co_spawn(
        io,
        [&]() -> awaitable<void> {
            for (; written < wanted; ++written) co_await ws.async_write_text(message, use_awaitable);
        },
        asio::detached);
    int before = -1;
    // Until nothing moves: no write has completed for as long as a thousand turns of the loop and a while take.
    while (before != written) {
        before = written;
        for (int i = 0; i < 1000; ++i) io.poll_one();
        io.run_for(std::chrono::milliseconds(60));
    }
    EXPECT_LT(written, wanted);
    run([&]() -> awaitable<void> {
        for (int i = 0; i < wanted; ++i) {
            auto got = co_await accepted.async_read(use_awaitable);
            EXPECT_TRUE(got.data == message);
        }
    });
    EXPECT_EQ(written, wanted);
}

TEST_P(WebSocket, OneOperationAtATime) {
    connect_kept();
    error_code read, write, close;
    const std::string large = pattern(5'000'000);
    ws.async_read([](error_code, websocket_message) {});
    ws.async_read([&](error_code e, websocket_message) { read = e; });
    ws.async_write_text(large, [](error_code) {});
    ws.async_write_text("x", [&](error_code e) { write = e; });
    ws.async_close(1000, "", [](error_code) {});
    ws.async_close(1000, "", [&](error_code e) { close = e; });
    run_until([&] { return read && write && close; });
    EXPECT_EQ(read, asio::error::already_started);
    EXPECT_EQ(write, asio::error::already_started);
    EXPECT_EQ(close, asio::error::already_started);
    error_code wrong;
    accepted.async_close(1006, "", [&](error_code e) { wrong = e; });
    run_until([&] { return wrong.failed(); });
    EXPECT_EQ(wrong, asio::error::invalid_argument);
}

TEST_P(WebSocket, Cancellation) {
    connect_kept();
    asio::cancellation_signal stop;
    error_code read;
    ws.async_read(asio::bind_cancellation_slot(stop.slot(), [&](error_code e, websocket_message) { read = e; }));
    stop.emit(asio::cancellation_type::total);
    run_until([&] { return read.failed(); });
    EXPECT_EQ(read, asio::error::operation_aborted);
    run([&]() -> awaitable<void> {  // nothing is lost by that
        co_await accepted.async_write_text("after", use_awaitable);
        EXPECT_EQ((co_await ws.async_read(use_awaitable)).data, "after");
    });
    // In the middle of a message there is no way on.
    const std::string large = pattern(20'000'000);
    error_code write;
    ws.async_write_text(large, asio::bind_cancellation_slot(stop.slot(), [&](error_code e) { write = e; }));
    for (int i = 0; i < 10; ++i)
        io.run_one_for(std::chrono::milliseconds(50));  // a turn moves a part of it, however fast the machine is
    EXPECT_FALSE(write);
    stop.emit(asio::cancellation_type::terminal);
    run_until([&] { return write.failed(); });
    EXPECT_EQ(write, asio::error::operation_aborted);
    run([&]() -> awaitable<void> {
        auto [ended, none] = co_await accepted.async_read(as_tuple);
        EXPECT_TRUE(ended);
        EXPECT_NE(ended, asio::error::eof);
        EXPECT_EQ(accepted.peer_close().code, websocket_code::abnormal);
    });
}

TEST_P(WebSocket, ConnectingCanBeCancelled) {
    exchange_ptr held;
    serve([&](exchange_ptr e) { held = std::move(e); });
    use({GetParam()});
    asio::cancellation_signal stop;
    error_code got;
    websocket::async_connect(*client, where(), {},
                             asio::bind_cancellation_slot(stop.slot(), [&](error_code e, websocket) { got = e; }));
    run_until([&] { return held != nullptr; });
    stop.emit(asio::cancellation_type::terminal);
    run_until([&] { return got.failed(); });
    EXPECT_EQ(got, asio::error::operation_aborted);
    if (!http1()) run_until([&] { return held->over(); });
}

TEST_P(WebSocket, ConnectionsEnd) {
    connect_kept();
    error_code at_client, at_server;
    ws.async_read([&](error_code e, websocket_message) { at_client = e; });
    accepted.async_read([&](error_code e, websocket_message) { at_server = e; });
    server.reset();
    run_until([&] { return at_client && at_server; });
    EXPECT_NE(at_client, asio::error::eof);
    EXPECT_EQ(at_server, asio::error::connection_reset);
    EXPECT_FALSE(ws.failure().empty());

    connect_kept();
    at_client = at_server = {};
    ws.async_read([&](error_code e, websocket_message) { at_client = e; });
    accepted.async_read([&](error_code e, websocket_message) { at_server = e; });
    client.reset();
    run_until([&] { return at_client && at_server; });
    EXPECT_EQ(at_client, asio::error::operation_aborted);
    EXPECT_EQ(at_server, asio::error::connection_reset);
    ws = {};
}

TEST_P(WebSocket, ResetCutsOff) {
    connect_kept();
    error_code own;
    ws.async_read([&](error_code e, websocket_message) { own = e; });
    ws.reset();
    run([&]() -> awaitable<void> {
        auto [ended, none] = co_await accepted.async_read(as_tuple);
        EXPECT_EQ(ended, asio::error::connection_reset);
    });
    EXPECT_EQ(own, asio::error::operation_aborted);
}

// Server, client and io_context end in the middle of everything: what the handlers hold is let go of.
TEST_P(WebSocket, NothingIsLeftBehind) {
    auto held = std::make_shared<int>();
    std::weak_ptr<int> left = held;
    client_options.protocols = {GetParam()};
    {
        asio::io_context own{1};
        http_server its_server(own.get_executor(), server_options, spawn([held](exchange_ptr e) -> awaitable<void> {
                                   auto kept = held;
                                   co_await echo(std::move(e));
                               }));
        ASSERT_FALSE(its_server.start());
        http_client its_client(own.get_executor(), client_options);
        std::string why;
        const auto url = http::parse_url("https://127.0.0.1:" + std::to_string(its_server.port()) + "/", why);
        bool reading = false;
        asio::co_spawn(
            own,
            [&, held]() -> awaitable<void> {
                auto mine = co_await websocket::async_connect(its_client, *url, websocket_settings, use_awaitable);
                co_await mine.async_write_text("x", use_awaitable);
                co_await mine.async_read(use_awaitable);
                reading = true;
                co_await mine.async_read(use_awaitable);
            },
            asio::detached);
        held.reset();
        while (!reading) own.run_one();
        EXPECT_FALSE(left.expired());
    }
    EXPECT_TRUE(left.expired());
}

// A server that switched, and then says nothing more.
TEST_P(WebSocket, PeersThatDoNotAnswer) {
    std::vector<exchange_ptr> held;
    serve([&](exchange_ptr e) {
        e->begin(http::answer_websocket(e->request(), {}).head);
        held.push_back(std::move(e));
    });
    websocket_settings.close_timeout = std::chrono::milliseconds(30);
    connect();
    run([&]() -> awaitable<void> {
        auto [closed] = co_await ws.async_close(1000, "", as_tuple);
        EXPECT_EQ(closed, asio::error::timed_out);
    });
    run_until([&] { return held.size() == 1 && held[0]->over(); });
    websocket_settings.idle_timeout = std::chrono::milliseconds(60);
    connect();
    run([&]() -> awaitable<void> {
        auto [lost, none] = co_await ws.async_read(as_tuple);
        EXPECT_EQ(lost, asio::error::timed_out);
    });
}

// Pings keep it open while nobody has anything to say.
TEST_P(WebSocket, QuietIsNotDead) {
    websocket_settings.idle_timeout = std::chrono::milliseconds(300);
    server_options.requests.stall_timeout = std::chrono::milliseconds(100);
    server_options.sweep_interval = std::chrono::milliseconds(10);
    connect_kept();
    error_code early;
    ws.async_read([&](error_code e, websocket_message) { early = e; });
    io.run_for(std::chrono::milliseconds(500));
    EXPECT_FALSE(early) << early.message();
}

INSTANTIATE_TEST_SUITE_P(All, WebSocket,
                         testing::Values(http_protocol::http1, http_protocol::http2, http_protocol::http3,
                                         http_protocol::http3_qmux),
                         [](const auto& i) { return protocol_name(i.param); });

}  // namespace
}  // namespace tandem::net
