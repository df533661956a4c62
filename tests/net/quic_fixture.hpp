// Two QUIC endpoints in one io_context, and how to wait for what they do.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <tandem/net/quic_endpoint.hpp>

#include "net/test_certificate.hpp"

namespace tandem::net::test {

namespace asio = boost::asio;

inline const ip_address loopback = ip_address::v4(127, 0, 0, 1);

// A connected pair of endpoints on loopback, in one io_context.
class QuicPair : public testing::Test {
protected:
    QuicPair() {
        quic::endpoint_config config;
        config.server = tandem::test::server_context();
        config.accepted.alpn = {"echo"};
        config.accepted.max_datagram_frame_size = 65535;
        server = std::make_unique<quic_endpoint>(io.get_executor(), config);
        EXPECT_FALSE(server->open({loopback, 0}));
        EXPECT_FALSE(client.open({loopback, 0}));
    }

    quic::connect_options options() {
        quic::connect_options o;
        o.remote = server->local_endpoint();
        o.server_name = "localhost";
        o.tls = tandem::test::client_context();
        o.config.alpn = {"echo"};
        o.config.max_datagram_frame_size = 65535;
        return o;
    }

    template <class Condition>
    void run_until(Condition done) {
        auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!done() && std::chrono::steady_clock::now() < deadline) {
            if (io.stopped()) io.restart();
            io.run_one_until(deadline);
        }
        ASSERT_TRUE(done());
    }
    template <class T>
    T get(std::future<T> f) {
        auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (f.wait_for(std::chrono::seconds(0)) != std::future_status::ready && std::chrono::steady_clock::now() < deadline) {
            if (io.stopped()) io.restart();
            io.run_one_until(deadline);
        }
        if (f.wait_for(std::chrono::seconds(0)) != std::future_status::ready) throw std::runtime_error("timed out");
        return f.get();
    }

    void connect() {
        auto accepted = server->async_accept(asio::use_future);
        near = get(client.async_connect(options(), asio::use_future));
        far = get(std::move(accepted));
    }
    // A stream of the client's and the server's end of it, after one byte went through.
    void open_pair() {
        auto accepted = far.async_accept_stream(asio::use_future);
        a = get(near.async_open_stream(asio::use_future));
        EXPECT_EQ(get(a.async_write_some(asio::buffer("!", 1), asio::use_future)), 1U);
        b = get(std::move(accepted));
        char c = 0;
        EXPECT_EQ(get(b.async_read_some(asio::buffer(&c, 1), asio::use_future)), 1U);
        EXPECT_EQ(c, '!');
    }

    asio::io_context io{1};
    std::unique_ptr<quic_endpoint> server;
    quic_endpoint client{io.get_executor()};
    quic_connection near, far;
    quic_stream a, b;
};

}  // namespace tandem::net::test
