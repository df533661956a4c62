// Takes one file on a stream that only the sender writes, and ends.
#include <fstream>
#include <vector>

#include <boost/asio.hpp>

#include "common.hpp"

namespace asio = boost::asio;
using asio::use_awaitable;
using namespace tandem::net;

asio::awaitable<void> receive(quic_endpoint& endpoint, std::string path) {
    auto connection = co_await endpoint.async_accept(use_awaitable);
    auto stream = co_await connection.async_accept_receive_stream(use_awaitable);
    std::ofstream file(path, std::ios::binary);
    std::vector<char> buffer(256 * 1024);
    for (;;) {
        auto [error, n] = co_await stream.async_read_some(asio::buffer(buffer), asio::as_tuple(use_awaitable));
        if (error == asio::error::eof) break;
        if (error) throw boost::system::system_error(error);
        if (!file.write(buffer.data(), static_cast<std::streamsize>(n))) {
            stream.stop_sending(1);  // this protocol's code for "no room"
            throw std::runtime_error("cannot write " + path);
        }
    }
    file.close();
    // The sender knows from the end of our answer that the file is safe.
    auto answer = co_await connection.async_open_send_stream(use_awaitable);
    co_await answer.async_shutdown(use_awaitable);
    std::cout << "received " << path << std::endl;
    endpoint.close(0);
}

int main(int argc, char** argv) {
    if (argc != 4) return example::usage(argv[0], "CERTIFICATE PORT FILE");
    asio::io_context io(1);
    quic_endpoint endpoint(io.get_executor(), example::serve(argv[1], "file"));
    if (auto error = endpoint.open(example::loopback(argv[2]))) throw boost::system::system_error(error);
    example::say_ready(endpoint);
    asio::co_spawn(io, receive(endpoint, argv[3]), example::rethrow);
    io.run();
}
