// ICMP errors about TCP segments of ours (RFC 792, RFC 4443, RFC 9293 3.9.2.2).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <tandem/bytes/address.hpp>

namespace tandem::tcp {

struct icmp_error {
    enum class kind : std::uint8_t {
        unreachable,  // network, host, prohibited: may pass (RFC 9293 SHLD-25)
        refused,      // protocol or port: nobody is there
        packet_too_big,
    };
    kind what{};
    std::uint16_t mtu = 0;       // packet_too_big: what the next link carries; 0: the router did not say
    ip_path path;                // of the segment that caused it, local end first
    std::uint32_t sequence = 0;  // its sequence number: whoever forged the error had to guess it (RFC 5927 4.1)
};

// Parses a whole IP packet; nothing unless it is a well-formed ICMP error that quotes at least a TCP segment's first eight bytes.
std::optional<icmp_error> parse_icmp_error(std::span<const std::uint8_t> packet);

// The answer to an echo request ("ping": RFC 792, RFC 4443 4.2): a whole IP packet with the request's data. Empty if the packet
// is not a well-formed echo request.
std::vector<std::uint8_t> answer_echo_request(std::span<const std::uint8_t> packet);

}  // namespace tandem::tcp
