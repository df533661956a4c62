// What a server's listeners for TCP and for QUIC have in common.
#pragma once

#include <boost/asio/error.hpp>

#include <tandem/net/http_server.hpp>

namespace tandem::net {

// Shared by all listeners of a server, which outlives them.
struct http_listener_context {
    const http_server_options& options;
    const server_handlers& handlers;
    http_server::counters counters;
    http::fields tcp_fields;   // added to responses over TCP: Date, Server, Alt-Svc
    http::fields quic_fields;  // the same over QUIC, without Alt-Svc
};

class http_listener {
public:
    virtual ~http_listener() = default;
    virtual ip_endpoint local_endpoint() const = 0;
    // The server's TLS context has changed: new connections take the new one.
    virtual void renew_tls() {}
    // See http_server_options::preferred. QUIC's only.
    virtual boost::system::error_code prefer(const ip_endpoint&) { return boost::asio::error::operation_not_supported; }
    // About twice a second: ends what has been quiet for too long.
    virtual void sweep(time_point now) = 0;
    // Takes no new connections; ends those there are when their requests are over.
    virtual void drain(time_point now) = 0;
    virtual std::size_t connections() const = 0;  // open now
    // Ends everything. Last words (CONNECTION_CLOSE) are sent once if they can be.
    virtual void stop(time_point now) = 0;
};

// Nothing on error.
std::unique_ptr<http_listener> listen_tcp(boost::asio::any_io_executor, const ip_endpoint&, http_listener_context&, port_sharing,
                                          boost::system::error_code&);
std::unique_ptr<http_listener> listen_quic(boost::asio::any_io_executor, const ip_endpoint&, http_listener_context&,
                                           const quic_worker&, boost::system::error_code&, std::vector<std::string>& warnings);

}  // namespace tandem::net
