// The HTTP server and the HTTP client over loopback, in one io_context.
#include <tandem/net/http_client.hpp>
#include <tandem/net/http_server.hpp>
#include <tandem/net/static_files.hpp>
#include <tandem/net/tls_stream.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <tandem/http/range.hpp>
#include <tandem/net/http_exchange.hpp>
#include <tandem/net/network_name.hpp>

#include "net/http_fixture.hpp"

namespace tandem::net {
namespace {

class EveryProtocol : public Http, public testing::WithParamInterface<http_protocol> {};

TEST_P(EveryProtocol, ManyFilesAreWhole) {
    std::map<std::string, std::string> contents;
    for (int i = 0; i < 40; ++i) {
        std::string text;
        for (int j = 0; j < i * 997; ++j) text += static_cast<char>(i * 31 + j * 7);
        auto name = "file" + std::to_string(i);
        root.write(name, text);
        contents[name] = text;
    }
    root.write("big", contents["big"] = std::string(5'000'000, 'b'));
    serve();
    use({GetParam()});
    std::map<std::string, std::shared_ptr<outcome>> outcomes;
    for (const auto& [name, text] : contents) outcomes[name] = get(request("/" + name));
    for (auto& [name, o] : outcomes) {
        run_until([&, sink = o] { return sink->done; });
        EXPECT_FALSE(o->error) << name << ": " << o->error->text;
        EXPECT_EQ(o->response.status, 200);
        EXPECT_TRUE(o->body == contents[name]) << name;
        EXPECT_EQ(o->info.protocol, GetParam());
        EXPECT_EQ(o->info.body_bytes, contents[name].size());
        EXPECT_EQ(o->info.remote, (ip_endpoint{loopback, server->port()}));
    }
    EXPECT_EQ(log.size(), contents.size());
    auto counters = server->statistics();
    EXPECT_EQ(counters.requests, contents.size());
    EXPECT_EQ(counters.tcp_connections + counters.quic_connections, GetParam() == http_protocol::http1 ? 6U : 1U);
}

TEST_P(EveryProtocol, HeadRangesAndErrors) {
    root.write("f", "0123456789");
    serve();
    use({GetParam()});
    auto head = request("/f");
    head.method = "HEAD";
    auto h = fetch(head);
    EXPECT_FALSE(h->error);
    EXPECT_EQ(h->response.fields.find("content-length"), "10");
    EXPECT_EQ(h->body, "");
    EXPECT_TRUE(h->response.fields.contains("date"));
    auto part = request("/f");
    part.fields.append("range", "bytes=2-4");
    auto p = fetch(part);
    EXPECT_EQ(p->response.status, 206);
    EXPECT_EQ(p->body, "234");
    auto missing = fetch(request("/none"));
    EXPECT_EQ(missing->response.status, 404);
    EXPECT_NE(missing->body.find("404 Not Found"), std::string::npos);
    auto post = request("/f");
    post.method = "POST";
    post.body = std::string(100'000, 'p');
    EXPECT_EQ(fetch(post)->response.status, 405);
    EXPECT_EQ(fetch(request("/f"))->body, "0123456789");  // the connection goes on
}

TEST_P(EveryProtocol, CertificateForAnotherNameIsRefused) {
    serve();
    client_options.connection.overrides = {{"other.example", server->port(), {loopback}}};
    use({GetParam()});
    auto o = fetch(request("/", 0, "other.example"));
    ASSERT_TRUE(o->error);
    EXPECT_EQ(o->error->kind, failure_class::certificate) << o->error->text;
    EXPECT_NE(o->error->text.find("other.example"), std::string::npos) << o->error->text;
    EXPECT_TRUE(log.empty());
}

TEST_P(EveryProtocol, CertificateNobodyVouchesForIsRefused) {
    serve();
    tls::error why;
    client_options.connection.tls = tls::client_context::create({}, why);  // the system's roots
    ASSERT_TRUE(client_options.connection.tls) << why.text;
    use({GetParam()});
    auto o = fetch(request("/"));
    ASSERT_TRUE(o->error);
    EXPECT_EQ(o->error->kind, failure_class::certificate) << o->error->text;
}

TEST_P(EveryProtocol, RefusedConnection) {
    serve();
    auto port = server->port();
    server.reset();
    use({GetParam()});
    auto o = fetch(request("/", port));
    ASSERT_TRUE(o->error);
    EXPECT_EQ(o->error->kind, failure_class::refused) << o->error->text;
}

TEST_P(EveryProtocol, SilentServerTimesOut) {
    // A UDP socket that never answers, and a TCP listener whose kernel accepts, but nobody speaks TLS.
    asio::ip::tcp::acceptor tcp(io, {asio::ip::address_v4::loopback(), 0});
    asio::ip::udp::socket udp(io, {asio::ip::address_v4::loopback(), tcp.local_endpoint().port()});
    client_options.connection.connect_timeout = std::chrono::milliseconds(50);
    use({GetParam()});
    auto o = fetch(request("/", tcp.local_endpoint().port()));
    ASSERT_TRUE(o->error);
    EXPECT_EQ(o->error->kind, failure_class::timed_out) << o->error->text;
}

TEST_P(EveryProtocol, TransferThatTakesTooLongIsEnded) {
    serve();
    root.write("big", std::string(30'000'000, 'x'));
    use({GetParam()});
    auto r = request("/big");
    r.timeout = std::chrono::milliseconds(1);
    auto o = fetch(r);
    ASSERT_TRUE(o->error);
    EXPECT_EQ(o->error->kind, failure_class::timed_out);
}

TEST_P(EveryProtocol, SinkThatWantsNoMoreEndsItsTransferOnly) {
    root.write("big", std::string(5'000'000, 'x'));
    root.write("small", "small");
    serve();
    use({GetParam()});
    auto big = get(request("/big"));
    big->stop_after = 100'000;
    auto small = get(request("/small"));
    run_until([&] { return big->done && small->done; });
    ASSERT_TRUE(big->error);
    EXPECT_EQ(big->error->kind, failure_class::cancelled);
    EXPECT_LT(big->body.size(), 5'000'000U);
    EXPECT_FALSE(small->error);
    EXPECT_EQ(small->body, "small");
}

TEST_P(EveryProtocol, ServerThatGoesAwayLosesTransfersUnderWay) {
    root.write("big", std::string(30'000'000, 'x'));
    serve();
    use({GetParam()});
    auto o = get(request("/big"));
    run_until([&] { return o->body.size() > 100'000; });
    server.reset();
    run_until([&] { return o->done; });
    ASSERT_TRUE(o->error);
    EXPECT_EQ(o->error->kind, failure_class::lost) << o->error->text;
}

TEST_P(EveryProtocol, DrainingServerFinishesWhatIsUnderWay) {
    root.write("big", std::string(5'000'000, 'x'));
    serve();
    use({GetParam()});
    auto o = get(request("/big"));
    run_until([&] { return o->body.size() > 100'000; });
    bool stopped = false;
    server->stop(std::chrono::seconds(20), [&] { stopped = true; });
    run_until([&] { return o->done && stopped; });
    EXPECT_FALSE(o->error) << o->error->text;
    EXPECT_EQ(o->body.size(), 5'000'000U);
}

INSTANTIATE_TEST_SUITE_P(Over, EveryProtocol,
                         testing::Values(http_protocol::http1, http_protocol::http2, http_protocol::http3,
                                         http_protocol::http3_qmux),
                         [](const auto& test) {
                             return test.param == http_protocol::http1   ? "Http1"
                                    : test.param == http_protocol::http2 ? "Http2"
                                    : test.param == http_protocol::http3 ? "Http3"
                                                                         : "Qmux";
                         });

// The client says that it gives up: the server does not wait for the rest of that handshake.
TEST_F(Http, AHandshakeThatFailedDoesNotHoldUpDraining) {
    serve();
    tls::client_options strangers;
    tls::error why;
    auto other = tls::self_signed({}, why);
    strangers.ca_pem = other->chain_pem;
    client_options.connection.tls = tls::client_context::create(strangers, why);
    use({http_protocol::http3});
    auto o = fetch(request("/f"));
    ASSERT_TRUE(o->error);
    EXPECT_EQ(o->error->kind, failure_class::certificate);
    const auto begun = std::chrono::steady_clock::now();
    bool stopped = false;
    server->stop(std::chrono::seconds(20), [&] { stopped = true; });
    run_until([&] { return stopped; });
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
}

TEST_F(Http, FallsBackToTcpWhereQuicIsRefused) {
    root.write("f", "text");
    server_options.quic = false;
    serve();
    use({http_protocol::http3, http_protocol::http1});
    auto o = fetch(request("/f"));
    EXPECT_FALSE(o->error);
    EXPECT_EQ(o->body, "text");
    EXPECT_EQ(o->info.protocol, http_protocol::http1);
}

TEST_F(Http, FallsBackToTcpWhereQuicIsSilent) {
    root.write("f", "text");
    server_options.quic = false;
    serve();
    asio::ip::udp::socket silent(io, {asio::ip::address_v4::loopback(), server->port()});
    use({http_protocol::http3, http_protocol::http1});
    auto o = fetch(request("/f"));
    EXPECT_FALSE(o->error);
    EXPECT_EQ(o->info.protocol, http_protocol::http1);
}

constexpr int patience = 5;  // the machine may be busy

// Forwards datagrams between one client and a server on its own port number, until told to drop everything.
class udp_relay {
public:
    udp_relay(asio::io_context& io, std::uint16_t server)
        : outer_(io, {asio::ip::address_v4::loopback(), 0}),
          inner_(io, {asio::ip::address_v4::loopback(), 0}),
          server_(asio::ip::address_v4::loopback(), server) {
        read(outer_, outer_buffer_, outer_from_, [this](std::size_t n) {
            client_ = outer_from_;
            if (!dead) inner_.send_to(asio::buffer(outer_buffer_, n), server_);
        });
        read(inner_, inner_buffer_, inner_from_, [this](std::size_t n) {
            if (!dead) outer_.send_to(asio::buffer(inner_buffer_, n), client_);
        });
    }
    std::uint16_t port() const { return outer_.local_endpoint().port(); }

    bool dead = false;

private:
    using socket = asio::ip::udp::socket;
    template <class Forward>
    void read(socket& from, std::array<char, 2048>& buffer, socket::endpoint_type& sender, Forward forward) {
        from.async_receive_from(asio::buffer(buffer), sender,
                                [this, &from, &buffer, &sender, forward](const boost::system::error_code& e, std::size_t n) {
                                    if (e) return;
                                    forward(n);
                                    read(from, buffer, sender, forward);
                                });
    }
    socket outer_, inner_;
    socket::endpoint_type server_, client_, outer_from_, inner_from_;
    std::array<char, 2048> outer_buffer_{}, inner_buffer_{};
};

// One port number with the relay's QUIC on UDP and the server's TCP behind a forwarder of connections.
class Fallback : public Http {
protected:
    void begin() {
        root.write("f", "text");
        serve();
        listen();
    }
    void listen() {
        relay.emplace(io, server->port());
        acceptor.emplace(io, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), relay->port()));
        accept();
        client_options.known = std::make_shared<http::alt_svc_cache>();
        use({http_protocol::http3, http_protocol::http2});
    }
    void accept() {
        acceptor->async_accept([this](const boost::system::error_code& e, asio::ip::tcp::socket from) {
            if (e) return;
            auto pair = std::make_shared<std::pair<asio::ip::tcp::socket, asio::ip::tcp::socket>>(std::move(from),
                                                                                                  asio::ip::tcp::socket(io));
            pair->second.connect({asio::ip::address_v4::loopback(), server->port()});
            forward(pair, pair->first, pair->second, std::make_shared<std::array<char, 16384>>());
            forward(pair, pair->second, pair->first, std::make_shared<std::array<char, 16384>>());
            ++tcp_connections;
            accept();
        });
    }
    template <class Pair, class Buffer>
    void forward(Pair pair, asio::ip::tcp::socket& from, asio::ip::tcp::socket& to, Buffer buffer) {
        from.async_read_some(asio::buffer(*buffer),
                             [this, pair, &from, &to, buffer](const boost::system::error_code& e, std::size_t n) {
                                 boost::system::error_code ignored;
                                 if (e) return void(to.shutdown(asio::socket_base::shutdown_send, ignored));
                                 asio::write(to, asio::buffer(*buffer, n), ignored);
                                 forward(pair, from, to, buffer);
                             });
    }
    // A fetch and how long it took.
    std::pair<std::shared_ptr<outcome>, duration> timed_fetch() {
        const auto begun = std::chrono::steady_clock::now();
        auto o = fetch(request("/f", relay->port()));
        return {o, std::chrono::steady_clock::now() - begun};
    }
    std::string origin() const { return "https://127.0.0.1:" + std::to_string(relay->port()); }

    std::optional<udp_relay> relay;
    std::optional<asio::ip::tcp::acceptor> acceptor;
    int tcp_connections = 0;
};

TEST_F(Fallback, QuicIsUsedWhereItWorksAndTcpIsNotEvenTried) {
    begin();
    auto [o, took] = timed_fetch();
    EXPECT_FALSE(o->error);
    EXPECT_EQ(o->info.protocol, http_protocol::http3);
    EXPECT_EQ(tcp_connections, 0);
}

TEST_F(Fallback, SilentUdpCostsLittle) {
    begin();
    relay->dead = true;
    auto [o, took] = timed_fetch();
    EXPECT_FALSE(o->error);
    EXPECT_EQ(o->body, "text");
    EXPECT_EQ(o->info.protocol, http_protocol::http2);
    EXPECT_LT(took, std::chrono::milliseconds(300) * patience);
    EXPECT_TRUE(client_options.known->is_broken(origin(), network_name(loopback), "h3", std::time(nullptr)));
    use({http_protocol::http3, http_protocol::http2});  // another client that knows: TCP first
    auto again = timed_fetch();
    EXPECT_EQ(again.first->info.protocol, http_protocol::http2);
    EXPECT_EQ(tcp_connections, 2);
}

TEST_F(Fallback, APathThatDiesAfterTheHandshakeIsLeft) {
    begin();
    client_options.connection.trace = [this](std::string_view line) {
        if (line.starts_with("connected to") && line.ends_with("(QUIC)")) relay->dead = true;
    };
    use({http_protocol::http3, http_protocol::http2});
    auto [o, took] = timed_fetch();
    EXPECT_FALSE(o->error) << o->error->text;
    EXPECT_EQ(o->body, "text");
    EXPECT_EQ(o->info.protocol, http_protocol::http2);
    EXPECT_EQ(o->info.attempts, 2u);
    EXPECT_LT(took, std::chrono::milliseconds(350) * patience);
    auto again = timed_fetch();
    EXPECT_EQ(again.first->info.protocol, http_protocol::http2);
}

TEST_F(Fallback, APathThatDiesWhileIdleIsLeft) {
    begin();
    EXPECT_EQ(timed_fetch().first->info.protocol, http_protocol::http3);
    relay->dead = true;
    auto [o, took] = timed_fetch();
    EXPECT_FALSE(o->error);
    EXPECT_EQ(o->info.protocol, http_protocol::http2);
}

// A response of which some came over QUIC, and then nothing any more.
struct cut_outcome final : transfer_sink {
    explicit cut_outcome(std::function<void()> c) : cut(std::move(c)) {}
    void on_response(const http::response& r, const transfer_info&) override { status = r.status, ++responses; }
    bool on_body(std::span<const std::uint8_t> bytes) override {
        body.append(bytes.begin(), bytes.end());
        if (body.size() >= 100'000 && cut) std::exchange(cut, nullptr)();
        return true;
    }
    bool on_restart() override {
        if (may_restart) body.clear();
        return may_restart;
    }
    void on_resumed(std::uint64_t at, const transfer_info&) override { resumed_at = at; }
    void on_end(const std::optional<http_error>& e, const transfer_info& i) override { error = e, info = i, done = true; }
    std::function<void()> cut;
    std::string body;
    int status = 0, responses = 0;
    bool may_restart = false, done = false;
    std::optional<std::uint64_t> resumed_at;
    std::optional<http_error> error;
    transfer_info info;
};

class DyingPath : public Fallback {
protected:
    std::shared_ptr<cut_outcome> fetch_and_cut(http_handler handler, bool may_restart = false) {
        serve(std::move(handler));
        listen();
        auto sink = std::make_shared<cut_outcome>([this] { relay->dead = true; });
        sink->may_restart = may_restart;
        client->submit(request("/f", relay->port()), sink);
        run_until([&] { return sink->done; });
        return sink;
    }
    const std::string content = [] {
        std::string s(5'000'000, ' ');
        for (std::size_t i = 0; i < s.size(); ++i) s[i] = static_cast<char>('a' + i * 7919 % 26);
        return s;
    }();
};

TEST_F(DyingPath, TheRestOfAResponseComesOverTcp) {
    std::vector<std::string> ranges;
    auto got = fetch_and_cut([&](std::shared_ptr<http_exchange> e) {
        ranges.push_back(e->request().fields.joined("range") + " " + e->request().fields.joined("if-range"));
        const auto part = http::parse_range(e->request().fields.joined("range"), content.size());
        if (part.what != http::range_request::kind::part)
            return e->respond({200, {{"etag", "\"v\""}}}, std::make_unique<http::memory_body>(content));
        e->respond({206, {{"etag", "\"v\""}, {"content-range", http::content_range(part.bytes, content.size())}}},
                   std::make_unique<http::memory_body>(content.substr(part.bytes.begin)));
    });
    EXPECT_FALSE(got->error) << got->error->text;
    EXPECT_TRUE(got->body == content);
    EXPECT_EQ(got->responses, 1);
    EXPECT_EQ(got->info.protocol, http_protocol::http2);
    EXPECT_EQ(got->info.body_bytes, content.size());
    ASSERT_EQ(ranges.size(), 2u);
    ASSERT_TRUE(got->resumed_at);
    EXPECT_EQ(ranges[1], "bytes=" + std::to_string(*got->resumed_at) + "- \"v\"");
}

TEST_F(DyingPath, AServerWithoutRangesSendsTheSameOnceMore) {
    auto got = fetch_and_cut([&](std::shared_ptr<http_exchange> e) {
        e->respond({200, {{"etag", "\"v\""}}}, std::make_unique<http::memory_body>(content));
    });
    EXPECT_FALSE(got->error);
    EXPECT_TRUE(got->body == content);
    EXPECT_EQ(got->responses, 1);
}

TEST_F(DyingPath, WithoutAValidatorOnlyASinkThatCanBeginAnewGetsAll) {
    auto got = fetch_and_cut(
        [&](std::shared_ptr<http_exchange> e) {
            e->respond({200, {}}, std::make_unique<http::memory_body>(content));
        },
        true);
    EXPECT_FALSE(got->error);
    EXPECT_TRUE(got->body == content);
    EXPECT_EQ(got->responses, 2);
    EXPECT_EQ(got->info.body_bytes, content.size());
}

TEST_F(DyingPath, AnotherVersionIsNotMixedIn) {
    int version = 0;
    auto got = fetch_and_cut([&](std::shared_ptr<http_exchange> e) {
        e->respond({200, {{"etag", "\"" + std::to_string(version++) + "\""}}}, std::make_unique<http::memory_body>(content));
    });
    ASSERT_TRUE(got->error);
    EXPECT_EQ(got->error->kind, failure_class::lost);
    EXPECT_LT(got->body.size(), content.size());
}

// A server that takes its time is asked whether it lives, and believed.
TEST_F(DyingPath, APauseIsNoDeath) {
    asio::steady_timer pause(io);
    auto got = fetch_and_cut([&](std::shared_ptr<http_exchange> e) {
        e->begin({200, {{"etag", "\"v\""}}});
        e->async_write_some(asio::buffer("some", 4), [](boost::system::error_code, std::size_t) {});
        pause.expires_after(std::chrono::milliseconds(2500));
        pause.async_wait([e](const boost::system::error_code&) {
            e->async_write_some(asio::buffer("more", 4), [e](boost::system::error_code, std::size_t) { e->finish(); });
        });
    });
    EXPECT_FALSE(got->error);
    EXPECT_EQ(got->body, "somemore");
    EXPECT_EQ(got->info.protocol, http_protocol::http3);
    EXPECT_EQ(got->info.attempts, 1u);
}

TEST_F(Fallback, QuicIsUsedWhereTcpIsBlocked) {
    begin();
    acceptor->close();
    client_options.known->broken(origin(), network_name(loopback), "h3", std::time(nullptr));  // so TCP goes first, in vain
    use({http_protocol::http3, http_protocol::http2});
    auto [o, took] = timed_fetch();
    EXPECT_FALSE(o->error);
    EXPECT_EQ(o->info.protocol, http_protocol::http3);
    EXPECT_FALSE(client_options.known->is_broken(origin(), network_name(loopback), "h3", std::time(nullptr)));
}

TEST_F(Http, NextAddressIsTriedWhereOneRefuses) {
    root.write("f", "text");
    serve();
    client_options.connection.overrides = {{"localhost", server->port(), {ip_address::v4(127, 0, 0, 2), loopback}}};
    for (auto protocol : {http_protocol::http1, http_protocol::http3}) {
        use({protocol});
        auto o = fetch(request("/f", 0, "localhost"));
        EXPECT_FALSE(o->error) << o->error->text;
        EXPECT_EQ(o->info.remote.address, loopback);
    }
}

TEST_F(Http, TcpAnswersNameTheQuicPort) {
    root.write("f", "text");
    serve();
    use({http_protocol::http1});
    EXPECT_EQ(fetch(request("/f"))->response.fields.find("alt-svc"), "h3=\":" + std::to_string(server->port()) + "\"; ma=86400");
    use({http_protocol::http3});
    EXPECT_FALSE(fetch(request("/f"))->response.fields.contains("alt-svc"));
}

TEST_F(Http, ServerWithoutQmuxRefusesIt) {
    server_options.qmux = false;
    serve();
    use({http_protocol::http3_qmux});
    auto o = fetch(request("/"));
    ASSERT_TRUE(o->error);
    EXPECT_TRUE(o->error->kind == failure_class::tls || o->error->kind == failure_class::protocol) << o->error->text;
}

TEST_F(Http, ConnectionsAreKept) {
    root.write("f", "text");
    serve();
    use({http_protocol::http1});
    EXPECT_FALSE(fetch(request("/f"))->info.reused_connection);
    EXPECT_TRUE(fetch(request("/f"))->info.reused_connection);
    EXPECT_EQ(server->statistics().tcp_connections, 1U);
}

TEST_F(Http, RetryProvesTheAddressFirst) {
    root.write("f", "text");
    server_options.quic_config.retry = quic::retry_policy::always;
    serve();
    use({http_protocol::http3});
    EXPECT_EQ(fetch(request("/f"))->body, "text");
}

TEST_F(Http, PortsThatAreBusyAreNamed) {
    serve();
    auto options = server_options;
    options.port = server->port();
    http_server second(io.get_executor(), options, [](const http::request&, const request_source&) { return status_page(500); });
    auto error = second.start();
    EXPECT_EQ(error.code, boost::system::errc::address_in_use);
    EXPECT_EQ(error.what, "TCP 127.0.0.1:" + std::to_string(server->port()));
}

// Limits on what a client may keep open.
TEST_F(Http, ClientThatNeverFinishesItsHeaderSectionIsDropped) {
    server_options.requests.header_timeout = std::chrono::milliseconds(5);
    server_options.sweep_interval = std::chrono::milliseconds(1);
    serve();
    asio::ip::tcp::socket socket(io);
    socket.connect({asio::ip::address_v4::loopback(), server->port()});
    tls_stream<asio::ip::tcp::socket> slow(std::move(socket), test::client_context(),
                                           tls::client_session_options{"localhost", {"http/1.1"}, {}});
    char c = 0;
    boost::system::error_code error;
    slow.async_handshake([&](boost::system::error_code failed) {
        ASSERT_FALSE(failed) << slow.failure();
        asio::async_write(slow, asio::buffer("GET / HT", 8), [&](boost::system::error_code, std::size_t) {
            slow.async_read_some(asio::buffer(&c, 1), [&](boost::system::error_code e, std::size_t) { error = e; });
        });
    });
    run_until([&] { return error.failed(); });
    EXPECT_TRUE(log.empty());
}

TEST_F(Http, ClientThatNeverFinishesItsHandshakeIsDropped) {
    server_options.requests.handshake_timeout = std::chrono::milliseconds(1);
    server_options.sweep_interval = std::chrono::milliseconds(1);
    serve();
    asio::ip::tcp::socket slow(io);
    slow.connect({asio::ip::address_v4::loopback(), server->port()});
    char c = 0;
    boost::system::error_code error;
    slow.async_read_some(asio::buffer(&c, 1), [&](boost::system::error_code e, std::size_t) { error = e; });
    run_until([&] { return error.failed(); });
}

TEST_F(Http, IdleConnectionsAreEnded) {
    root.write("f", "text");
    server_options.requests.idle_timeout = std::chrono::milliseconds(1);
    server_options.sweep_interval = std::chrono::milliseconds(1);
    serve();
    for (auto protocol : {http_protocol::http1, http_protocol::http3, http_protocol::http3_qmux}) {
        use({protocol});
        auto connections = [&] { return server->statistics().tcp_connections + server->statistics().quic_connections; };
        auto before = connections();
        fetch(request("/f"));
        run_until([&] { return server->statistics().open_connections == 0; });
        fetch(request("/f"));
        EXPECT_EQ(connections(), before + 2) << to_string(protocol);
    }
}

TEST_F(Http, ConnectionsAboveTheLimitWait) {
    root.write("f", "text");
    server_options.sweep_interval = std::chrono::milliseconds(1);
    server_options.max_tcp_connections = 1;
    serve();
    use({http_protocol::http1});
    fetch(request("/f"));  // keeps its connection
    auto other_client = std::make_unique<http_client>(io.get_executor(), client_options);
    auto waiting = std::make_shared<outcome>();
    other_client->submit(request("/f"), waiting);
    while (io.poll() > 0) {
    }
    EXPECT_FALSE(waiting->done);
    client.reset();  // room for the other
    run_until([&] { return waiting->done; });
    EXPECT_FALSE(waiting->error);
}

TEST_F(Http, HugeRequestBodiesEndTheExchange) {
    root.write("f", "text");
    server_options.requests.request_body = 10'000;
    serve();
    use({http_protocol::http3});
    auto r = request("/f");
    r.method = "POST";
    r.body = std::string(10'000'000, 'x');
    auto o = fetch(r);
    EXPECT_EQ(o->response.status, 405);
    EXPECT_EQ(fetch(request("/f"))->body, "text");
    EXPECT_EQ(server->statistics().quic_connections, 1U);
}

}  // namespace
}  // namespace tandem::net
