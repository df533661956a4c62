// Boost.Beast's HTTP/1.1 on a QUIC stream, from the other side.
#include <boost/asio.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "common.hpp"

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::use_awaitable;
using namespace tandem::net;

asio::awaitable<void> ask(quic_endpoint& endpoint, tandem::quic::connect_options options) {
    auto connection = co_await endpoint.async_connect(std::move(options), use_awaitable);
    auto stream = co_await connection.async_open_stream(use_awaitable);
    http::request<http::string_body> request{http::verb::post, "/example", 11};
    request.set(http::field::host, "localhost");
    request.body() = "hello over QUIC";
    request.prepare_payload();
    co_await http::async_write(stream, request, use_awaitable);
    boost::beast::flat_buffer buffer;
    http::response<http::string_body> response;
    co_await http::async_read(stream, buffer, response, use_awaitable);
    std::cout << response.result_int() << " " << response.body();
    endpoint.close(0);
}

int main(int argc, char** argv) {
    if (argc != 3) return example::usage(argv[0], "CERTIFICATE PORT");
    asio::io_context io(1);
    quic_endpoint endpoint(io.get_executor());
    if (auto error = endpoint.open(example::loopback("0"))) throw boost::system::system_error(error);
    asio::co_spawn(io, ask(endpoint, example::connect(argv[1], argv[2], "http/1.1")), example::rethrow);
    io.run();
}
