// Datagram tunnels between our client and our server, over every version of HTTP; and servers and clients that break the rules.
#include <tandem/http/capsules.hpp>
#include <tandem/net/datagram_tunnel.hpp>
#include <tandem/net/http_coroutine.hpp>
#include <tandem/net/http_router.hpp>
#include <tandem/tls/session_cache.hpp>

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
using octets = std::vector<std::uint8_t>;
namespace errc = boost::system::errc;
constexpr auto as_tuple = asio::as_tuple(use_awaitable);

octets bytes(std::string_view text) { return {text.begin(), text.end()}; }
octets capsule(std::string_view payload, std::uint64_t type = http::capsule_type::datagram) {
    octets out;
    http::append_capsule(out, type, bytes(payload));
    return out;
}

awaitable<void> echo(exchange_ptr exchange) {
    auto tunnel = datagram_tunnel::accept(std::move(exchange), "connect-udp");
    if (!tunnel) co_return;
    for (;;) tunnel->send(co_await tunnel->async_receive(use_awaitable));
}

class DatagramTunnel : public Http, public testing::WithParamInterface<http_protocol> {
protected:
    DatagramTunnel() {
        server_options.limits.tunnel_protocols = {"connect-udp", "other"};
        server_options.limits.datagram_protocols = {"connect-udp", "other"};
        server_options.limits.datagram_buffer = client_options.connection.limits.datagram_buffer = 64 * 1024;
    }
    // A handler that keeps the server's ends.
    http_handler keep(datagram_tunnel_options options = {}) {
        return [this, options](exchange_ptr e) {
            if (auto own = datagram_tunnel::accept(std::move(e), "connect-udp", options)) accepted = std::move(*own);
        };
    }
    // A handler that speaks for itself on the stream.
    http_handler keep_exchange() {
        return [this](exchange_ptr e) {
            e->begin({101, {{"capsule-protocol", "?1"}}});
            raw = std::move(e);
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
            tunnel = co_await datagram_tunnel::async_connect(*client, where(), "connect-udp", settings, use_awaitable);
        });
        run_until([&] { return accepted || raw || !keeps; });
    }
    void connect_kept(datagram_tunnel_options options = {}) {
        keeps = true;
        serve(keep(std::move(options)));
        connect();
    }
    void connect_raw() {
        keeps = true;
        serve(keep_exchange());
        connect();
    }
    // The other end of whoever is asked for one datagram, or for the error there is instead.
    std::pair<error_code, octets> receive(datagram_tunnel& from) {
        std::pair<error_code, octets> out;
        bool done = false;
        from.async_receive([&](error_code e, octets d) {
            out = {e, std::move(d)};
            done = true;
        });
        run_until([&] { return done; });
        return out;
    }
    void write_raw(const octets& what) {
        run([&]() -> awaitable<void> { co_await asio::async_write(*raw, asio::buffer(what), use_awaitable); });
    }
    bool http1() const { return GetParam() == http_protocol::http1; }
    bool quic() const { return GetParam() == http_protocol::http3; }
    datagram_carrier usual() const { return quic() ? datagram_carrier::quic : datagram_carrier::capsule; }
    static error_code protocol_error() { return errc::make_error_code(errc::protocol_error); }

    datagram_tunnel_options settings;
    datagram_tunnel tunnel;    // the client's end
    datagram_tunnel accepted;  // the server's
    exchange_ptr raw;
    bool keeps = false;
};

TEST_P(DatagramTunnel, Echo) {
    serve(spawn(echo));
    connect();
    EXPECT_EQ(tunnel.response().status, 101);
    EXPECT_EQ(tunnel.response().fields.find("capsule-protocol"), "?1");
    EXPECT_EQ(tunnel.max_quic_datagram() > 1000, quic());
    for (std::size_t size : {5, 0, 1, 63, 64, 1000}) {
        const octets sent(size, static_cast<std::uint8_t>(size));
        EXPECT_EQ(tunnel.send(sent), usual());
        const auto [error, back] = receive(tunnel);
        EXPECT_FALSE(error);
        EXPECT_EQ(back, sent);
    }
    tunnel.close();
    run_until([&] { return log.size() == 1; });
    EXPECT_EQ(log[0], std::string(to_string(GetParam())) + (http1() ? " GET" : " CONNECT") + " / 101");
    EXPECT_EQ(tunnel.counts().received, 6u);
    EXPECT_EQ(quic() ? tunnel.counts().sent_in_quic : tunnel.counts().sent_in_capsules, 6u);
}

