// HTTP/1.1, HTTP/2 and HTTP/3 on one port number.
#include <boost/asio.hpp>

#include <tandem/net/http_server.hpp>

#include "common.hpp"

using namespace tandem::net;

int main(int argc, char** argv) {
    if (argc != 3) return example::usage(argv[0], "CERTIFICATE PORT");
    boost::asio::io_context io(1);
    http_server_options options;
    options.tls = example::make_certificate(argv[1]);
    options.port = example::loopback(argv[2]).port;
    http_server server(io.get_executor(), options, http_handler([](std::shared_ptr<http_exchange> exchange) {
                           exchange->respond(200, "text/plain", "You speak " + std::string(exchange->source().protocol) + "\n");
                       }));
    if (auto error = server.start()) throw boost::system::system_error(error.code, error.what);
    std::cout << "listening on port " << server.port() << std::endl;
    io.run();
}
