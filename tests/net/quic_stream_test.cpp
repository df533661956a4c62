#include <tandem/net/quic_endpoint.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <numeric>
#include <string>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <tandem/net/quic_error.hpp>

#include "net/quic_fixture.hpp"

namespace tandem::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

static_assert(std::is_nothrow_move_constructible_v<quic_stream>);
static_assert(!std::is_copy_constructible_v<quic_stream>);

class QuicStream : public test::QuicPair {};

TEST_F(QuicStream, DatagramsGoBothWays) {
    connect();
    const std::vector<std::uint8_t> ping{'p', 'i', 'n', 'g'}, pong{'p', 'o', 'n', 'g'};
    auto waiting = far.async_receive_datagram(asio::use_future);
    error_code second;
    far.async_receive_datagram([&](error_code e, std::vector<std::uint8_t>) { second = e; });
    EXPECT_GT(near.max_datagram_payload(), 1000u);
    EXPECT_EQ(near.send_datagram(ping), quic::datagram_result::queued);
    EXPECT_EQ(get(std::move(waiting)), ping);
    EXPECT_EQ(second, asio::error::already_started);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(far.send_datagram(pong), quic::datagram_result::queued);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(get(near.async_receive_datagram(asio::use_future)), pong);

    asio::cancellation_signal stop;
    error_code cancelled;
    near.async_receive_datagram(
        asio::bind_cancellation_slot(stop.slot(), [&](error_code e, std::vector<std::uint8_t>) { cancelled = e; }));
    stop.emit(asio::cancellation_type::total);
    run_until([&] { return cancelled.failed(); });
    EXPECT_EQ(cancelled, asio::error::operation_aborted);

    error_code closed;
    near.async_receive_datagram([&](error_code e, std::vector<std::uint8_t>) { closed = e; });
    far.close(7);
    run_until([&] { return closed.failed(); });
    EXPECT_EQ(far.send_datagram(ping), quic::datagram_result::unsupported);
}

TEST_F(QuicStream, BytesGoBothWaysAndEnd) {
    connect();
    EXPECT_EQ(near.alpn(), "echo");
    open_pair();
    get(asio::async_write(a, asio::buffer("hello", 5), asio::use_future));
    a.shutdown();
    std::string got(100, '\0');
    error_code error;
    std::size_t n = 0;
    asio::async_read(b, asio::buffer(got), [&](error_code e, std::size_t count) { error = e, n = count; });
    run_until([&] { return error.failed(); });
    EXPECT_EQ(error, asio::error::eof);
    EXPECT_EQ(got.substr(0, n), "hello");

    get(asio::async_write(b, asio::buffer("world!", 6), asio::use_future));
    auto flushed = b.async_shutdown(asio::use_future);
    got.assign(6, '\0');
    EXPECT_EQ(get(asio::async_read(a, asio::buffer(got), asio::use_future)), 6U);
    EXPECT_EQ(got, "world!");
    get(std::move(flushed));  // every byte was acknowledged
}

TEST_F(QuicStream, LargeTransferIsWhole) {
    connect();
    open_pair();
    std::vector<std::uint8_t> sent(5'000'000), got(sent.size());
    std::iota(sent.begin(), sent.end(), std::uint8_t{0});
    for (std::size_t i = 0; i < sent.size(); i += 4096) sent[i] = static_cast<std::uint8_t>(i >> 12);
    auto writing = asio::async_write(a, asio::buffer(sent), asio::use_future);
    EXPECT_EQ(get(asio::async_read(b, asio::buffer(got), asio::use_future)), got.size());
    EXPECT_EQ(get(std::move(writing)), sent.size());
    EXPECT_EQ(sent, got);
}

