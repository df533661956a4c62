// Sends back what comes, on every stream of every connection.
#include <array>

#include <boost/asio.hpp>

#include "common.hpp"

namespace asio = boost::asio;
using asio::use_awaitable;
using namespace tandem::net;

asio::awaitable<void> echo(quic_stream stream) {
    std::array<char, 16384> buffer;
    for (;;) {
        auto [error, n] = co_await stream.async_read_some(asio::buffer(buffer), asio::as_tuple(use_awaitable));
        if (error == asio::error::eof) break;
        if (error) co_return;
        co_await asio::async_write(stream, asio::buffer(buffer, n), use_awaitable);
    }
    co_await stream.async_shutdown(use_awaitable);
}

asio::awaitable<void> serve(quic_connection connection) {
    for (;;) {
        auto [error, stream] = co_await connection.async_accept_stream(asio::as_tuple(use_awaitable));
        if (error) co_return;  // the connection is over
        asio::co_spawn(connection.get_executor(), echo(std::move(stream)), asio::detached);
    }
}

int main(int argc, char** argv) {
    if (argc != 3) return example::usage(argv[0], "CERTIFICATE PORT");
    asio::io_context io(1);
    quic_endpoint endpoint(io.get_executor(), example::serve(argv[1], "echo"));
    if (auto error = endpoint.open(example::loopback(argv[2]))) throw boost::system::system_error(error);
    example::say_ready(endpoint);
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            for (;;) asio::co_spawn(io, serve(co_await endpoint.async_accept(use_awaitable)), asio::detached);
        },
        example::rethrow);
    io.run();
}
