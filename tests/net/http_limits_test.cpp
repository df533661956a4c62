// What a client may keep open at a server, and for how long.
#include <tandem/net/tls_stream.hpp>

#include <gtest/gtest.h>

#include <chrono>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "net/http_fixture.hpp"

namespace tandem::net {
namespace {

TEST_F(Http, ClientThatNeverFinishesItsHeaderSectionIsToldSo) {
    server_options.requests.header_timeout = std::chrono::milliseconds(5);
    server_options.sweep_interval = std::chrono::milliseconds(1);
    serve();
    asio::ip::tcp::socket socket(io);
    socket.connect({asio::ip::address_v4::loopback(), server->port()});
    tls_stream<asio::ip::tcp::socket> slow(std::move(socket), test::client_context(),
                                           tls::client_session_options{"localhost", {"http/1.1"}, {}});
    std::string answer;
    boost::system::error_code error;
    slow.async_handshake([&](boost::system::error_code failed) {
        ASSERT_FALSE(failed) << slow.failure();
        asio::async_write(slow, asio::buffer("GET / HT", 8), [&](boost::system::error_code, std::size_t) {
            asio::async_read(slow, asio::dynamic_buffer(answer), [&](boost::system::error_code e, std::size_t) { error = e; });
        });
    });
    run_until([&] { return error.failed(); });
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 ")) << answer;
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
