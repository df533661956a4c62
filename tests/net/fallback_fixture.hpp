// An HTTP server whose QUIC runs through a relay that can fall silent, and whose TCP can be closed apart from it.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/write.hpp>

#include "net/http_fixture.hpp"

namespace tandem::net {

// Forwards datagrams between one client and a server on its own port number, until told to drop everything.
class udp_relay {
public:
    udp_relay(asio::io_context& io, std::uint16_t server)
        : outer_(io, {asio::ip::address_v4::loopback(), 0}),
          inner_(io, {asio::ip::address_v4::loopback(), 0}),
          server_(asio::ip::address_v4::loopback(), server) {
        read(outer_, outer_buffer_, outer_from_, [this](std::size_t n) {
            client_ = outer_from_;
            if (!dead) inner_.send_to(asio::buffer(outer_buffer_, n), server_);
        });
        read(inner_, inner_buffer_, inner_from_, [this](std::size_t n) {
            if (!dead) outer_.send_to(asio::buffer(inner_buffer_, n), client_);
        });
    }
    std::uint16_t port() const { return outer_.local_endpoint().port(); }

    bool dead = false;

private:
    using socket = asio::ip::udp::socket;
    template <class Forward>
    void read(socket& from, std::array<char, 2048>& buffer, socket::endpoint_type& sender, Forward forward) {
        from.async_receive_from(asio::buffer(buffer), sender,
                                [this, &from, &buffer, &sender, forward](const boost::system::error_code& e, std::size_t n) {
                                    if (e) return;
                                    forward(n);
                                    read(from, buffer, sender, forward);
                                });
    }
    socket outer_, inner_;
    socket::endpoint_type server_, client_, outer_from_, inner_from_;
    std::array<char, 2048> outer_buffer_{}, inner_buffer_{};
};

// One port number with the relay's QUIC on UDP and the server's TCP behind a forwarder of connections.
class Fallback : public Http {
protected:
    void begin() {
        root.write("f", "text");
        serve();
        listen();
    }
    void listen() {
        relay.emplace(io, server->port());
        acceptor.emplace(io, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), relay->port()));
        accept();
        client_options.known = std::make_shared<http::alt_svc_cache>();
        use({http_protocol::http3, http_protocol::http2});
    }
    void accept() {
        acceptor->async_accept([this](const boost::system::error_code& e, asio::ip::tcp::socket from) {
            if (e) return;
            auto pair = std::make_shared<std::pair<asio::ip::tcp::socket, asio::ip::tcp::socket>>(std::move(from),
                                                                                                  asio::ip::tcp::socket(io));
            pair->second.connect({asio::ip::address_v4::loopback(), server->port()});
            forward(pair, pair->first, pair->second, std::make_shared<std::array<char, 16384>>());
            forward(pair, pair->second, pair->first, std::make_shared<std::array<char, 16384>>());
            ++tcp_connections;
            accept();
        });
    }
    template <class Pair, class Buffer>
    void forward(Pair pair, asio::ip::tcp::socket& from, asio::ip::tcp::socket& to, Buffer buffer) {
        from.async_read_some(asio::buffer(*buffer),
                             [this, pair, &from, &to, buffer](const boost::system::error_code& e, std::size_t n) {
                                 boost::system::error_code ignored;
                                 if (e) return void(to.shutdown(asio::socket_base::shutdown_send, ignored));
                                 asio::write(to, asio::buffer(*buffer, n), ignored);
                                 forward(pair, from, to, buffer);
                             });
    }
    // A fetch and how long it took.
    std::pair<std::shared_ptr<outcome>, duration> timed_fetch() {
        const auto begun = std::chrono::steady_clock::now();
        auto o = fetch(request("/f", relay->port()));
        return {o, std::chrono::steady_clock::now() - begun};
    }
    std::string origin() const { return "https://127.0.0.1:" + std::to_string(relay->port()); }

    std::optional<udp_relay> relay;
    std::optional<asio::ip::tcp::acceptor> acceptor;
    int tcp_connections = 0;
};

}  // namespace tandem::net
