// Sends lines on a stream and prints what comes back.
#include <boost/asio.hpp>

#include "common.hpp"

namespace asio = boost::asio;
using asio::use_awaitable;
using namespace tandem::net;

asio::awaitable<void> talk(quic_endpoint& endpoint, tandem::quic::connect_options options) {
    auto connection = co_await endpoint.async_connect(std::move(options), use_awaitable);
    auto stream = co_await connection.async_open_stream(use_awaitable);
    for (std::string line : {"hello", "is there anybody?"}) {
        co_await asio::async_write(stream, asio::buffer(line), use_awaitable);
        std::string back(line.size(), '\0');
        co_await asio::async_read(stream, asio::buffer(back), use_awaitable);
        std::cout << back << "\n";
    }
    co_await stream.async_shutdown(use_awaitable);
    connection.close(0, "bye");
    endpoint.close(0);
}

int main(int argc, char** argv) {
    if (argc != 3) return example::usage(argv[0], "CERTIFICATE PORT");
    asio::io_context io(1);
    quic_endpoint endpoint(io.get_executor());
    if (auto error = endpoint.open(example::loopback("0"))) throw boost::system::system_error(error);
    asio::co_spawn(io, talk(endpoint, example::connect(argv[1], argv[2], "echo")), example::rethrow);
    io.run();
}
