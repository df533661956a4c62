// Sends back every HTTP datagram that comes (RFC 9297), over HTTP/1.1, HTTP/2 and HTTP/3 on one port number.
#include <boost/asio.hpp>

#include <tandem/net/datagram_tunnel.hpp>
#include <tandem/net/http_coroutine.hpp>
#include <tandem/net/http_router.hpp>
#include <tandem/net/http_server.hpp>

#include "common.hpp"

namespace asio = boost::asio;
using asio::use_awaitable;
using namespace tandem::net;

asio::awaitable<void> echo(std::shared_ptr<http_exchange> exchange) {
    auto tunnel = datagram_tunnel::accept(exchange, "echo");
    if (!tunnel) co_return;                                                // it was answered with why not
    for (;;) tunnel->send(co_await tunnel->async_receive(use_awaitable));  // until that throws boost::asio::error::eof
}

int main(int argc, char** argv) {
    if (argc != 3) return example::usage(argv[0], "CERTIFICATE PORT");
    asio::io_context io(1);
    http_router router;
    router.add("*", "/echo", spawn(echo));

    http_server_options options;
    options.tls = example::make_certificate(argv[1]);
    options.port = example::loopback(argv[2]).port;
    options.limits.tunnel_protocols = options.limits.datagram_protocols = {"echo"};
    options.limits.datagram_buffer = 64 * 1024;  // over HTTP/3 they come in QUIC datagrams
    http_server server(io.get_executor(), options, http_handler(router));
    if (auto error = server.start()) throw boost::system::system_error(error.code, error.what);
    std::cout << "listening on port " << server.port() << std::endl;
    io.run();
}
