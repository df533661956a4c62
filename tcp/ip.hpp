// IPv4 and IPv6 headers (RFC 791, RFC 8200): as much of them as a TCP endpoint needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/datagram.hpp>

namespace tandem::tcp {

enum class drop_reason : std::uint8_t {
    none,
    truncated,
    bad_ip_header,
    not_tcp,
    fragment,
    bad_header,
    bad_checksum,
    bad_address
};

namespace protocol {
constexpr std::uint8_t icmp = 1, tcp = 6, icmp_v6 = 58;
}

struct ip_header {
    ip_address source;
    ip_address destination;
    std::uint8_t protocol = 0;  // of the payload, after IPv6 extension headers
    std::uint8_t hop_limit = 64;
    std::uint8_t dscp = 0;  // Differentiated Services codepoint, 6 bits
    ecn mark = ecn::not_ect;
    std::span<const std::uint8_t> payload;
};

// Addresses of many or of nobody: multicast, IPv4's reserved 240/4 and broadcast. No end of a connection.
bool is_multicast(const ip_address& a);

constexpr std::size_t ip_header_size(bool v6) { return v6 ? 40 : 20; }  // of those we write
constexpr unsigned max_extension_headers = 8;  // of a packet received: more is a way to make us walk, not a use

enum class ip_check : std::uint8_t {
    whole,   // a packet from the network: complete, header checksum right, addresses that can send and receive
    quoted,  // the beginning of a packet, as ICMP errors quote it: it may be cut, and routers have changed its checksum
};

// Refuses fragments; cuts link-layer padding.
drop_reason parse_ip(std::span<const std::uint8_t> bytes, ip_header& out, ip_check check = ip_check::whole);

// Writes a header in front of `payload_size` bytes (header.payload is not looked at): ip_header_size(...) bytes.
// IPv4: "don't fragment", identification 0 (RFC 6864 4.1).
void write_ip_header(const ip_header& header, std::size_t payload_size, std::uint8_t* out);

}  // namespace tandem::tcp
