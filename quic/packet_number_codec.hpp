// Packet numbers on the wire: truncated to 1 to 4 bytes (RFC 9000 17.1, Appendix A.2 and A.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace tandem::quic {

constexpr std::uint64_t max_packet_number = (std::uint64_t{1} << 62) - 1;  // RFC 9000 12.3

// Bytes, 1 to 4, that carry `number` so that the peer, which has acknowledged at most `largest_acknowledged`, decodes it.
// Four bytes serve while fewer than 2^31 packets are unacknowledged; the sender must keep to that.
std::size_t packet_number_size(std::uint64_t number, std::optional<std::uint64_t> largest_acknowledged);

// The number nearest to the one expected next whose low 8 * size bits are `truncated`. size: 1 to 4.
std::uint64_t decode_packet_number(std::uint64_t truncated, std::size_t size, std::optional<std::uint64_t> largest_received);

}  // namespace tandem::quic