TEST_F(QuicStream, UnidirectionalStreamsEnd) {
    connect();
    auto accepted = far.async_accept_receive_stream(asio::use_future);
    auto out = get(near.async_open_send_stream(asio::use_future));
    EXPECT_EQ(out.id().kind(), quic::direction::unidirectional);
    get(asio::async_write(out, asio::buffer("news", 4), asio::use_future));
    auto flushed = out.async_shutdown(asio::use_future);
    auto in = get(std::move(accepted));
    EXPECT_EQ(in.id(), out.id());
    std::string got(100, '\0');
    error_code error;
    std::size_t n = 0;
    asio::async_read(in, asio::buffer(got), [&](error_code e, std::size_t count) { error = e, n = count; });
    run_until([&] { return error.failed(); });
    EXPECT_EQ(error, asio::error::eof);
    EXPECT_EQ(got.substr(0, n), "news");
    get(std::move(flushed));
}

TEST_F(QuicStream, EachKindIsAcceptedByItself) {
    connect();
    auto two_ways = far.async_accept_stream(asio::use_future);
    auto out = get(near.async_open_send_stream(asio::use_future));
    get(out.async_write_some(asio::buffer("1", 1), asio::use_future));
    auto in = get(far.async_accept_receive_stream(asio::use_future));  // waited in its own queue or came later: not the other's
    EXPECT_EQ(two_ways.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
    a = get(near.async_open_stream(asio::use_future));
    get(a.async_write_some(asio::buffer("2", 1), asio::use_future));
    EXPECT_EQ(get(std::move(two_ways)).id(), a.id());
}

TEST_F(QuicStream, ResetCarriesTheApplicationsCode) {
    connect();
    open_pair();
    error_code error;
    char c = 0;
    b.async_read_some(asio::buffer(&c, 1), [&](error_code e, std::size_t) { error = e; });
    a.reset(0x1234567890);
    run_until([&] { return error.failed(); });
    EXPECT_EQ(&error.category(), &quic_reset_category());
    EXPECT_EQ(error, boost::system::errc::connection_reset);
    EXPECT_EQ(b.reset_code(), 0x1234567890U);  // 62 bits, which an error_code has no room for
    EXPECT_EQ(b.stop_code(), std::nullopt);
}

TEST_F(QuicStream, StopSendingEndsWritesWithItsCode) {
    connect();
    open_pair();
    std::vector<std::uint8_t> much(50'000'000);
    error_code error;
    asio::async_write(a, asio::buffer(much), [&](error_code e, std::size_t) { error = e; });
    b.stop_sending(0);  // code 0 is an error, too
    run_until([&] { return error.failed(); });
    EXPECT_EQ(error, make_stop_error(0));
    EXPECT_EQ(error, boost::system::errc::broken_pipe);
    EXPECT_EQ(a.stop_code(), 0U);
    EXPECT_EQ(a.reset_code(), std::nullopt);
}

TEST_F(QuicStream, OneWayStreamsCarryCodesBothWays) {
    constexpr std::uint64_t largest = (std::uint64_t{1} << 62) - 1;
    connect();
    auto out = get(near.async_open_send_stream(asio::use_future));
    get(out.async_write_some(asio::buffer("!", 1), asio::use_future));
    auto in = get(far.async_accept_receive_stream(asio::use_future));
    std::vector<std::uint8_t> much(50'000'000);
    error_code error;
    asio::async_write(out, asio::buffer(much), [&](error_code e, std::size_t) { error = e; });
    in.stop_sending(largest);
    run_until([&] { return error.failed(); });
    EXPECT_EQ(&error.category(), &quic_stop_category());
    EXPECT_EQ(out.stop_code(), largest);

    out = get(near.async_open_send_stream(asio::use_future));
    get(out.async_write_some(asio::buffer("!", 1), asio::use_future));
    in = get(far.async_accept_receive_stream(asio::use_future));
    out.reset(largest);
    char c = 0;
    error = {};
    std::function<void()> read = [&] {
        in.async_read_some(asio::buffer(&c, 1), [&](error_code e, std::size_t) {
            error = e;
            if (!e) read();
        });
    };
    read();
    run_until([&] { return error.failed(); });
    EXPECT_EQ(&error.category(), &quic_reset_category());
    EXPECT_EQ(in.reset_code(), largest);
}

TEST_F(QuicStream, HalvesOfASplitStreamLiveForThemselves) {
    connect();
    open_pair();
    std::string got(5, '\0');
    auto reading = asio::async_read(a, asio::buffer(got), asio::use_future);
    auto [in, out] = std::move(a).split();
    EXPECT_FALSE(a.is_open());
    get(asio::async_write(b, asio::buffer("hello", 5), asio::use_future));
    EXPECT_EQ(get(std::move(reading)), 5U);  // began before the split
    get(asio::async_write(out, asio::buffer("?", 1), asio::use_future));
    out.shutdown();
    out = {};  // after its end: nothing is reset
    char c = 0;
    EXPECT_EQ(get(b.async_read_some(asio::buffer(&c, 1), asio::use_future)), 1U);
    error_code error;
    b.async_read_some(asio::buffer(&c, 1), [&](error_code e, std::size_t) { error = e; });
    run_until([&] { return error.failed(); });
    EXPECT_EQ(error, asio::error::eof);
    in = {};  // nobody reads: the other side's writes fail
    std::vector<std::uint8_t> much(50'000'000);
    error = {};
    asio::async_write(b, asio::buffer(much), [&](error_code e, std::size_t) { error = e; });
    run_until([&] { return error.failed(); });
    EXPECT_EQ(error, make_stop_error(0));
}

TEST_F(QuicStream, CancelledReadMovesNothing) {
    connect();
    open_pair();
    asio::cancellation_signal signal;
    error_code error;
    std::size_t n = 1;
    char c = 0;
    b.async_read_some(asio::buffer(&c, 1), asio::bind_cancellation_slot(signal.slot(), [&](error_code e, std::size_t count) {
                          error = e;
                          n = count;
                      }));
    io.poll();
    signal.emit(asio::cancellation_type::total);
    run_until([&] { return error.failed(); });
    EXPECT_EQ(error, asio::error::operation_aborted);
    EXPECT_EQ(n, 0U);
    get(asio::async_write(a, asio::buffer("x", 1), asio::use_future));
    EXPECT_EQ(get(b.async_read_some(asio::buffer(&c, 1), asio::use_future)), 1U);  // and the stream goes on
    EXPECT_EQ(c, 'x');
}

TEST_F(QuicStream, CancelledWriteMovesNothing) {
    connect();
    open_pair();
    std::vector<std::uint8_t> much(64'000'000);  // more than all windows and buffers
    std::size_t written = 0;
    bool blocked = false, over = false;
    error_code error;
    asio::cancellation_signal signal;
    std::function<void()> write = [&] {
        blocked = true;
        a.async_write_some(asio::buffer(much), asio::bind_cancellation_slot(signal.slot(), [&](error_code e, std::size_t n) {
                               written += n;
                               error = e;
                               if (!e) return write();
                               over = true;
                           }));
    };
    write();
    while (io.poll() > 0) {  // until nothing moves: windows and buffers are full
    }
    ASSERT_FALSE(over);
    EXPECT_TRUE(blocked);
    signal.emit(asio::cancellation_type::total);
    run_until([&] { return over; });
    EXPECT_EQ(error, asio::error::operation_aborted);
    a.shutdown();
    std::vector<std::uint8_t> got(much.size());
    std::size_t n = 0;
    error = {};
    asio::async_read(b, asio::buffer(got), [&](error_code e, std::size_t count) { error = e, n = count; });
    run_until([&] { return error.failed(); });
    EXPECT_EQ(error, asio::error::eof);
    EXPECT_EQ(n, written);
}

TEST_F(QuicStream, CancelledAcceptsLeaveTheNextOnes) {
    connect();
    asio::cancellation_signal signal;
    error_code error;
    far.async_accept_stream(asio::bind_cancellation_slot(signal.slot(), [&](error_code e, quic_stream s) {
        error = e;
        EXPECT_FALSE(s.is_open());
    }));
    signal.emit(asio::cancellation_type::terminal);
    run_until([&] { return error.failed(); });
    EXPECT_EQ(error, asio::error::operation_aborted);
    open_pair();
}

TEST_F(QuicStream, OneReadAtATime) {
    connect();
    open_pair();
    char c = 0, d = 0;
    error_code first, second;
    b.async_read_some(asio::buffer(&c, 1), [&](error_code e, std::size_t) { first = e; });
    b.async_read_some(asio::buffer(&d, 1), [&](error_code e, std::size_t) { second = e; });
    run_until([&] { return second.failed(); });
    EXPECT_EQ(second, asio::error::already_started);
    EXPECT_FALSE(first.failed());
}

TEST_F(QuicStream, OperationsEndWithTheConnection) {
    connect();
    open_pair();
    error_code reading, accepting;
    char c = 0;
    b.async_read_some(asio::buffer(&c, 1), [&](error_code e, std::size_t) { reading = e; });
    far.async_accept_stream([&](error_code e, quic_stream) { accepting = e; });
    near.close(77, "enough");
    run_until([&] { return reading.failed() && accepting.failed(); });
    EXPECT_EQ(reading, make_application_error(77));
    EXPECT_EQ(accepting, make_application_error(77));
    ASSERT_TRUE(far.close_reason());
    EXPECT_EQ(far.close_reason()->error.reason, "enough");
}

TEST_F(QuicStream, DestroyedStreamIsGivenUp) {
    connect();
    open_pair();
    error_code error;
    char c = 0;
    b.async_read_some(asio::buffer(&c, 1), [&](error_code e, std::size_t) { error = e; });
    a = quic_stream();
    run_until([&] { return error.failed(); });
    EXPECT_EQ(error, make_reset_error(0));
}

TEST_F(QuicStream, RefusedPortFailsConnectAtOnce) {
    auto o = options();
    {
        quic_endpoint nobody(io.get_executor());
        ASSERT_FALSE(nobody.open({test::loopback, 0}));
        o.remote = nobody.local_endpoint();
    }
    error_code error;
    client.async_connect(o, [&](error_code e, quic_connection c) {
        error = e;
        EXPECT_FALSE(c.is_open());
    });
    run_until([&] { return error.failed(); });
    EXPECT_EQ(error, asio::error::connection_refused);
}

TEST_F(QuicStream, CertificateForAnotherNameFailsConnect) {
    auto o = options();
    o.server_name = "other.example";
    error_code error;
    client.async_connect(o, [&](error_code e, quic_connection) { error = e; });
    run_until([&] { return error.failed(); });
    EXPECT_EQ(&error.category(), &quic_transport_category());
    EXPECT_GE(error.value(), 0x100);
}

TEST_F(QuicStream, NothingIsLeftToRunWhenAllIsDestroyed) {
    connect();
    open_pair();
    char c = 0;
    error_code error;
    b.async_read_some(asio::buffer(&c, 1), [&](error_code e, std::size_t) { error = e; });
    a = {}, near = {}, far = {};
    server.reset();
    client.close(0);
    if (io.stopped()) io.restart();
    io.run();  // returns
    EXPECT_TRUE(error.failed());
}

TEST_F(QuicStream, BeastSpeaksHttpOverIt) {
    namespace http = boost::beast::http;
    connect();
    auto accepted = far.async_accept_stream(asio::use_future);
    a = get(near.async_open_stream(asio::use_future));

    http::request<http::string_body> request{http::verb::post, "/path", 11};
    request.set(http::field::host, "localhost");
    request.body() = std::string(300'000, 'q');
    request.prepare_payload();
    auto sent = http::async_write(a, request, asio::use_future);

    b = get(std::move(accepted));
    boost::beast::flat_buffer server_buffer, client_buffer;
    http::request<http::string_body> received;
    get(http::async_read(b, server_buffer, received, asio::use_future));
    get(std::move(sent));
    EXPECT_EQ(received.target(), "/path");
    EXPECT_EQ(received.body(), request.body());

    http::response<http::string_body> response{http::status::ok, 11};
    response.body() = std::string(200'000, 'r');
    response.chunked(true);
    auto answered = http::async_write(b, response, asio::use_future);
    http::response<http::string_body> got;
    get(http::async_read(a, client_buffer, got, asio::use_future));
    get(std::move(answered));
    EXPECT_EQ(got.result(), http::status::ok);
    EXPECT_EQ(got.body(), response.body());
}

}  // namespace
}  // namespace tandem::net
