#include <boost/asio/io_context.hpp>
#include <iostream>
#include <tandem/net/http_client.hpp>
#include <tandem/tls/context.hpp>
using namespace tandem;

struct printer : net::transfer_sink {
    void on_response(const http::response&, const net::transfer_info&) override {}
    bool on_body(std::span<const std::uint8_t> b) override {
        return bool(std::cout.write(reinterpret_cast<const char*>(b.data()), b.size()));
    }
    void on_end(const std::optional<net::http_error>& e, const net::transfer_info&) override {
        if (e) std::cerr << e->text << '\n';
    }
};
int main(int, char** argv) {  // example URL CA_FILE
    tls::error error;
    std::string why;
    boost::asio::io_context io;
    auto trust = tls::client_context::create({.ca_file = argv[2]}, error);
    net::http_client client(io.get_executor(),
                            {.connection = {.tls = trust}, .protocols = {net::http_protocol::http3, net::http_protocol::http2}});
    client.submit({.url = http::parse_url(argv[1], why).value()}, std::make_shared<printer>());
    while (io.run_one()) client.close_idle();
}
