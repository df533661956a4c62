// The internet checksum (RFC 1071) and the pseudo headers of TCP and ICMPv6 (RFC 9293 3.1, RFC 8200 8.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <tandem/bytes/address.hpp>

namespace tandem::tcp {

// A sum of 16-bit words in the machine's own byte order: the one's complement sum does not mind (RFC 1071 2 (B)).
class checksum {
public:
    // Pieces but the last have an even number of bytes.
    void add(std::span<const std::uint8_t> bytes);
    void add_pseudo_header(const ip_address& source, const ip_address& destination, std::uint8_t protocol, std::size_t length);

    // What belongs into the checksum field, stored at `field` (two bytes).
    void store(std::uint8_t* field) const;
    // The one's complement sum itself, not inverted: what a carrier that finishes the sum wants to find in the field.
    void store_partial(std::uint8_t* field) const;
    // Over bytes that include a checksum field: is it right?
    bool verifies() const { return folded() == 0xffff; }

private:
    std::uint16_t folded() const;

    std::uint64_t sum_ = 0;
};

}  // namespace tandem::tcp
