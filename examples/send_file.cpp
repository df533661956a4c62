// Sends one file on a stream that only this side writes; moves along when this machine's addresses change meanwhile.
#include <fstream>
#include <vector>

#include <boost/asio.hpp>

#include <tandem/net/quic_error.hpp>

#include "common.hpp"

namespace asio = boost::asio;
using asio::use_awaitable;
using namespace tandem::net;

asio::awaitable<void> send(quic_endpoint& endpoint, tandem::quic::connect_options options, std::string path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    auto connection = co_await endpoint.async_connect(std::move(options), use_awaitable);
    auto stream = co_await connection.async_open_send_stream(use_awaitable);
    std::vector<char> buffer(256 * 1024);
    while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || file.gcount() > 0) {
        const auto piece = asio::buffer(buffer, static_cast<std::size_t>(file.gcount()));
        auto [error, n] = co_await asio::async_write(stream, piece, asio::as_tuple(use_awaitable));
        if (error.category() == quic_stop_category())
            throw std::runtime_error("refused with code " + std::to_string(*stream.stop_code()));
        if (error) throw boost::system::system_error(error);
    }
    stream.shutdown();
    auto answer = co_await connection.async_accept_receive_stream(use_awaitable);
    char none;
    co_await answer.async_read_some(asio::buffer(&none, 1), asio::as_tuple(use_awaitable));  // its end: the file is safe
    std::cout << "sent " << path << ", round trip " << connection.statistics().smoothed_rtt.count() / 1000 << " us\n";
    endpoint.close(0);
}

int main(int argc, char** argv) {
    if (argc != 4) return example::usage(argv[0], "CERTIFICATE PORT FILE");
    asio::io_context io(1);
    quic_endpoint endpoint(io.get_executor());
    if (auto error = endpoint.open({tandem::ip_address::v4(0, 0, 0, 0), 0})) throw boost::system::system_error(error);
    endpoint.follow_addresses();
    asio::co_spawn(io, send(endpoint, example::connect(argv[1], argv[2], "file"), argv[3]), example::rethrow);
    io.run();
}