// Each datagram is whole and, in capsules, none is lost: who does not read holds them back.
TEST_P(DatagramTunnel, ManyDatagrams) {
    datagram_tunnel_options roomy;
    roomy.limits.receive_buffer = roomy.limits.send_buffer = 4 * 1024 * 1024;
    settings = roomy;
    server_options.limits.datagram_buffer = 4 * 1024 * 1024;
    connect_kept(roomy);
    constexpr std::uint32_t count = 3000;
    std::uint32_t next = 0, lost = 0;
    for (std::uint32_t i = 0; i < count && !quic(); ++i) {
        octets sent(700, static_cast<std::uint8_t>(i));
        EXPECT_EQ(tunnel.send(sent), datagram_carrier::capsule);
    }
    run([&]() -> awaitable<void> {
        for (; next < count; ++next) {
            const octets sent(700, static_cast<std::uint8_t>(next));
            if (quic() && tunnel.send(sent) != datagram_carrier::quic) ++lost;
            EXPECT_EQ(co_await accepted.async_receive(use_awaitable), sent);
        }
    });
    EXPECT_EQ(lost, 0u);
}

TEST_P(DatagramTunnel, TooLargeForAPacketGoesInACapsule) {
    connect_kept();
    const octets large(20'000, 'x');
    EXPECT_EQ(tunnel.send(octets(65'537)), datagram_carrier::none);  // datagram_limits::size
    EXPECT_EQ(accepted.send(large), datagram_carrier::capsule);
    EXPECT_EQ(receive(tunnel).second, large);
    settings.large_in_capsules = false;
    keeps = false;
    connect();
    EXPECT_EQ(tunnel.send(large), quic() ? datagram_carrier::none : datagram_carrier::capsule);
    EXPECT_EQ(tunnel.counts().not_sent, quic() ? 1u : 0u);
}

TEST_P(DatagramTunnel, APeerWithoutQuicDatagramsGetsCapsules) {
    for (bool server_side : {true, false}) {
        server_options.limits.datagram_buffer = server_side ? 0 : 64 * 1024;
        client_options.connection.limits.datagram_buffer = server_side ? 64 * 1024 : 0;
        tunnel = {};
        accepted = {};
        server.reset();
        connect_kept();
        EXPECT_EQ(tunnel.max_quic_datagram(), 0u);
        EXPECT_EQ(tunnel.send(bytes("up")), datagram_carrier::capsule);
        EXPECT_EQ(receive(accepted).second, bytes("up"));
        EXPECT_EQ(accepted.send(bytes("down")), datagram_carrier::capsule);
        EXPECT_EQ(receive(tunnel).second, bytes("down"));
    }
}

TEST_P(DatagramTunnel, EitherSideEnds) {
    for (bool client_begins : {true, false}) {
        tunnel = {};
        accepted = {};
        server.reset();
        log.clear();
        connect_kept();
        auto& first = client_begins ? tunnel : accepted;
        auto& second = client_begins ? accepted : tunnel;
        EXPECT_NE(first.send(bytes("last words")), datagram_carrier::none);
        EXPECT_EQ(receive(second).second, bytes("last words"));
        first.close();
        EXPECT_EQ(first.send(bytes("too late")), datagram_carrier::none);
        EXPECT_EQ(receive(first).first, asio::error::operation_aborted);
        EXPECT_EQ(receive(second).first, asio::error::eof);
        EXPECT_EQ(receive(second).first, asio::error::eof);
        second.close();
        run_until([&] { return log.size() == 1; });
        EXPECT_EQ(log[0].find("incomplete"), std::string::npos) << log[0];
    }
}

// What waits in capsules is sent before the end.
TEST_P(DatagramTunnel, CloseLosesNoCapsules) {
    client_options.connection.limits.datagram_buffer = 0;
    settings.limits.send_buffer = 2'000'000;
    connect_kept();
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(tunnel.send(octets(1500, 'x')), datagram_carrier::capsule);
    tunnel.close();
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(receive(accepted).second.size(), 1500u) << i;
    EXPECT_EQ(receive(accepted).first, asio::error::eof);
}

TEST_P(DatagramTunnel, LettingGoEndsIt) {
    connect_kept();
    tunnel = {};
    EXPECT_EQ(receive(accepted).first, asio::error::eof);
    accepted = {};
    run_until([&] { return log.size() == 1; });
    keeps = true;
    connect();
    run_until([&] { return bool(accepted); });
    accepted = {};
    EXPECT_EQ(receive(tunnel).first, asio::error::eof);
    tunnel = {};
    run_until([&] { return log.size() == 2; });
}

TEST_P(DatagramTunnel, APeerThatDoesNotEndIsResetInTime) {
    if (http1()) return;  // the client's end is that of the connection
    settings.close_timeout = std::chrono::milliseconds(1);
    connect_kept();
    tunnel.close();
    run_until([&] { return log.size() == 1; });
    EXPECT_NE(log[0].find("incomplete"), std::string::npos) << log[0];
}

TEST_P(DatagramTunnel, ResetCutsItOff) {
    connect_kept();
    tunnel.reset();
    EXPECT_EQ(receive(tunnel).first, asio::error::operation_aborted);
    EXPECT_EQ(receive(accepted).first, asio::error::connection_reset);
    EXPECT_EQ(accepted.send(bytes("x")), datagram_carrier::none);
    connect_kept();
    accepted.reset();
    EXPECT_EQ(receive(tunnel).first, asio::error::connection_reset);
}

// RFC 9297 3.3. The server ends its stream within a capsule; then the client does.
TEST_P(DatagramTunnel, AStreamThatEndsWithinACapsule) {
    for (const char* cut : {"00", "0005", "000561", "0105 61", "c0"}) {
        raw.reset();
        tunnel = {};
        server.reset();
        log.clear();
        connect_raw();
        octets part = capsule("whole");
        for (const char* at = cut; *at != '\0'; at += *at == ' ' ? 1 : 2) {
            if (*at != ' ') part.push_back(static_cast<std::uint8_t>(std::stoul(std::string(at, 2), nullptr, 16)));
        }
        write_raw(part);
        raw->finish();
        EXPECT_EQ(receive(tunnel).second, bytes("whole")) << cut;
        EXPECT_EQ(receive(tunnel).first, protocol_error()) << cut;
        EXPECT_EQ(tunnel.failure(), "the stream ended in the middle of a capsule");
        run_until([&] { return log.size() == 1; });
    }
}

// A client's stream, byte by byte, as no tunnel writes it.
class raw_client final : public transfer_sink {
public:
    void on_response(const http::response& r, const transfer_info&) override { status = r.status; }
    bool on_body(std::span<const std::uint8_t> b) override {
        body.insert(body.end(), b.begin(), b.end());
        return true;
    }
    void on_end(const std::optional<http_error>& e, const transfer_info&) override {
        error = e;
        done = true;
    }
    class source final : public http::body_source {
    public:
        explicit source(raw_client& owner) : owner_(owner) {}
        result read(std::span<std::uint8_t> out) override {
            const auto n = std::min(out.size(), owner_.to_send.size());
            std::copy_n(owner_.to_send.begin(), n, out.begin());
            owner_.to_send.erase(owner_.to_send.begin(), owner_.to_send.begin() + static_cast<std::ptrdiff_t>(n));
            return {.n = n, .end = owner_.to_send.empty() && owner_.ends};
        }

    private:
        raw_client& owner_;
    };

    int status = 0;
    octets body, to_send;
    bool ends = false, done = false;
    std::optional<http_error> error;
};

TEST_P(DatagramTunnel, AClientThatEndsWithinACapsule) {
    if (http1()) return;  // has no half-close
    keeps = true;
    serve(keep());
    use({GetParam()});
    auto sink = std::make_shared<raw_client>();
    sink->to_send = capsule("whole");
    sink->to_send.insert(sink->to_send.end(), {0x00, 0x05, 'c', 'u'});
    sink->ends = true;
    auto r = request("/");
    r.protocol = "connect-udp";
    r.source = [&] { return std::make_unique<raw_client::source>(*sink); };
    client->submit(std::move(r), sink);
    run_until([&] { return bool(accepted); });
    EXPECT_EQ(receive(accepted).second, bytes("whole"));
    EXPECT_EQ(receive(accepted).first, protocol_error());
    run_until([&] { return sink->done && log.size() == 1; });
    ASSERT_TRUE(sink->error);
    EXPECT_NE(sink->error->text.find(quic() || GetParam() == http_protocol::http3_qmux ? "H3_MESSAGE_ERROR" : "PROTOCOL_ERROR"),
              std::string::npos)
        << sink->error->text;
}

// What came before is neither read nor asked for; letting go must end the exchange all the same.
TEST_P(DatagramTunnel, AClientThatEndsWhileNobodyReads) {
    if (http1()) return;
    keeps = true;
    datagram_tunnel_options small;
    small.limits.receive_buffer = 100;
    serve(keep(small));
    use({GetParam()});
    auto sink = std::make_shared<raw_client>();
    for (int i = 0; i < 3000; ++i) {
        const auto one = capsule("some bytes");
        sink->to_send.insert(sink->to_send.end(), one.begin(), one.end());
    }
    sink->ends = true;
    auto r = request("/");
    r.protocol = "connect-udp";
    r.source = [&] { return std::make_unique<raw_client::source>(*sink); };
    client->submit(std::move(r), sink);
    run_until([&] { return accepted && sink->to_send.empty(); });
    EXPECT_EQ(receive(accepted).second, bytes("some bytes"));
    accepted = {};
    run_until([&] { return sink->done && log.size() == 1; });
    EXPECT_FALSE(sink->error);
}

// Who has finished and lets go of an exchange that was never read has ended it, though the client's last byte is here already.
TEST_P(DatagramTunnel, AnExchangeThatIsLetGoOfUnreadEnds) {
    if (http1()) return;
    keeps = true;
    serve(keep_exchange());
    use({GetParam()});
    auto sink = std::make_shared<raw_client>();
    sink->to_send = capsule("unread");
    sink->ends = true;
    auto r = request("/");
    r.protocol = "connect-udp";
    r.source = [&] { return std::make_unique<raw_client::source>(*sink); };
    client->submit(std::move(r), sink);
    run_until([&] { return raw && sink->to_send.empty(); });
    for (int i = 0; i < 10; ++i) io.run_one_for(std::chrono::milliseconds(20));  // the end has arrived
    raw->finish();
    raw.reset();
    run_until([&] { return sink->done && log.size() == 1; });
    EXPECT_FALSE(sink->error);
}

TEST_P(DatagramTunnel, UnknownCapsulesArePassedOver) {
    connect_raw();
    auto stream = capsule("first");
    for (const auto& more : {capsule(std::string(100'000, 'u'), 0x2575), capsule("", 0x3fffffffffffffff), capsule("last")})
        stream.insert(stream.end(), more.begin(), more.end());
    bool written = false;
    asio::async_write(*raw, asio::buffer(stream), [&](error_code, std::size_t) { written = true; });
    EXPECT_EQ(receive(tunnel).second, bytes("first"));
    EXPECT_EQ(receive(tunnel).second, bytes("last"));
    run_until([&] { return written; });
    EXPECT_EQ(tunnel.counts().unknown, 2u);
}

TEST_P(DatagramTunnel, LargerThanAllowedIsPassedOver) {
    settings.limits.size = 1000;
    connect_raw();
    auto stream = capsule(std::string(1001, 'x'));
    for (const auto& more : {capsule(std::string(200'000, 'x')), capsule(std::string(1000, 'y'))})
        stream.insert(stream.end(), more.begin(), more.end());
    bool written = false;
    asio::async_write(*raw, asio::buffer(stream), [&](error_code, std::size_t) { written = true; });
    EXPECT_EQ(receive(tunnel).second, octets(1000, 'y'));
    run_until([&] { return written; });
    EXPECT_EQ(tunnel.counts().too_large, 2u);
    EXPECT_EQ(tunnel.send(octets(1001)), datagram_carrier::none);
    EXPECT_EQ(tunnel.counts().not_sent, 1u);
}

// A flood of capsules that nobody reads fills a bounded buffer, and then waits at its sender.
TEST_P(DatagramTunnel, FloodsOfCapsulesAreHeldBack) {
    settings.limits.receive_buffer = 10'000;
    connect_raw();
    octets flood;
    while (flood.size() < 8'000'000) {
        const auto one = capsule(flood.size() % 2 == 0 ? "" : "some bytes");
        flood.insert(flood.end(), one.begin(), one.end());
    }
    std::size_t written = 0;
    bool done = false;
    asio::async_write(
        *raw, asio::buffer(flood),
        [&](const error_code& e, std::size_t so_far) -> std::size_t {
            written = so_far;
            return e ? 0 : 65536;
        },
        [&](error_code, std::size_t) { done = true; });
    std::size_t before = SIZE_MAX;
    // Until nothing moves: nothing was taken for as long as a thousand turns of the loop and a while take.
    while (before != written) {
        before = written;
        for (int i = 0; i < 1000; ++i) io.poll_one();
        io.run_for(std::chrono::milliseconds(60));
    }
    EXPECT_FALSE(done);
    EXPECT_EQ(tunnel.counts().unread, 0u);
    for (int i = 0; i < 1000; ++i) ASSERT_FALSE(receive(tunnel).first);  // it goes on
}

// QUIC datagrams have no flow control: the oldest make room.
TEST_P(DatagramTunnel, FloodsOfQuicDatagramsPushTheOldestOut) {
    if (!quic()) return;
    settings.limits.receive_buffer = 20 * (64 + 100);
    connect_kept();
    int sent = 0;
    for (int i = 0; i < 100; ++i) {
        sent += accepted.send(octets(100, static_cast<std::uint8_t>(i))) == datagram_carrier::quic;
        io.poll();
    }
    run_until([&] { return tunnel.counts().unread == 80; });
    EXPECT_EQ(sent, 100);
    EXPECT_EQ(receive(tunnel).second, octets(100, 80));
}

TEST_P(DatagramTunnel, WhatWaitsToBeSentIsBounded) {
    client_options.connection.limits.datagram_buffer = 0;
    settings.limits.send_buffer = 10'000;
    connect_kept();
    int sent = 0;
    for (int i = 0; i < 100; ++i) sent += tunnel.send(octets(1000)) == datagram_carrier::capsule;
    EXPECT_EQ(sent, 9);
    EXPECT_EQ(tunnel.counts().not_sent, 91u);
    for (int i = 0; i < 9; ++i) EXPECT_EQ(receive(accepted).second.size(), 1000u);
}

TEST_P(DatagramTunnel, ServersRefuse) {
    http_router router;
    router.add("*", "/udp", spawn(echo));
    router.add("*", "/no", [](exchange_ptr e) { e->respond(403, "text/plain", "not you"); });
    serve(http_handler(router));
    use({GetParam()});
    run([&]() -> awaitable<void> {
        auto [error, none] = co_await datagram_tunnel::async_connect(*client, where("/no"), "connect-udp", settings, as_tuple);
        EXPECT_EQ(error, asio::error::connection_refused);
        EXPECT_EQ(none.response().status, 403);
        EXPECT_EQ(none.failure(), "the server answered 403");
        EXPECT_EQ(none.send(bytes("x")), datagram_carrier::none);
        auto [ended, nothing] = co_await none.async_receive(as_tuple);
        EXPECT_EQ(ended, asio::error::connection_refused);
        auto [other, none_either] = co_await datagram_tunnel::async_connect(*client, where("/udp"), "other", settings, as_tuple);
        EXPECT_EQ(other, asio::error::connection_refused);
        EXPECT_EQ(none_either.response().status, http1() ? 426 : 400);
    });
    EXPECT_EQ(fetch(request("/udp"))->response.status, 426);  // no tunnel is asked for
}

// RFC 9297 3.2
TEST_P(DatagramTunnel, RequestsWithFieldsOfABodyAreMalformed) {
    serve(spawn(echo));
    use({GetParam()});
    auto wrong = request("/");
    wrong.protocol = "connect-udp";
    wrong.fields.append("content-type", "text/plain");
    const auto answer = fetch(std::move(wrong));
    EXPECT_EQ(answer->response.status, http1() ? 400 : 0);
    if (!http1()) {
        EXPECT_EQ(answer->error->kind, failure_class::protocol);
    }
    settings.fields.append("content-type", "text/plain");
    run([&]() -> awaitable<void> {
        auto [error, none] = co_await datagram_tunnel::async_connect(*client, where(), "connect-udp", settings, as_tuple);
        EXPECT_EQ(error, asio::error::invalid_argument);
    });
}

TEST_P(DatagramTunnel, AnswersWithFieldsOfABodyAreMalformed) {
    serve([&](exchange_ptr e) {
        e->begin({101, {{"content-type", "text/plain"}}});
        raw = std::move(e);
    });
    use({GetParam()});
    run([&]() -> awaitable<void> {
        auto [error, none] = co_await datagram_tunnel::async_connect(*client, where(), "connect-udp", settings, as_tuple);
        EXPECT_EQ(error, protocol_error()) << none.failure();
    });
    run_until([&] { return log.size() == 1; });
}

TEST_P(DatagramTunnel, OneReceiveAtATimeAndItCanBeCancelled) {
    connect_kept();
    error_code first, second;
    asio::cancellation_signal signal;
    tunnel.async_receive(asio::bind_cancellation_slot(signal.slot(), [&](error_code e, octets) { first = e; }));
    tunnel.async_receive([&](error_code e, octets) { second = e; });
    run_until([&] { return second.failed(); });
    EXPECT_EQ(second, asio::error::already_started);
    signal.emit(asio::cancellation_type::terminal);
    run_until([&] { return first.failed(); });
    EXPECT_EQ(first, asio::error::operation_aborted);
    accepted.send(bytes("still there"));
    EXPECT_EQ(receive(tunnel).second, bytes("still there"));
}

TEST_P(DatagramTunnel, OutlivesClientAndServer) {
    connect_kept();
    error_code at_client, at_server;
    tunnel.async_receive([&](error_code e, octets) { at_client = e; });
    accepted.async_receive([&](error_code e, octets) { at_server = e; });
    client.reset();
    run_until([&] { return at_client.failed() && at_server.failed(); });
    EXPECT_EQ(tunnel.send(bytes("x")), datagram_carrier::none);
    EXPECT_EQ(tunnel.max_quic_datagram(), 0u);
    tunnel.close();
    connect_kept();
    server.reset();
    EXPECT_TRUE(receive(accepted).first);
    EXPECT_EQ(accepted.send(bytes("x")), datagram_carrier::none);
    EXPECT_EQ(accepted.max_quic_datagram(), 0u);
}

// Most servers: tunnels over HTTP/1.1 only, whatever else they speak.
TEST_P(DatagramTunnel, OfferedOverHttp1Only) {
    if (GetParam() == http_protocol::http3_qmux) return;  // has no HTTP/1.1 beside it
    server_options.limits.extended_connect = false;
    serve(spawn(echo));
    use(quic() ? std::vector{http_protocol::http3, http_protocol::http2} : std::vector{GetParam()});
    run([&]() -> awaitable<void> {
        tunnel = co_await datagram_tunnel::async_connect(*client, where(), "connect-udp", settings, use_awaitable);
        EXPECT_EQ(tunnel.send(bytes("hello")), datagram_carrier::capsule);
        EXPECT_EQ(co_await tunnel.async_receive(use_awaitable), bytes("hello"));
    });
    tunnel.close();
    run_until([&] { return !log.empty(); });
    EXPECT_EQ(log.back(), "HTTP/1.1 GET / 101");
}

// RFC 9297 2.1.1: who takes early data takes as many datagrams as it told the client before.
class HttpDatagramsEarly : public Http {
protected:
    HttpDatagramsEarly() {
        server_options.quic_config.accepted.early_data = true;
        client_options.connection.early_data = true;
        client_options.connection.sessions = std::make_shared<tls::session_cache>();
        client_options.connection.trace = [this](std::string_view line) { lines += std::string(line) + '\n'; };
    }
    ~HttpDatagramsEarly() override { client.reset(); }  // whose last lines are still heard
    // A connection of its own, after whose answer there is a ticket for the next.
    void ask(std::size_t server_takes) {
        server_options.limits.datagram_buffer = server_takes;
        server.reset();
        serve();
        server_options.port = server->port();
        use({http_protocol::http3});
        lines.clear();
        fetch(request("/"));
        run_until([&] { return client_options.connection.sessions->size() > 0; });
    }
    bool said(std::string_view what) const { return lines.find(what) != std::string::npos; }

    std::string lines;
};

TEST_F(HttpDatagramsEarly, AServerThatTakesNoDatagramsAnyMoreTakesNoEarlyData) {
    ask(1000);
    ask(1000);
    EXPECT_TRUE(said("early data accepted")) << lines;
    ask(0);
    EXPECT_TRUE(said("early data rejected")) << lines;
}

INSTANTIATE_TEST_SUITE_P(All, DatagramTunnel,
                         testing::Values(http_protocol::http1, http_protocol::http2, http_protocol::http3,
                                         http_protocol::http3_qmux),
                         [](const auto& i) { return protocol_name(i.param); });

}  // namespace
}  // namespace tandem::net
