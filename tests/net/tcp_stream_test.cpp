#include <tandem/net/tcp_stream.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <tandem/net/tcp_acceptor.hpp>
#include <tandem/net/tls_stream.hpp>
#include <tandem/net/udp_encapsulation.hpp>

#include "net/memory_carrier.hpp"
#include "net/test_certificate.hpp"
#include "seed.hpp"

namespace tandem::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using test::memory_carrier;

const error_code no_answer = asio::error::would_block;
const ip_address client_address = ip_address::v4(10, 0, 0, 1), server_address = ip_address::v4(10, 0, 0, 2);
const ip_endpoint server_endpoint{server_address, 80};

std::vector<std::uint8_t> pattern(std::size_t n) {
    std::vector<std::uint8_t> out(n);
    for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::uint8_t>(i * 7 + (i >> 8));
    return out;
}

class TcpStream : public testing::Test {
protected:
    void join(double loss = 0, const tcp_stack_options& client_options = {}) {
        auto c = std::make_unique<memory_carrier>(io.get_executor(), client_address, tandem::test::seed(), loss);
        auto s = std::make_unique<memory_carrier>(io.get_executor(), server_address, tandem::test::seed() + 1, loss);
        memory_carrier::join(*c, *s);
        client_carrier = c.get();
        client = std::make_unique<tcp_stack>(io.get_executor(), std::move(c), client_options);
        server = std::make_unique<tcp_stack>(io.get_executor(), std::move(s));
        acceptor = std::make_unique<tcp_acceptor>(*server);
    }
    void connect(const ip_endpoint& to = server_endpoint) {
        ASSERT_FALSE(acceptor->listen(to));
        near = std::make_unique<tcp_stream>(*client);
        error_code connected = no_answer, accepted = no_answer;
        acceptor->async_accept([&](error_code e, tcp_stream s) {
            accepted = e;
            far = std::make_unique<tcp_stream>(std::move(s));
        });
        near->async_connect(acceptor->local_endpoint(), [&](error_code e) { connected = e; });
        run_until([&] { return connected != no_answer && accepted != no_answer; });
        ASSERT_FALSE(connected) << connected.message();
        ASSERT_FALSE(accepted) << accepted.message();
    }
    error_code connect_error(const ip_endpoint& to, const ip_endpoint& from = {}) {
        tcp_stream s(*client);
        error_code out = no_answer;
        s.async_connect(
            to, [&](error_code e) { out = e; }, from);
        run_until([&] { return out != no_answer; });
        return out;
    }
    error_code read_error(tcp_stream& s) {
        error_code out = no_answer;
        s.async_read_some(asio::buffer(&byte_, 1), [&](error_code e, std::size_t) { out = e; });
        run_until([&] { return out != no_answer; });
        return out;
    }
    error_code write_error(tcp_stream& s) {
        error_code out = no_answer;
        s.async_write_some(asio::buffer(&byte_, 1), [&](error_code e, std::size_t) { out = e; });
        run_until([&] { return out != no_answer; });
        return out;
    }
    template <class Condition>
    void run_until(Condition done) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!done() && std::chrono::steady_clock::now() < deadline) {
            if (io.stopped()) io.restart();
            io.run_one_until(deadline);
        }
        ASSERT_TRUE(done());
    }
    void transfer(tcp_stream& from, tcp_stream& to, std::size_t size) {
        const auto sent = pattern(size);
        std::vector<std::uint8_t> received(size);
        bool written = false, read = false;
        asio::async_write(from, asio::buffer(sent), [&](error_code e, std::size_t) { written = !e; });
        asio::async_read(to, asio::buffer(received), [&](error_code e, std::size_t) { read = !e; });
        run_until([&] { return written && read; });
        EXPECT_EQ(sent, received);
    }

    asio::io_context io{1};
    memory_carrier* client_carrier = nullptr;
    std::unique_ptr<tcp_stack> client, server;
    std::unique_ptr<tcp_acceptor> acceptor;
    std::unique_ptr<tcp_stream> near, far;
    char byte_ = 'x';
};

TEST_F(TcpStream, ConnectsAndNamesItsEnds) {
    join();
    connect();
    EXPECT_EQ(near->remote_endpoint(), server_endpoint);
    EXPECT_EQ(near->local_endpoint().address, client_address);
    EXPECT_EQ(far->remote_endpoint(), near->local_endpoint());
    EXPECT_EQ(far->local_endpoint(), server_endpoint);
}

