// Retry packets with their integrity tag (RFC 9000 17.2.5, RFC 9001 5.8).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include <tandem/bytes/writer.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

// Writes a whole Retry. original_destination: of the Initial that is answered; destination: that Initial's source;
// source: the connection ID chosen here. `random` fills the unused bits of the first byte. False if it does not fit.
bool write_retry(writer& out, version v, const connection_id& original_destination, const connection_id& destination,
                 const connection_id& source, std::span<const std::uint8_t> token, std::uint8_t random);

// Whether the tag that ends a Retry is right for the Initial that this client sent to original_destination.
bool verify_retry(version v, const connection_id& original_destination, std::span<const std::uint8_t> packet);

// The tag over a Retry without its tag. All zero if the packet is longer than any datagram or the version unknown.
std::array<std::uint8_t, 16> retry_integrity_tag(version v, const connection_id& original_destination,
                                                 std::span<const std::uint8_t> packet_without_tag);

}  // namespace tandem::quic
