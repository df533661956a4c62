// A server that asks its clients to go to another address of its own after the handshake (RFC 9000 9.6).
#include <gtest/gtest.h>

#include <sys/socket.h>

#include <numeric>
#include <vector>

#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <tandem/net/address.hpp>
#include <tandem/net/http_server_threads.hpp>

#include "net/quic_fixture.hpp"

namespace tandem::net {
namespace {

namespace asio = boost::asio;

const ip_address other = ip_address::v4(127, 0, 0, 2);
const ip_address any = ip_address::v4(0, 0, 0, 0);
const ip_address v6_loopback = *ip_address::parse("::1");

class PreferredAddress : public test::QuicPair {
protected:
    // One that shares its port, so that somebody can come between.
    void serve_at(const ip_address& address) {
        quic::endpoint_config config;
        config.server = tandem::test::server_context();
        config.accepted.alpn = {"echo"};
        server = std::make_unique<quic_endpoint>(io.get_executor(), config, group.worker(0));
        ASSERT_FALSE(server->open({address, 0}));
    }
    void connect_to(const ip_address& address, bool follow = true) {
        auto o = options();
        o.remote = {address, server->local_endpoint().port};
        o.config.use_preferred_address = follow;
        auto accepted = server->async_accept(asio::use_future);
        near = get(client.async_connect(o, asio::use_future));
        far = get(std::move(accepted));
        open_pair();
    }
    void transfer(std::size_t bytes) {
        std::vector<std::uint8_t> sent(bytes), got(bytes);
        std::iota(sent.begin(), sent.end(), std::uint8_t{0});
        auto writing = asio::async_write(a, asio::buffer(sent), asio::use_future);
        auto reading = asio::async_read(b, asio::buffer(got), asio::use_future);
        EXPECT_EQ(get(std::move(reading)), bytes);
        EXPECT_EQ(get(std::move(writing)), bytes);
        EXPECT_EQ(sent, got);
    }
    ip_endpoint preferred(const ip_address& address) const { return {address, server->local_endpoint().port}; }
    // Both ends are there, and it works both ways.
    void expect_at(const ip_endpoint& there) {
        run_until([&] { return near.remote_endpoint() == there && far.local_endpoint() == there; });
        transfer(300'000);
        std::swap(a, b);
        transfer(300'000);
        EXPECT_EQ(near.remote_endpoint(), there);
    }

    quic_workers group{1};
};

TEST_F(PreferredAddress, IsGoneToAfterTheHandshake) {
    ASSERT_FALSE(server->prefer({other, 0}));
    connect_to(test::loopback);
    expect_at(preferred(other));
}

TEST_F(PreferredAddress, MayHaveAPortOfItsOwn) {
    asio::ip::udp::socket finder(io, {asio::ip::address_v4::loopback(), 0});
    const ip_endpoint there{other, finder.local_endpoint().port()};
    quic::endpoint_config config;
    config.server = tandem::test::server_context();
    config.accepted.alpn = {"echo"};
    config.preferred_v4 = there;
    server = std::make_unique<quic_endpoint>(io.get_executor(), config);
    ASSERT_FALSE(server->open({test::loopback, 0}));
    connect_to(test::loopback);
    expect_at(there);
}

TEST_F(PreferredAddress, OnAllAddressesNeedsNoSecondSocket) {
    serve_at(any);
    ASSERT_FALSE(server->prefer({other, 0}));
    connect_to(test::loopback);
    expect_at(preferred(other));
}

TEST_F(PreferredAddress, Ipv6) {
    quic_endpoint six(io.get_executor());
    if (six.open({v6_loopback, 0})) GTEST_SKIP() << "no IPv6 here";
    serve_at(v6_loopback);
    asio::ip::udp::socket finder(io, {asio::ip::address_v4::loopback(), 0});
    const ip_endpoint there{v6_loopback, finder.local_endpoint().port()};
    ASSERT_FALSE(server->prefer(there));
    auto o = options();
    auto accepted = server->async_accept(asio::use_future);
    near = get(six.async_connect(o, asio::use_future));
    far = get(std::move(accepted));
    open_pair();
    expect_at(there);
}

TEST_F(PreferredAddress, IsNotGoneToByThoseWhoDoNotWant) {
    ASSERT_FALSE(server->prefer({other, 0}));
    connect_to(test::loopback, false);
    transfer(500'000);
    EXPECT_EQ(near.remote_endpoint(), preferred(test::loopback));
    EXPECT_EQ(far.local_endpoint(), preferred(test::loopback));
}

// Somebody more specific takes what comes to the preferred address, and says nothing: the client stays where it is.
TEST_F(PreferredAddress, ThatDoesNotAnswerIsLeftAlone) {
    serve_at(any);
    ASSERT_FALSE(server->prefer({other, 0}));
    asio::ip::udp::socket hole(io, asio::ip::udp::v4());
    const int yes = 1;
    ASSERT_EQ(::setsockopt(hole.native_handle(), SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes), 0);
    hole.bind(to_asio<asio::ip::udp>(preferred(other)));
    connect_to(test::loopback);
    std::array<char, 2000> probe;
    auto tried = hole.async_receive(asio::buffer(probe), asio::use_future);
    EXPECT_GE(get(std::move(tried)), 1200u);  // RFC 9000 8.2.1
    transfer(1'000'000);
    EXPECT_EQ(near.remote_endpoint(), preferred(test::loopback));
    EXPECT_EQ(far.local_endpoint(), preferred(test::loopback));
}

TEST_F(PreferredAddress, MigrationGoesOnFromThere) {
    ASSERT_FALSE(server->prefer({other, 0}));
    connect_to(test::loopback);
    expect_at(preferred(other));
    get(near.async_migrate({ip_address::v4(127, 0, 0, 3), 0}, asio::use_future));
    EXPECT_EQ(near.local_endpoint().address, ip_address::v4(127, 0, 0, 3));
    transfer(300'000);
    EXPECT_EQ(near.remote_endpoint(), preferred(other));
}

TEST_F(PreferredAddress, MustBeOursAndAnother) {
    EXPECT_EQ(server->prefer({ip_address::v4(192, 0, 2, 1), 0}), boost::system::errc::address_not_available);
    EXPECT_EQ(server->prefer(server->local_endpoint()), asio::error::invalid_argument);
    EXPECT_EQ(server->prefer({any, 4433}), asio::error::invalid_argument);
    asio::ip::udp::socket taken(io, to_asio<asio::ip::udp>(preferred(other)));
    EXPECT_EQ(server->prefer({other, 0}), asio::error::address_in_use);
    connect_to(test::loopback);  // and nothing was announced
    transfer(100'000);
    EXPECT_EQ(near.remote_endpoint(), preferred(test::loopback));
    quic::endpoint_config config;
    config.preferred_v4 = {ip_address::v4(192, 0, 2, 1), 4433};
    quic_endpoint another(io.get_executor(), config);
    EXPECT_EQ(another.open({test::loopback, 0}), boost::system::errc::address_not_available);
    EXPECT_EQ(quic_endpoint(io.get_executor()).prefer({other, 0}), asio::error::operation_aborted);
    serve_at(any);
    EXPECT_EQ(server->prefer({ip_address::v4(192, 0, 2, 1), 0}), boost::system::errc::address_not_available);
}

TEST(HttpServerThreads, ShareThePreferredAddress) {
    http_server_options o;
    o.tls = tandem::test::server_context();
    o.tcp = false;
    o.preferred = {{other, 0}, {v6_loopback, 0}};  // of the second family there is no listener: the first one has it
    http_server_threads server(2, o, http_handler());
    auto failed = server.start();
    if (failed && failed.what.find("::1") != std::string::npos) GTEST_SKIP() << "no IPv6 here";
    ASSERT_FALSE(failed) << failed.what;
    http_server_options taken;
    taken.tls = o.tls;
    taken.addresses = {other};
    taken.port = server.port();
    taken.tcp = false;
    http_server_threads second(2, taken, http_handler());
    EXPECT_EQ(second.start().code, boost::system::errc::address_in_use);
}

}  // namespace
}  // namespace tandem::net
