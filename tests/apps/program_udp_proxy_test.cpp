// `tandem serve --udp-proxy`, with a client of the library.
#include <array>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

#include <tandem/http/udp_proxying.hpp>
#include <tandem/net/datagram_tunnel.hpp>
#include <tandem/net/http_client.hpp>
#include <tandem/tls/context.hpp>

#include "apps/exit_code.hpp"
#include "program_fixture.hpp"

namespace tandem::apps {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;
using octets = std::vector<std::uint8_t>;

class ProgramUdpProxy : public Program {
protected:
    // Sends a payload through a tunnel to a socket of this machine; returns what the server answered, once it came back.
    int through(const serving& server, net::http_protocol protocol) {
        asio::io_context io(1);
        udp::socket target(io, {asio::ip::address_v4::loopback(), 0});
        udp::endpoint from;
        std::array<std::uint8_t, 100> heard{};
        target.async_receive_from(asio::buffer(heard), from, [&](boost::system::error_code error, std::size_t n) {
            if (!error) target.send_to(asio::buffer(heard, n), from);
        });
        tls::error why;
        net::http_client_options options;
        options.connection.tls = tls::client_context::create({.ca_file = certificate()}, why);
        options.connection.limits.datagram_buffer = 64 * 1024;
        options.protocols = {protocol};
        net::http_client client(io.get_executor(), options);
        std::string text;
        const auto url = http::parse_url(server.url(http::path_of({"127.0.0.1", target.local_endpoint().port()})), text);
        const auto payload = http::wrap_udp_payload(octets{'h', 'i'});
        net::datagram_tunnel tunnel;
        int status = 0;
        net::datagram_tunnel::async_connect(client, *url, "connect-udp", {},
                                            [&](boost::system::error_code error, net::datagram_tunnel opened) {
                                                tunnel = std::move(opened);
                                                if (error) {
                                                    status = tunnel.response().status;
                                                    return io.stop();
                                                }
                                                const bool quic = tunnel.send(payload) == net::datagram_carrier::quic;
                                                EXPECT_EQ(quic, protocol == net::http_protocol::http3);
                                                tunnel.async_receive([&](boost::system::error_code e, const octets& back) {
                                                    EXPECT_EQ(back, payload) << e.message();
                                                    status = tunnel.response().status;
                                                    io.stop();
                                                });
                                            });
        io.run_for(std::chrono::seconds(20));
        return status;
    }
};

TEST_F(ProgramUdpProxy, CarriesWhatIsAllowed) {
    site.write("f", "a file");
    for (const auto& threads : {"1", "2"}) {
        serving server(serve_arguments({"--udp-proxy", "--udp-proxy-allow", "127.0.0.0/8:1024-65535", "--threads", threads}));
        for (auto protocol : {net::http_protocol::http1, net::http_protocol::http2, net::http_protocol::http3})
            EXPECT_EQ(through(server, protocol), 101);
        EXPECT_EQ(get({server.url("/f")}).out, "a file");
    }
}

TEST_F(ProgramUdpProxy, CarriesNothingUnlessAllowed) {
    serving careful(serve_arguments({"--udp-proxy"}));
    EXPECT_EQ(through(careful, net::http_protocol::http3), 403);
    serving none(serve_arguments());
    EXPECT_EQ(through(none, net::http_protocol::http1), 404);
}

TEST_F(ProgramUdpProxy, Options) {
    for (const char* wrong : {"example.com", "127.0.0.1/33", "127.0.0.1:0"}) {
        expect_one_line(run_tandem({"serve", site.str(), "--port", "0", "--udp-proxy", "--udp-proxy-allow", wrong}),
                        exit_code::usage, "--udp-proxy-allow");
    }
    expect_one_line(run_tandem({"serve", site.str(), "--port", "0", "--udp-proxy-allow", "127.0.0.1"}), exit_code::usage,
                    "--udp-proxy-allow is for --udp-proxy");
}

}  // namespace
}  // namespace tandem::apps
