// An HTTP server with routes: an answer at once, one that takes its time, and one of as many bytes as came.
#include <boost/asio.hpp>

#include <tandem/net/http_coroutine.hpp>
#include <tandem/net/http_router.hpp>
#include <tandem/net/http_server.hpp>

#include "common.hpp"

namespace asio = boost::asio;
using asio::use_awaitable;
using namespace tandem::net;
using exchange_ptr = std::shared_ptr<http_exchange>;

asio::awaitable<void> count(exchange_ptr exchange) {
    exchange->begin({200, {{"content-type", "text/plain"}}});
    asio::steady_timer timer(exchange->get_executor());
    for (int i = 1; i <= 3; ++i) {
        co_await asio::async_write(*exchange, asio::buffer(std::to_string(i) + "\n"), use_awaitable);
        timer.expires_after(std::chrono::milliseconds(10));
        co_await timer.async_wait(use_awaitable);
    }
    exchange->finish();
}

asio::awaitable<void> upper_case(exchange_ptr exchange) {
    auto text = co_await read_body(*exchange, 1 << 20);
    for (auto& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    exchange->respond(200, "text/plain", std::move(text));
}

int main(int argc, char** argv) {
    if (argc != 3) return example::usage(argv[0], "CERTIFICATE PORT");
    asio::io_context io(1);
    http_router router;
    router.add("GET", "/hello/*",
               [](exchange_ptr e) { e->respond(200, "text/plain", "Hello, " + e->request().path.substr(7) + "\n"); });
    router.add("GET", "/count", spawn(count));
    router.add("POST", "/upper-case", spawn(upper_case));

    http_server_options options;
    options.tls = example::make_certificate(argv[1]);
    options.port = example::loopback(argv[2]).port;
    http_server server(io.get_executor(), options, http_handler(router));
    if (auto error = server.start()) throw boost::system::system_error(error.code, error.what);
    std::cout << "listening on port " << server.port() << std::endl;
    asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&](auto, int) { server.stop(std::chrono::seconds(5), [&] { io.stop(); }); });
    io.run();
}
