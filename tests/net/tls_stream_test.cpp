#include <tandem/net/tls_stream.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>

#include "net/test_certificate.hpp"

namespace tandem::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

class TlsStream : public testing::Test {
protected:
    TlsStream() {
        tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        client_socket.connect(acceptor.local_endpoint());
        server_socket = acceptor.accept();
    }

    void make(const std::string& name = "localhost", std::vector<std::string> offered = {"a", "b"}) {
        client = std::make_unique<tls_stream<tcp::socket>>(std::move(client_socket), test::client_context(),
                                                           tls::client_session_options{name, std::move(offered), {}});
        server = std::make_unique<tls_stream<tcp::socket>>(std::move(server_socket), test::server_context(),
                                                           tls::server_session_options{{"b", "c"}});
    }
    void handshake() {
        make();
        error_code c = asio::error::would_block, s = asio::error::would_block;
        client->async_handshake([&](error_code e) { c = e; });
        server->async_handshake([&](error_code e) { s = e; });
        run_until([&] { return c != asio::error::would_block && s != asio::error::would_block; });
        ASSERT_FALSE(c) << c.message() << " " << client->failure();
        ASSERT_FALSE(s) << s.message() << " " << server->failure();
    }
    template <class Condition>
    void run_until(Condition done) {
        auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!done() && std::chrono::steady_clock::now() < deadline) {
            if (io.stopped()) io.restart();
            io.run_one_until(deadline);
        }
        ASSERT_TRUE(done());
    }

    asio::io_context io{1};
    tcp::socket client_socket{io}, server_socket{io};
    std::unique_ptr<tls_stream<tcp::socket>> client, server;
    char byte_ = 0;
};

TEST_F(TlsStream, HandshakeNegotiatesAndNames) {
    handshake();
    EXPECT_EQ(client->alpn(), "b");
    EXPECT_EQ(server->alpn(), "b");
    EXPECT_EQ(server->server_name(), "localhost");
}

TEST_F(TlsStream, CertificateForAnotherNameIsRefusedByTheClient) {
    make("other.example");
    error_code c, s;
    client->async_handshake([&](error_code e) { c = e; });
    server->async_handshake([&](error_code e) {
        s = e;
        if (s) return;
        // The server is done before the client has judged; it learns by reading.
        server->async_read_some(asio::buffer(&byte_, 1), [&](error_code e2, std::size_t) { s = e2; });
    });
    run_until([&] { return c.failed() && s.failed(); });
    EXPECT_EQ(c, make_error_code(tls_error::certificate));
    EXPECT_NE(client->failure().find("other.example"), std::string::npos) << client->failure();
    EXPECT_EQ(s, make_error_code(tls_error::failed));
}

TEST_F(TlsStream, NoCommonProtocolFails) {
    make("localhost", {"x"});
    error_code c, s;
    client->async_handshake([&](error_code e) { c = e; });
    server->async_handshake([&](error_code e) { s = e; });
    run_until([&] { return c.failed() && s.failed(); });
    EXPECT_EQ(c, make_error_code(tls_error::failed));
}

TEST_F(TlsStream, LargeTransfersBothWaysAtATime) {
    handshake();
    std::vector<std::uint8_t> up(3'000'000), down(2'000'000), got_up(up.size()), got_down(down.size());
    std::iota(up.begin(), up.end(), std::uint8_t{3});
    std::iota(down.begin(), down.end(), std::uint8_t{7});
    int done = 0;
    auto count = [&](error_code e, std::size_t) {
        EXPECT_FALSE(e) << e.message();
        ++done;
    };
    asio::async_write(*client, asio::buffer(up), count);
    asio::async_write(*server, asio::buffer(down), count);
    asio::async_read(*server, asio::buffer(got_up), count);
    asio::async_read(*client, asio::buffer(got_down), count);
    run_until([&] { return done == 4; });
    EXPECT_EQ(up, got_up);
    EXPECT_EQ(down, got_down);
}

TEST_F(TlsStream, ShutdownIsEndOfFileForThePeer) {
    handshake();
    error_code read, shut = asio::error::would_block, wrote = asio::error::would_block;
    char c = 0;
    client->async_shutdown([&](error_code e) { shut = e; });
    server->async_read_some(asio::buffer(&c, 1), [&](error_code e, std::size_t) { read = e; });
    run_until([&] { return read.failed() && !shut; });
    EXPECT_EQ(read, asio::error::eof);
    server->async_write_some(asio::buffer("x", 1), [&](error_code e, std::size_t) { wrote = e; });  // the other way goes on
    std::size_t n = 0;
    client->async_read_some(asio::buffer(&c, 1), [&](error_code, std::size_t count) { n = count; });
    run_until([&] { return n == 1; });
    EXPECT_EQ(c, 'x');
}

TEST_F(TlsStream, FinWithoutCloseNotifyIsTruncation) {
    handshake();
    error_code read;
    char c = 0;
    server->async_read_some(asio::buffer(&c, 1), [&](error_code e, std::size_t) { read = e; });
    client->next_layer().shutdown(tcp::socket::shutdown_send);
    run_until([&] { return read.failed(); });
    EXPECT_EQ(read, make_error_code(tls_error::truncated));
}

TEST_F(TlsStream, GarbageFails) {
    make();
    error_code s;
    server->async_handshake([&](error_code e) { s = e; });
    asio::write(client->next_layer(), asio::buffer("GET / HTTP/1.1\r\n\r\n", 18));
    run_until([&] { return s.failed(); });
    EXPECT_EQ(s, make_error_code(tls_error::failed));
}

TEST_F(TlsStream, CancelledReadMovesNothing) {
    handshake();
    asio::cancellation_signal signal;
    error_code error;
    char c = 0;
    server->async_read_some(asio::buffer(&c, 1),
                            asio::bind_cancellation_slot(signal.slot(), [&](error_code e, std::size_t) { error = e; }));
    io.poll();
    signal.emit(asio::cancellation_type::total);
    run_until([&] { return error.failed(); });
    EXPECT_EQ(error, asio::error::operation_aborted);
    std::size_t n = 0;
    client->async_write_some(asio::buffer("y", 1), [](error_code, std::size_t) {});
    server->async_read_some(asio::buffer(&c, 1), [&](error_code, std::size_t count) { n = count; });
    run_until([&] { return n == 1; });
    EXPECT_EQ(c, 'y');
}

TEST_F(TlsStream, WritingBeforeTheHandshakeIsAnError) {
    make();
    error_code error;
    client->async_write_some(asio::buffer("x", 1), [&](error_code e, std::size_t) { error = e; });
    run_until([&] { return error.failed(); });
    EXPECT_EQ(error, asio::error::not_connected);
}

TEST_F(TlsStream, SessionThatCannotBeMadeFailsEveryOperation) {
    make("");  // verification needs a name
    error_code h, r;
    char c = 0;
    client->async_handshake([&](error_code e) { h = e; });
    client->async_read_some(asio::buffer(&c, 1), [&](error_code e, std::size_t) { r = e; });
    run_until([&] { return h.failed() && r.failed(); });
    EXPECT_EQ(h, make_error_code(tls_error::option));
    EXPECT_FALSE(client->failure().empty());
}

}  // namespace
}  // namespace tandem::net
