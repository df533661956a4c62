// An HTTP server on one port number: HTTP/3 over QUIC on UDP; HTTP/2, HTTP/1.1 and HTTP/3 over QMux, by ALPN, over TLS over TCP.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/system/error_code.hpp>

#include <tandem/bytes/address.hpp>
#include <tandem/http/limits.hpp>
#include <tandem/net/lingering_close.hpp>
#include <tandem/net/quic_workers.hpp>
#include <tandem/net/request_loop.hpp>
#include <tandem/net/udp_socket.hpp>
#include <tandem/quic/config.hpp>

namespace tandem::net {

class tcp_stack;

struct http_server_options {
    std::vector<ip_address> addresses{ip_address::v4(127, 0, 0, 1)};
    std::uint16_t port = 0;  // 0: a free one, the same for all addresses and both protocols
    bool quic = true;
    bool tcp = true;
    bool http2 = true;                          // offer HTTP/2 on TCP
    bool qmux = true;                           // offer HTTP/3 over QMux on TCP
    std::shared_ptr<net::tcp_stack> tcp_stack;  // null: the kernel's TCP
    std::shared_ptr<const tls::server_context> tls;
    quic::endpoint_config quic_config;  // its `server` is set to `tls`
    udp_options udp;
    // Where QUIC clients are asked to go after the handshake (RFC 9000 9.6), at most one of each family: addresses that no other
    // server has, bound beside `addresses`. Port 0: the server's own. The first of `addresses` of its family tells of it, else
    // the first of all.
    std::vector<ip_endpoint> preferred;
    // Of several servers on the same addresses and port: this one's place, for each address. See http_server_threads.
    std::vector<quic_worker> workers;
    http::limits limits;
    request_limits requests;
    lingering_limits lingering;                                // TCP connections, after the last answer
    std::size_t max_tcp_connections = 4096;                    // more wait in the kernel's queue
    duration sweep_interval = std::chrono::milliseconds(500);  // how often the limits of time are looked at
    http::fields fields;                                       // every response gets these too, unless it has one of that name
    access_log access;
    std::function<void(std::string_view line)> log;  // what happens to connections, one line each
};

// Where it failed to start, and why.
struct listen_error {
    boost::system::error_code code;
    std::string what;  // "TCP 127.0.0.1:443"

    explicit operator bool() const { return static_cast<bool>(code); }
};

class http_server {
public:
    // Requests are answered at once from their header sections; bodies are thrown away.
    http_server(boost::asio::any_io_executor executor, http_server_options options, request_handler handler);
    // Requests are answered in the handler's own time (http_exchange, http_router, http_coroutine).
    http_server(boost::asio::any_io_executor executor, http_server_options options, http_handler handler);
    // Either way.
    http_server(boost::asio::any_io_executor executor, http_server_options options, server_handlers handlers);
    ~http_server();
    http_server(const http_server&) = delete;
    http_server& operator=(const http_server&) = delete;

    // Binds everything; on an error nothing is left open.
    listen_error start();
    std::uint16_t port() const;
    std::vector<ip_endpoint> endpoints() const;
    // Lines about UDP buffers that are smaller than wanted.
    std::vector<std::string> warnings() const;

    // New connections get this context; those there are keep theirs.
    void set_tls(std::shared_ptr<const tls::server_context> tls);

    struct counters {
        std::uint64_t requests = 0;
        std::uint64_t tcp_connections = 0;   // accepted so far
        std::uint64_t quic_connections = 0;  // accepted so far
        std::uint64_t open_connections = 0;  // now, of both kinds

        counters& operator+=(const counters& other) {
            requests += other.requests;
            tcp_connections += other.tcp_connections;
            quic_connections += other.quic_connections;
            open_connections += other.open_connections;
            return *this;
        }
    };
    counters statistics() const;

    // Takes no new connections, lets requests under way end for at most `deadline`, then calls done().
    void stop(duration deadline, std::function<void()> done);

private:
    class impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace tandem::net
