// The HTTP server and the HTTP client over loopback, in one io_context.
#include <tandem/net/http_client.hpp>
#include <tandem/net/http_server.hpp>
#include <tandem/net/static_files.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

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

}  // namespace
}  // namespace tandem::net
