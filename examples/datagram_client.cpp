// Sends an HTTP datagram over each version of HTTP, or over the one that is named ("HTTP/3"), and waits for it to come back.
#include <boost/asio.hpp>

#include <tandem/net/datagram_tunnel.hpp>

#include "common.hpp"

namespace asio = boost::asio;
using asio::use_awaitable;
using namespace tandem;

asio::awaitable<void> greet(net::http_client& client, http::url url, std::string greeting) {
    auto tunnel = co_await net::datagram_tunnel::async_connect(client, url, "echo", {}, use_awaitable);
    const std::vector<std::uint8_t> bytes(greeting.begin(), greeting.end());
    const bool in_quic = tunnel.send(bytes) == net::datagram_carrier::quic;
    const auto back = co_await tunnel.async_receive(use_awaitable);
    std::cout << "heard: " << std::string(back.begin(), back.end()) << (in_quic ? " in a QUIC datagram" : " in a capsule")
              << std::endl;
}

int main(int argc, char** argv) {
    if (argc < 3 || argc > 4) return example::usage(argv[0], "CERTIFICATE PORT-OR-URL [VERSION]");
    std::string why, where = argv[2];
    if (where.find("://") == std::string::npos) where = "https://localhost:" + where + "/echo";
    const auto url = http::parse_url(where, why).value();
    for (auto protocol : {net::http_protocol::http1, net::http_protocol::http2, net::http_protocol::http3}) {
        if (argc == 4 && argv[3] != net::to_string(protocol)) continue;
        asio::io_context io(1);
        net::http_client_options options;
        options.connection.tls = example::trust(argv[1]);
        options.connection.limits.datagram_buffer = 64 * 1024;  // over HTTP/3 they come in QUIC datagrams
        options.protocols = {protocol};
        net::http_client client(io.get_executor(), options);
        asio::co_spawn(io, greet(client, url, "hello over " + std::string(net::to_string(protocol))),
                       [&](std::exception_ptr failure) {
                           example::rethrow(failure);
                           io.stop();
                       });
        io.run();
    }
}
