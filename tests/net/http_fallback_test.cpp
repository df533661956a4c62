// What a client does where QUIC is refused or silent, and where TCP is.
#include <chrono>
#include <ctime>
#include <string_view>

#include <tandem/net/network_name.hpp>

#include "net/fallback_fixture.hpp"

namespace tandem::net {
namespace {

constexpr int patience = 5;  // the machine may be busy

TEST_F(Http, FallsBackToTcpWhereQuicIsRefused) {
    root.write("f", "text");
    server_options.quic = false;
    serve();
    use({http_protocol::http3, http_protocol::http1});
    auto o = fetch(request("/f"));
    EXPECT_FALSE(o->error);
    EXPECT_EQ(o->body, "text");
    EXPECT_EQ(o->info.protocol, http_protocol::http1);
}

TEST_F(Http, FallsBackToTcpWhereQuicIsSilent) {
    root.write("f", "text");
    server_options.quic = false;
    serve();
    asio::ip::udp::socket silent(io, {asio::ip::address_v4::loopback(), server->port()});
    use({http_protocol::http3, http_protocol::http1});
    auto o = fetch(request("/f"));
    EXPECT_FALSE(o->error);
    EXPECT_EQ(o->info.protocol, http_protocol::http1);
}

TEST_F(Fallback, QuicIsUsedWhereItWorksAndTcpIsNotEvenTried) {
    begin();
    auto [o, took] = timed_fetch();
    EXPECT_FALSE(o->error);
    EXPECT_EQ(o->info.protocol, http_protocol::http3);
    EXPECT_EQ(tcp_connections, 0);
}

TEST_F(Fallback, SilentUdpCostsLittle) {
    begin();
    relay->dead = true;
    auto [o, took] = timed_fetch();
    EXPECT_FALSE(o->error);
    EXPECT_EQ(o->body, "text");
    EXPECT_EQ(o->info.protocol, http_protocol::http2);
    EXPECT_LT(took, std::chrono::milliseconds(300) * patience);
    EXPECT_TRUE(client_options.known->is_broken(origin(), network_name(loopback), "h3", std::time(nullptr)));
    use({http_protocol::http3, http_protocol::http2});  // another client that knows: TCP first
    auto again = timed_fetch();
    EXPECT_EQ(again.first->info.protocol, http_protocol::http2);
    EXPECT_EQ(tcp_connections, 2);
}

TEST_F(Fallback, APathThatDiesAfterTheHandshakeIsLeft) {
    begin();
    client_options.connection.trace = [this](std::string_view line) {
        if (line.starts_with("connected to") && line.ends_with("(QUIC)")) relay->dead = true;
    };
    use({http_protocol::http3, http_protocol::http2});
    auto [o, took] = timed_fetch();
    EXPECT_FALSE(o->error) << o->error->text;
    EXPECT_EQ(o->body, "text");
    EXPECT_EQ(o->info.protocol, http_protocol::http2);
    EXPECT_EQ(o->info.attempts, 2u);
    EXPECT_LT(took, std::chrono::milliseconds(350) * patience);
    auto again = timed_fetch();
    EXPECT_EQ(again.first->info.protocol, http_protocol::http2);
}

TEST_F(Fallback, APathThatDiesWhileIdleIsLeft) {
    begin();
    EXPECT_EQ(timed_fetch().first->info.protocol, http_protocol::http3);
    relay->dead = true;
    auto [o, took] = timed_fetch();
    EXPECT_FALSE(o->error);
    EXPECT_EQ(o->info.protocol, http_protocol::http2);
}

TEST_F(Fallback, QuicIsUsedWhereTcpIsBlocked) {
    begin();
    acceptor->close();
    client_options.known->broken(origin(), network_name(loopback), "h3", std::time(nullptr));  // so TCP goes first, in vain
    use({http_protocol::http3, http_protocol::http2});
    auto [o, took] = timed_fetch();
    EXPECT_FALSE(o->error);
    EXPECT_EQ(o->info.protocol, http_protocol::http3);
    EXPECT_FALSE(client_options.known->is_broken(origin(), network_name(loopback), "h3", std::time(nullptr)));
}

}  // namespace
}  // namespace tandem::net
