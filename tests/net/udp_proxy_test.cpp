// UDP proxying (RFC 9298) through our server to sockets of this machine, over every version of HTTP.
#include <tandem/http/udp_proxying.hpp>
#include <tandem/net/address.hpp>
#include <tandem/net/udp_proxy.hpp>

#include <boost/asio/ip/udp.hpp>

#include "net/http_fixture.hpp"

namespace tandem::net {
namespace {

using asio::ip::udp;
using boost::system::error_code;
using octets = std::vector<std::uint8_t>;

octets bytes(std::string_view text) { return {text.begin(), text.end()}; }

class UdpProxy : public Http, public testing::WithParamInterface<http_protocol> {
protected:
    UdpProxy() {
        server_options.limits.tunnel_protocols = server_options.limits.datagram_protocols = {"connect-udp"};
        server_options.limits.datagram_buffer = client_options.connection.limits.datagram_buffer = 64 * 1024;
        proxy_options.allow = {*udp_proxy_rule::parse("127.0.0.0/8")};
        proxy_options.lookup.overrides = {{"target.example", target.local_endpoint().port(), {loopback}}};
        echo();
    }
    ~UdpProxy() override { target.close(); }

    // The target sends back what it hears.
    void echo() {
        target.async_receive_from(asio::buffer(heard), from, [this](error_code failed, std::size_t n) {
            if (failed) return;
            ++echoed;
            error_code ignored;
            target.send_to(asio::buffer(heard, n), from, 0, ignored);
            echo();
        });
    }
    void serve_proxy() {
        server.reset();
        proxy = std::make_unique<udp_proxy>(io.get_executor(), proxy_options);
        serve(proxy->handler());
        use({GetParam()});
    }
    std::string path(const std::string& host = "127.0.0.1") { return http::path_of({host, target.local_endpoint().port()}); }
    // Asks for a tunnel; what the server answered is in its response().
    datagram_tunnel connect(const std::string& where) {
        datagram_tunnel out;
        bool done = false;
        datagram_tunnel::async_connect(*client, request(where).url, std::string(http::connect_udp_protocol), {},
                                       [&](error_code e, datagram_tunnel t) {
                                           error = e;
                                           out = std::move(t);
                                           done = true;
                                       });
        run_until([&] { return done; });
        return out;
    }
    std::pair<error_code, octets> receive(datagram_tunnel& tunnel) {
        std::pair<error_code, octets> out;
        bool done = false;
        tunnel.async_receive([&](error_code e, octets d) {
            out = {e, std::move(d)};
            done = true;
        });
        run_until([&] { return done; });
        return out;
    }
    bool http1() const { return GetParam() == http_protocol::http1; }

