// A UDP proxy (RFC 9298): requests with the protocol connect-udp become tunnels to UDP sockets of this machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/net/datagram_tunnel.hpp>
#include <tandem/net/http_connection.hpp>
#include <tandem/net/http_exchange.hpp>

namespace tandem::net {

// Targets: addresses whose first `prefix` bits are those of `address`, and ports from `first_port` to `last_port`.
struct udp_proxy_rule {
    ip_address address;
    unsigned prefix = 0;
    std::uint16_t first_port = 1;
    std::uint16_t last_port = 65535;

    bool matches(const ip_endpoint& target) const;
    // "192.0.2.0/24", "192.0.2.1:53", "[2001:db8::]/32:1000-2000"; nothing if it is none of these.
    static std::optional<udp_proxy_rule> parse(std::string_view text);
};

struct udp_proxy_options {
    // None: every public address. Else these and no others; loopback, private and other special addresses are targets only if
    // they stand here.
    std::vector<udp_proxy_rule> allow;
    duration idle_timeout = std::chrono::minutes(2);             // without a datagram either way; RFC 9298 3.1 wants no less
    std::size_t max_tunnels = 1024;                              // at one time; more are answered 503
    std::size_t max_tunnels_per_address = 32;                    // of one client's address
    datagram_tunnel_options tunnel{.large_in_capsules = false};  // a path's MTU stays what it is (RFC 9298 6)
    http_connection_options lookup;  // how names of targets are resolved: overrides, family, resolve_timeout
    std::function<void(std::string_view line)> log;
};

// For special-purpose addresses (RFC 6890): loopback, private, link-local, multicast, documentation, translation and the like.
bool is_public(const ip_address& address);

// Answers requests for tunnels, and others with 400 or 426; for the path /.well-known/masque/udp/{target_host}/{target_port}/.
// The server must name http::connect_udp_protocol in limits.tunnel_protocols and datagram_protocols. A route for it has the
// method "*". The name is looked up before the answer, and every address that the client may not reach is left out: 403 if that
// is all of them (502 if there is none), so no name leads to where the rules do not.
class udp_proxy {
public:
    udp_proxy(boost::asio::any_io_executor executor, udp_proxy_options options);
    ~udp_proxy();  // the tunnels are cut off

    http_handler handler();
    struct counters {
        std::uint64_t opened = 0;
        std::uint64_t refused = 0;
        std::size_t open = 0;  // now
    };
    counters statistics() const;

private:
    class impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace tandem::net
