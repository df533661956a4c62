// Says hello over a WebSocket, once over each version of HTTP, or over the one that is named ("HTTP/3").
#include <boost/asio.hpp>

#include <tandem/net/websocket.hpp>

#include "common.hpp"

namespace asio = boost::asio;
using asio::use_awaitable;
using namespace tandem;

asio::awaitable<void> greet(net::http_client& client, http::url url, std::string greeting) {
    auto socket = co_await net::websocket::async_connect(client, url, {}, use_awaitable);
    co_await socket.async_write_text(greeting, use_awaitable);
    std::cout << "heard: " << (co_await socket.async_read(use_awaitable)).data << std::endl;
    co_await socket.async_close(net::websocket_code::normal, "", use_awaitable);
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