    udp::socket target{io, {asio::ip::address_v4::loopback(), 0}};
    udp::endpoint from;
    std::array<std::uint8_t, 65536> heard{};
    int echoed = 0;
    udp_proxy_options proxy_options;
    std::unique_ptr<udp_proxy> proxy;
    error_code error;
};

TEST_P(UdpProxy, CarriesPayloadsBothWays) {
    serve_proxy();
    for (const char* host : {"127.0.0.1", "target.example"}) {
        auto tunnel = connect(path(host));
        ASSERT_FALSE(error) << tunnel.failure();
        EXPECT_EQ(tunnel.response().fields.find("capsule-protocol"), "?1");
        for (std::size_t size : {0, 1, 1000}) {
            tunnel.send(http::wrap_udp_payload(octets(size, 'x')));
            EXPECT_EQ(receive(tunnel).second, http::wrap_udp_payload(octets(size, 'x')));
        }
        EXPECT_EQ(proxy->statistics().open, 1u);
        tunnel.close();
        run_until([&] { return proxy->statistics().open == 0; });
    }
    EXPECT_EQ(proxy->statistics().opened, 2u);
}

TEST_P(UdpProxy, OtherContextsAreDroppedAndMalformedOnesAbort) {
    serve_proxy();
    auto tunnel = connect(path());
    tunnel.send(bytes("\x02unknown"));
    tunnel.send(http::wrap_udp_payload(bytes("known")));
    EXPECT_EQ(receive(tunnel).second, http::wrap_udp_payload(bytes("known")));
    EXPECT_EQ(echoed, 1);
    tunnel.send({});
    EXPECT_EQ(receive(tunnel).first, asio::error::connection_reset);
    run_until([&] { return proxy->statistics().open == 0; });
}

TEST_P(UdpProxy, TargetsThatMayNotBeReached) {
    proxy_options.allow = {};
    serve_proxy();
    for (const char* host : {"127.0.0.1", "target.example", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254"}) {
        const auto tunnel = connect(path(host));
        EXPECT_EQ(error, asio::error::connection_refused) << host;
        EXPECT_EQ(tunnel.response().status, 403) << host;
        EXPECT_EQ(tunnel.response().fields.find("proxy-status"), "tandem; error=destination_ip_prohibited");
    }
    proxy_options.allow = {*udp_proxy_rule::parse("127.0.0.1:1-2")};
    serve_proxy();
    EXPECT_EQ(connect(path()).response().status, 403);
    EXPECT_EQ(connect("/.well-known/masque/udp/host/0/").response().status, 400);
    EXPECT_EQ(connect("/elsewhere").response().status, 400);
    EXPECT_EQ(fetch(request(path()))->response.status, 426);
    EXPECT_EQ(proxy->statistics().refused, 3u);
}

TEST_P(UdpProxy, NamesThatNobodyKnows) {
    serve_proxy();
    EXPECT_EQ(connect(path("nowhere.invalid")).response().status, 502);
}

// The socket is connected: what comes from elsewhere does not reach the client.
TEST_P(UdpProxy, OthersAreNotHeard) {
    serve_proxy();
    auto tunnel = connect(path());
    tunnel.send(http::wrap_udp_payload(bytes("first")));
    EXPECT_EQ(receive(tunnel).second, http::wrap_udp_payload(bytes("first")));
    udp::socket stranger(io, {asio::ip::address_v4::loopback(), 0});
    error_code ignored;
    stranger.send_to(asio::buffer("from a stranger", 15), from, 0, ignored);
    tunnel.send(http::wrap_udp_payload(bytes("second")));
    EXPECT_EQ(receive(tunnel).second, http::wrap_udp_payload(bytes("second")));
}

TEST_P(UdpProxy, TooLargeForThePathIsDropped) {
    if (GetParam() != http_protocol::http3) return;  // others have no such limit
    server_options.quic_config.accepted.mtu_discovery = client_options.connection.quic.mtu_discovery = false;
    serve_proxy();
    auto tunnel = connect(path());
    const auto large = http::wrap_udp_payload(octets(tunnel.max_quic_datagram() + 2000));
    EXPECT_EQ(tunnel.send(large), datagram_carrier::capsule);  // this client does not mind, so it comes to the target
    run_until([&] { return echoed == 1; });
    tunnel.send(http::wrap_udp_payload(bytes("next")));
    EXPECT_EQ(receive(tunnel).second, http::wrap_udp_payload(bytes("next")));  // and its echo does not come back
}

TEST_P(UdpProxy, TunnelsAreLimited) {
    proxy_options.max_tunnels_per_address = 2;
    serve_proxy();
    auto first = connect(path()), second = connect(path());
    EXPECT_EQ(connect(path()).response().status, 503);
    first.close();
    run_until([&] { return proxy->statistics().open == 1; });
    auto third = connect(path());
    EXPECT_FALSE(error);
    proxy_options.max_tunnels_per_address = 32;
    proxy_options.max_tunnels = 1;
    serve_proxy();
    first = connect(path());
    EXPECT_EQ(connect(path()).response().status, 503);
}

TEST_P(UdpProxy, QuietTunnelsEnd) {
    proxy_options.idle_timeout = std::chrono::milliseconds(30);
    serve_proxy();
    auto tunnel = connect(path());
    EXPECT_EQ(receive(tunnel).first, asio::error::eof);
    EXPECT_EQ(proxy->statistics().open, 0u);
}

TEST_P(UdpProxy, NobodyThere) {
    serve_proxy();
    auto tunnel = connect(path());
    target.close();
    tunnel.send(http::wrap_udp_payload(bytes("anybody?")));
    EXPECT_EQ(receive(tunnel).first, asio::error::eof);
}

TEST_P(UdpProxy, EndsWithItsProxy) {
    serve_proxy();
    auto tunnel = connect(path());
    server.reset();
    EXPECT_TRUE(receive(tunnel).first);
    run_until([&] { return proxy->statistics().open == 0; });
    proxy.reset();
}

INSTANTIATE_TEST_SUITE_P(All, UdpProxy, testing::Values(http_protocol::http1, http_protocol::http2, http_protocol::http3),
                         [](const auto& i) { return protocol_name(i.param); });

TEST(UdpProxyRules, Parse) {
    const auto reaches = [](const char* rule, const char* address, std::uint16_t port) {
        const auto parsed = udp_proxy_rule::parse(rule);
        return parsed && parsed->matches({*ip_address::parse(address), port});
    };
    EXPECT_TRUE(reaches("192.0.2.0/24", "192.0.2.255", 1));
    EXPECT_FALSE(reaches("192.0.2.0/24", "192.0.3.0", 1));
    EXPECT_TRUE(reaches("192.0.2.1:53", "192.0.2.1", 53));
    EXPECT_FALSE(reaches("192.0.2.1:53", "192.0.2.1", 54));
    EXPECT_TRUE(reaches("0.0.0.0/0:1000-2000", "8.8.8.8", 1500));
    EXPECT_FALSE(reaches("0.0.0.0/0:1000-2000", "8.8.8.8", 2001));
    EXPECT_FALSE(reaches("0.0.0.0/0", "2001:4860::1", 1));
    EXPECT_TRUE(reaches("[2001:db8::]/33:5", "2001:db8:7fff::1", 5));
    EXPECT_FALSE(reaches("[2001:db8::]/33:5", "2001:db8:8000::1", 5));
    EXPECT_TRUE(reaches("127.0.0.0/8", "::ffff:127.0.0.1", 1));
    for (const char* wrong :
         {"", "192.0.2", "192.0.2.1/33", "192.0.2.1/", "192.0.2.1/x", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536",
          "192.0.2.1:5-4", "192.0.2.1:5-", "::1", "[::1", "[::1]/129", "[192.0.2.1]", "192.0.2.1/8x", "example.com"})
        EXPECT_FALSE(udp_proxy_rule::parse(wrong)) << wrong;
}

TEST(UdpProxyRules, PublicAddresses) {
    for (const char* yes : {"8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"})
        EXPECT_TRUE(is_public(*ip_address::parse(yes))) << yes;
    for (const char* no : {"0.0.0.0",
                           "127.0.0.1",
                           "10.1.2.3",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.168.1.1",
                           "169.254.169.254",
                           "100.64.0.1",
                           "224.0.0.1",
                           "255.255.255.255",
                           "192.0.2.1",
                           "198.18.0.1",
                           "::",
                           "::1",
                           "fe80::1",
                           "fc00::1",
                           "fd12::1",
                           "ff02::1",
                           "2001:db8::1",
                           "2002:7f00:1::",
                           "64:ff9b::7f00:1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.0.0.1",
                           "2001::1"})
        EXPECT_FALSE(is_public(*ip_address::parse(no))) << no;
}

}  // namespace
}  // namespace tandem::net
