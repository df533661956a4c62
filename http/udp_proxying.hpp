// What UDP proxying (RFC 9298) adds to HTTP datagrams: where the target stands in a request, and the context ID before each UDP
// payload.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::http {

// For limits::tunnel_protocols, limits::datagram_protocols and request::protocol.
constexpr std::string_view connect_udp_protocol = "connect-udp";
constexpr std::size_t max_udp_payload = 65'527;  // RFC 9298 5

struct udp_target {
    std::string host;  // a name, or an address without brackets
    std::uint16_t port = 0;

    friend bool operator==(const udp_target&, const udp_target&) = default;
};

// Of the default template, /.well-known/masque/udp/{target_host}/{target_port}/ (RFC 9298 2, 3.1). Nothing if a path is not made
// from it, or names no target there can be.
std::string path_of(const udp_target& target);
std::optional<udp_target> target_of(std::string_view path);

// A UDP payload in an HTTP datagram: context ID 0 stands before it (RFC 9298 5).
std::vector<std::uint8_t> wrap_udp_payload(std::span<const std::uint8_t> payload);
enum class udp_datagram_kind : std::uint8_t {
    payload,
    other_context,  // of an extension that is not known: to be dropped, silently
    malformed,      // without a context ID, or longer than UDP's are: the tunnel is to be aborted
};
struct udp_datagram {
    udp_datagram_kind kind = udp_datagram_kind::malformed;
    std::span<const std::uint8_t> payload;
};
udp_datagram unwrap_udp_payload(std::span<const std::uint8_t> datagram);

}  // namespace tandem::http
