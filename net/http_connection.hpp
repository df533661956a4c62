// The client's end of one HTTP connection on a real network: finds the host, connects, and moves the bytes of a client_session.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/http/client_session.hpp>
#include <tandem/http/limits.hpp>
#include <tandem/net/http_error.hpp>
#include <tandem/quic/config.hpp>

namespace tandem::http {
class race;
}
namespace tandem::tls {
class client_context;
class session_cache;
}  // namespace tandem::tls

namespace tandem::net {

class tcp_stack;

enum class http_protocol : std::uint8_t {
    http1,       // HTTP/1.1 over TLS over TCP; over TCP alone for http: URLs
    http2,       // over TLS over TCP; HTTP/1.1 where the server does not speak it
    http3,       // over QUIC
    http3_qmux,  // HTTP/3 over QMux over TLS over TCP
};
std::string_view to_string(http_protocol);  // "HTTP/1.1", "HTTP/2", "HTTP/3", "HTTP/3 over QMux"

// Instead of asking DNS: connect here for this host and port.
struct address_override {
    std::string host;  // lower case; "*" for every host
    std::uint16_t port = 0;
    std::vector<ip_address> addresses;
};

struct http_connection_options {
    std::shared_ptr<const tls::client_context> tls;  // may be null for http: URLs only
    std::shared_ptr<tcp_stack> tcp;                  // null: the kernel's TCP
    quic::config quic;
    bool follow_addresses = true;  // QUIC: go on from another address when the machine's change
    http::limits limits;
    duration connect_timeout = std::chrono::seconds(30);  // resolving, connecting and TLS together, over all addresses
    // Each of them alone; zero: none of its own.
    duration resolve_timeout{};
    duration tcp_timeout{};  // one address: TCP's handshake
    duration tls_timeout{};  // one address: the handshake of TLS, or of QUIC
    std::vector<address_override> overrides;
    enum class ip_family : std::uint8_t { any, v4, v6 } family = ip_family::any;  // only addresses of this one
    // Ask DNS for HTTPS records too (RFC 9460), where HTTP/3 is permitted: they tell of it, of ports and of other hosts before
    // the first packet. Not for hosts with an override or without a public name.
    bool https_records = true;
    std::vector<ip_endpoint> name_servers;  // asked for HTTPS records of every host; empty: the system's
    // What earlier connections left to resume with; null: nothing is kept. Its owner may save it. Of one thread.
    std::shared_ptr<tls::session_cache> sessions;
    // HTTP/3, where `sessions` has a ticket and there is one address and protocol to try: requests with safe methods and no body
    // go before the handshake is complete (0-RTT). Whoever sees them can send the server a copy (RFC 8470).
    bool early_data = false;
    std::function<void(std::string_view line)> trace;  // one line per step, for people
    std::function<void(const http::race&)> decided;    // a race between protocols and addresses has been won, or lost by all
};

// Where to.
struct http_target {
    bool secure = true;
    std::string host;  // no brackets around IPv6 addresses
    std::uint16_t port = 443;
};

// When each step was done; nothing where it was not (yet).
struct connection_times {
    time_point started;
    std::optional<time_point> resolved;
    std::optional<time_point> connected;  // TCP only
    std::optional<time_point> secured;    // TLS handshake complete
};

struct http_connection_hooks {
    std::function<void()> heard;                   // may be empty: the first bytes came back from the address being tried
    std::function<void()> ready;                   // session() can be used from now on
    std::function<void(time_point now)> activity;  // poll the session's events, read bodies, submit
    std::function<void(const http_error&)> over;   // the last call: never connected, or the connection ended
};

std::string seconds_text(duration);  // "2.5 s", for messages

// Everything happens on the executor, which must be a strand or be run by one thread.
class http_connection {
public:
    static std::shared_ptr<http_connection> open(const boost::asio::any_io_executor&, http_protocol, const http_target&,
                                                 const http_connection_options&, http_connection_hooks);
    virtual ~http_connection() = default;

    // Ends the connection, telling the peer where there is a way to. No hook is called any more.
    virtual void stop() = 0;

    virtual http::client_session* session() = 0;  // null until ready
    virtual void wake() = 0;                      // the session was given work outside of `activity`
    virtual const connection_times& times() const = 0;
    virtual ip_endpoint remote() const = 0;  // the address tried last
    virtual http_protocol protocol() const = 0;
    // For finding out that a path has died. QUIC: packets the peer acknowledged so far, and whether any wait for it. TCP: 0 and
    // false.
    virtual std::uint64_t acknowledged() const { return 0; }
    virtual bool awaits_acknowledgment() const { return false; }
    // QUIC: asks the peer for an acknowledgment (PING). TCP: nothing.
    virtual void probe() {}
    // QUIC: smoothed. TCP: what connecting took. Nothing before it was measured.
    virtual std::optional<duration> round_trip() const;
};

}  // namespace tandem::net
