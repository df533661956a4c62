// Boost.Beast's HTTP/1.1 on QUIC streams: a stream is an AsyncReadStream and an AsyncWriteStream, and Beast asks for no more.
#include <boost/asio.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "common.hpp"

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::use_awaitable;
using namespace tandem::net;

asio::awaitable<void> answer(quic_stream stream) {
    boost::beast::flat_buffer buffer;
    http::request<http::string_body> request;
    co_await http::async_read(stream, buffer, request, use_awaitable);
    http::response<http::string_body> response{http::status::ok, 11};
    response.set(http::field::content_type, "text/plain");
    response.body() = "You asked for " + std::string(request.target()) + " and said: " + request.body() + "\n";
    response.prepare_payload();
    co_await http::async_write(stream, response, use_awaitable);
    co_await stream.async_shutdown(use_awaitable);
}

asio::awaitable<void> serve(quic_connection connection) {
    for (;;)
        asio::co_spawn(connection.get_executor(), answer(co_await connection.async_accept_stream(use_awaitable)), asio::detached);
}

int main(int argc, char** argv) {
    if (argc != 3) return example::usage(argv[0], "CERTIFICATE PORT");
    asio::io_context io(1);
    quic_endpoint endpoint(io.get_executor(), example::serve(argv[1], "http/1.1"));
    if (auto error = endpoint.open(example::loopback(argv[2]))) throw boost::system::system_error(error);
    example::say_ready(endpoint);
    auto accept = [&]() -> asio::awaitable<void> {
        for (;;) asio::co_spawn(io, serve(co_await endpoint.async_accept(use_awaitable)), asio::detached);
    };
    asio::co_spawn(io, accept(), example::rethrow);
    io.run();
}
