// A WebSocket that sends back what it hears, over HTTP/1.1, HTTP/2 and HTTP/3 on one port number; and a page for browsers that
// tries it.
#include <boost/asio.hpp>

#include <tandem/net/http_coroutine.hpp>
#include <tandem/net/http_router.hpp>
#include <tandem/net/http_server.hpp>
#include <tandem/net/websocket.hpp>

#include "common.hpp"

namespace asio = boost::asio;
using asio::use_awaitable;
using namespace tandem::net;

asio::awaitable<void> echo(std::shared_ptr<http_exchange> exchange) {
    auto socket = websocket::accept(exchange);
    if (!socket) co_return;  // it was answered with why not
    for (;;) {               // until async_read() throws boost::asio::error::eof
        auto message = co_await socket->async_read(use_awaitable);
        co_await socket->async_write(message, use_awaitable);
    }
}

constexpr const char* page = R"(<!doctype html><title>echo</title><pre id=out></pre><script>
const socket = new WebSocket(`wss://${location.host}/echo`);
socket.onopen = () => socket.send("hello from a browser");
socket.onmessage = (message) => { out.textContent += `heard: ${message.data}\n`; socket.close(3000, "enough"); };
socket.onclose = (close) => { out.textContent += `closed: ${close.code}, clean: ${close.wasClean}\n`; };
</script>)";

int main(int argc, char** argv) {
    if (argc != 3) return example::usage(argv[0], "CERTIFICATE PORT");
    asio::io_context io(1);
    http_router router;
    router.add("*", "/echo", spawn(echo));
    router.add("GET", "/", [](std::shared_ptr<http_exchange> e) { e->respond(200, "text/html", page); });

    http_server_options options;
    options.tls = example::make_certificate(argv[1]);
    options.port = example::loopback(argv[2]).port;
    options.access = [](const access_record& r) {
        std::cerr << r.source.protocol << " " << r.request.path << " " << r.status << std::endl;
    };
    options.limits.tunnel_protocols = {"websocket"};
    http_server server(io.get_executor(), options, http_handler(router));
    if (auto error = server.start()) throw boost::system::system_error(error.code, error.what);
    std::cout << "listening on port " << server.port() << std::endl;
    io.run();
}