TEST_F(TcpStream, BytesGoBothWaysThroughALossyLink) {
    join(0.01);
    connect();
    transfer(*near, *far, 300'000);
    transfer(*far, *near, 300'000);
}

TEST_F(TcpStream, EachHalfIsClosedOnItsOwn) {
    join();
    connect();
    error_code e;
    near->shutdown(asio::socket_base::shutdown_send, e);
    ASSERT_FALSE(e);
    EXPECT_EQ(read_error(*far), asio::error::eof);
    EXPECT_EQ(write_error(*near), asio::error::broken_pipe);
    transfer(*far, *near, 10'000);  // the other half goes on
    far->shutdown(asio::socket_base::shutdown_send, e);
    EXPECT_EQ(read_error(*near), asio::error::eof);
}

TEST_F(TcpStream, CloseDeliversWhatWasWritten) {
    join();
    connect();
    const auto sent = pattern(200'000);
    bool written = false;
    asio::async_write(*near, asio::buffer(sent), [&](error_code, std::size_t) { written = true; });
    run_until([&] { return written; });
    near->close();
    std::vector<std::uint8_t> received(sent.size());
    bool read = false;
    asio::async_read(*far, asio::buffer(received), [&](error_code e, std::size_t) { read = !e; });
    run_until([&] { return read; });
    EXPECT_EQ(received, sent);
    EXPECT_EQ(read_error(*far), asio::error::eof);
}

TEST_F(TcpStream, AbortAndUnreadDataAreResetsToThePeer) {
    join();
    connect();
    near->abort();
    EXPECT_EQ(read_error(*far), asio::error::connection_reset);
    EXPECT_EQ(write_error(*far), asio::error::connection_reset);
}

TEST_F(TcpStream, NobodyListensIsConnectionRefused) {
    join();
    EXPECT_EQ(connect_error({server_address, 81}), asio::error::connection_refused);
}

TEST_F(TcpStream, SilenceIsTimedOut) {
    tcp_stack_options options;
    options.connection.handshake_timeout = std::chrono::milliseconds(50);
    join(1.0, options);
    EXPECT_EQ(connect_error(server_endpoint), asio::error::timed_out);
}

TEST_F(TcpStream, PortsRunOutAndAreToldAsTheKernelDoes) {
    tcp_stack_options options;
    options.endpoint.first_ephemeral_port = options.endpoint.last_ephemeral_port = 50000;
    join(0, options);
    connect();
    EXPECT_EQ(connect_error(server_endpoint).value(), EADDRNOTAVAIL);
    EXPECT_EQ(client->snapshot().no_port_failures, 1U);
    EXPECT_EQ(connect_error(server_endpoint, {client_address, 50000}), asio::error::address_in_use);
}

TEST_F(TcpStream, OneListenerPerAddressAndPort) {
    join();
    connect();
    tcp_acceptor second(*server);
    EXPECT_EQ(second.listen(server_endpoint), asio::error::address_in_use);
}

TEST_F(TcpStream, ReadsAndWaitsAreCancelledOneByOne) {
    join();
    connect();
    asio::cancellation_signal stop;
    error_code read = no_answer, wait = no_answer;
    near->async_read_some(asio::buffer(&byte_, 1),
                          asio::bind_cancellation_slot(stop.slot(), [&](error_code e, std::size_t) { read = e; }));
    near->async_wait(asio::socket_base::wait_read, [&](error_code e) { wait = e; });
    stop.emit(asio::cancellation_type::total);
    run_until([&] { return read != no_answer; });
    EXPECT_EQ(read, asio::error::operation_aborted);
    EXPECT_EQ(wait, no_answer);
    transfer(*far, *near, 1);  // no byte was lost to the cancelled read
    run_until([&] { return wait != no_answer; });
    EXPECT_FALSE(wait);
}

TEST_F(TcpStream, AnAcceptCanBeCancelledAndTheNextOneGetsTheConnection) {
    join();
    ASSERT_FALSE(acceptor->listen(server_endpoint));
    asio::cancellation_signal stop;
    error_code first = no_answer, second = no_answer;
    acceptor->async_accept(asio::bind_cancellation_slot(stop.slot(), [&](error_code e, tcp_stream) { first = e; }));
    stop.emit(asio::cancellation_type::total);
    run_until([&] { return first != no_answer; });
    EXPECT_EQ(first, asio::error::operation_aborted);
    acceptor->async_accept([&](error_code e, tcp_stream s) {
        second = e;
        far = std::make_unique<tcp_stream>(std::move(s));
    });
    EXPECT_FALSE(connect_error(server_endpoint));
    run_until([&] { return second != no_answer; });
    EXPECT_FALSE(second);
}

TEST_F(TcpStream, BacklogBoundsWhatWaitsToBeAccepted) {
    tcp_stack_options options;
    options.connection.handshake_timeout = std::chrono::milliseconds(100);
    join(0, options);
    ASSERT_FALSE(acceptor->listen(server_endpoint, 2));
    std::vector<tcp_stream> streams;
    std::vector<error_code> results(3, no_answer);
    for (std::size_t i = 0; i < results.size(); ++i) {
        streams.emplace_back(*client);
        streams[i].async_connect(server_endpoint, [&, i](error_code e) { results[i] = e; });
        run_until([&] { return results[i] != no_answer; });
    }
    EXPECT_FALSE(results[0]);
    EXPECT_FALSE(results[1]);
    EXPECT_EQ(results[2], asio::error::timed_out);  // its SYNs were dropped: nothing tells it that the queue was full
    const auto seen = server->snapshot();
    ASSERT_EQ(seen.listeners.size(), 1U);
    EXPECT_EQ(seen.listeners[0].waiting, 2U);
    EXPECT_EQ(seen.listeners[0].backlog, 2U);
    EXPECT_GT(seen.endpoint.backlog_overflows, 0U);
    error_code e;
    far = std::make_unique<tcp_stream>(acceptor->accept(e));
    EXPECT_FALSE(e);
    EXPECT_FALSE(connect_error(server_endpoint));  // there is room again
}

TEST_F(TcpStream, ClosingTheListenerResetsThoseThatWait) {
    join();
    ASSERT_FALSE(acceptor->listen(server_endpoint));
    near = std::make_unique<tcp_stream>(*client);
    error_code connected = no_answer;
    near->async_connect(server_endpoint, [&](error_code e) { connected = e; });
    run_until([&] { return connected != no_answer; });
    ASSERT_FALSE(connected);
    run_until([&] { return server->snapshot().listeners[0].waiting == 1; });
    acceptor->close();
    EXPECT_EQ(read_error(*near), asio::error::connection_reset);
    EXPECT_EQ(connect_error(server_endpoint), asio::error::connection_refused);
}

TEST_F(TcpStream, DestroyingTheStackEndsEverything) {
    join();
    connect();
    error_code read = no_answer;
    near->async_read_some(asio::buffer(&byte_, 1), [&](error_code e, std::size_t) { read = e; });
    client.reset();
    run_until([&] { return read != no_answer; });
    EXPECT_EQ(read, asio::error::operation_aborted);
    EXPECT_EQ(read_error(*far), asio::error::connection_reset);  // its last word
}

TEST_F(TcpStream, DrainWaitsForTheLastByteAndForTimeWaitOnly) {
    join();
    connect();
    error_code e;
    const auto sent = pattern(100'000);
    EXPECT_EQ(near->write_some(asio::buffer(sent), e), sent.size());
    near->close();
    bool drained = false;
    client->drain(std::chrono::seconds(10), [&] { drained = true; });
    std::vector<std::uint8_t> received(sent.size());
    bool read = false;
    asio::async_read(*far, asio::buffer(received), [&](error_code failed, std::size_t) { read = !failed; });
    run_until([&] { return read; });
    EXPECT_FALSE(drained);  // the peer has not closed
    far->close();
    run_until([&] { return drained; });
    const auto seen = client->snapshot();
    ASSERT_EQ(seen.sockets.size(), 1U);
    EXPECT_EQ(seen.sockets[0].state, tcp::state::time_wait);
}

TEST_F(TcpStream, SnapshotTellsWhoForgotToClose) {
    join();
    connect();
    near->close();
    EXPECT_EQ(read_error(*far), asio::error::eof);
    const auto seen = server->snapshot();
    ASSERT_EQ(seen.sockets.size(), 1U);
    EXPECT_EQ(seen.sockets[0].state, tcp::state::close_wait);
    EXPECT_TRUE(seen.sockets[0].owned);
    EXPECT_TRUE(seen.sockets[0].peer_closed_for.has_value());
    EXPECT_EQ(seen.sockets[0].controller, "cubic");
    EXPECT_GT(seen.totals.segments_received, 0U);
}

TEST_F(TcpStream, BeastSpeaksHttpOverTlsOverIt) {
    join();
    connect();
    tls_stream<tcp_stream> a(std::move(*near), tandem::test::client_context(),
                             tls::client_session_options{"localhost", {"http/1.1"}, {}});
    tls_stream<tcp_stream> b(std::move(*far), tandem::test::server_context(), tls::server_session_options{{"http/1.1"}});
    error_code c = no_answer, s = no_answer;
    a.async_handshake([&](error_code e) { c = e; });
    b.async_handshake([&](error_code e) { s = e; });
    run_until([&] { return c != no_answer && s != no_answer; });
    ASSERT_FALSE(c) << c.message();
    ASSERT_FALSE(s) << s.message();

    namespace http = boost::beast::http;
    http::request<http::string_body> request{http::verb::post, "/form", 11};
    request.set(http::field::host, "localhost");
    request.body() = std::string(50'000, 'q');
    request.prepare_payload();
    http::request<http::string_body> got;
    http::response<http::string_body> response{http::status::ok, 11}, answer;
    response.body() = "done";
    response.prepare_payload();
    boost::beast::flat_buffer server_buffer, client_buffer;
    bool answered = false;
    http::async_write(a, request, [](error_code e, std::size_t) { EXPECT_FALSE(e); });
    http::async_read(b, server_buffer, got, [&](error_code e, std::size_t) {
        EXPECT_FALSE(e);
        http::async_write(b, response, [](error_code failed, std::size_t) { EXPECT_FALSE(failed); });
    });
    http::async_read(a, client_buffer, answer, [&](error_code e, std::size_t) {
        EXPECT_FALSE(e);
        answered = true;
    });
    run_until([&] { return answered; });
    EXPECT_EQ(got.body(), request.body());
    EXPECT_EQ(answer.body(), "done");
}

// Two stacks over real UDP sockets.
class UdpEncapsulation : public TcpStream {
protected:
    void join(std::uint16_t mtu = 1500) {
        udp_encapsulation_options options;
        options.mtu = mtu;
        auto c = std::make_unique<udp_encapsulation>(io.get_executor(), options);
        client_udp = c.get();
        client = std::make_unique<tcp_stack>(io.get_executor(), std::move(c));
        server = std::make_unique<tcp_stack>(io.get_executor(), std::make_unique<udp_encapsulation>(io.get_executor(), options));
        acceptor = std::make_unique<tcp_acceptor>(*server);
    }
    udp_encapsulation* client_udp = nullptr;
};

TEST_F(UdpEncapsulation, CarriesConnectionsBothWays) {
    join();
    connect({ip_address::v4(127, 0, 0, 1), 0});
    EXPECT_EQ(far->remote_endpoint(), near->local_endpoint());  // the ports are UDP's
    transfer(*near, *far, 1'000'000);
    transfer(*far, *near, 1'000'000);
    const auto& sent = client->carrier().statistics();
    EXPECT_LT(sent.sends, sent.packets_sent);  // segmentation offload, or all of it one by one would fail this
}

TEST_F(UdpEncapsulation, CarriesIpVersion6) {
    join();
    connect({*ip_address::parse("::1"), 0});
    transfer(*near, *far, 100'000);
}

TEST_F(UdpEncapsulation, ListensOnEveryAddress) {
    join();
    ASSERT_FALSE(acceptor->listen({ip_address::v4(0, 0, 0, 0), 0}));
    EXPECT_FALSE(connect_error({ip_address::v4(127, 0, 0, 1), acceptor->local_endpoint().port}));
}

TEST_F(UdpEncapsulation, NobodyThereIsConnectionRefused) {
    join();
    asio::ip::udp::socket taken(io, {asio::ip::address_v4::loopback(), 0});
    const auto port = taken.local_endpoint().port();
    taken.close();
    EXPECT_EQ(connect_error({ip_address::v4(127, 0, 0, 1), port}), asio::error::connection_refused);
}

TEST_F(UdpEncapsulation, PortInUseIsAddressInUse) {
    join();
    ASSERT_FALSE(acceptor->listen({ip_address::v4(127, 0, 0, 1), 0}));
    tcp_acceptor other(*client);
    EXPECT_EQ(other.listen(acceptor->local_endpoint()), asio::error::address_in_use);
}

TEST_F(UdpEncapsulation, SegmentsLeaveRoomForTheUdpHeader) {
    join(1400);
    EXPECT_EQ(client->carrier().mtu(false), 1392);
    connect({ip_address::v4(127, 0, 0, 1), 0});
    EXPECT_EQ(client->snapshot().sockets[0].mss, 1392 - 20 - 20 - 12);
}

TEST_F(UdpEncapsulation, SocketsGoWithTheirConnections) {
    join();
    connect({ip_address::v4(127, 0, 0, 1), 0});
    EXPECT_EQ(client_udp->sockets(), 1U);
    near->abort();
    run_until([&] { return client_udp->sockets() == 0; });
}

TEST_F(UdpEncapsulation, GarbageIsDropped) {
    join();
    connect({ip_address::v4(127, 0, 0, 1), 0});
    asio::ip::udp::socket stranger(io, {asio::ip::address_v4::loopback(), 0});
    tandem::random_source random(tandem::test::seed());
    for (std::size_t size = 0; size < 100; ++size) {
        std::vector<std::uint8_t> bytes(size);
        random.fill(bytes);
        stranger.send_to(asio::buffer(bytes), {asio::ip::address_v4::loopback(), acceptor->local_endpoint().port});
    }
    transfer(*near, *far, 10'000);
}

}  // namespace
}  // namespace tandem::net
