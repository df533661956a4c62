// One request each over HTTP/1.1, HTTP/2 and HTTP/3.
#include <boost/asio.hpp>

#include <tandem/net/http_client.hpp>

#include "common.hpp"

using namespace tandem;

struct printer : net::transfer_sink {
    explicit printer(boost::asio::io_context& context) : io(context) {}
    void on_response(const http::response& response, const net::transfer_info& info) override {
        std::cout << net::to_string(info.protocol) << " " << response.status << ": ";
    }
    bool on_body(std::span<const std::uint8_t> bytes) override {
        std::cout.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        return true;
    }
    void on_end(const std::optional<net::http_error>& error, const net::transfer_info&) override {
        if (error) throw std::runtime_error(error->text);
        io.stop();
    }
    boost::asio::io_context& io;
};

int main(int argc, char** argv) {
    if (argc != 3) return example::usage(argv[0], "CERTIFICATE PORT");
    for (auto protocol : {net::http_protocol::http1, net::http_protocol::http2, net::http_protocol::http3}) {
        boost::asio::io_context io(1);
        net::http_client_options options;
        options.connection.tls = example::trust(argv[1]);
        options.protocols = {protocol};
        net::http_client client(io.get_executor(), options);
        net::http_request request;
        std::string why;
        request.url = http::parse_url(std::string("https://localhost:") + argv[2] + "/", why).value();
        client.submit(request, std::make_shared<printer>(io));
        io.run();
    }
}
