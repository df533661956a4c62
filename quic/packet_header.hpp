// Packet headers as they are on the wire: the version-independent part (RFC 8999), and long and short headers of the versions
// spoken here (RFC 9000 17, RFC 9369 3.2). Header protection is not undone here: see packet_protection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <tandem/bytes/writer.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

constexpr std::uint8_t header_form_bit = 0x80;
constexpr std::uint8_t fixed_bit = 0x40;
constexpr std::uint8_t spin_bit = 0x20;
constexpr std::uint8_t key_phase_bit = 0x04;

// What every version of QUIC has (RFC 8999 5). Connection IDs of foreign versions may have up to 255 bytes.
struct invariant_header {
    bool long_form = false;
    std::uint32_t version = 0;                  // long form only; 0: Version Negotiation
    std::span<const std::uint8_t> destination;  // short form: the first bytes after the first byte, as many as were asked for
    std::span<const std::uint8_t> source;       // long form only
    std::size_t size = 0;                       // bytes up to here; what follows is the version's own
};

// Nothing if the datagram is too short. short_id_size: bytes of the connection IDs that this endpoint issues.
std::optional<invariant_header> parse_invariant_header(std::span<const std::uint8_t> datagram, std::size_t short_id_size);

enum class packet_type : std::uint8_t { initial, zero_rtt, handshake, retry, version_negotiation, one_rtt };

// Why bytes are no packet of ours. All are reasons to drop the rest of the datagram silently.
enum class header_error : std::uint8_t {
    none,
    truncated,           // ends before a field does, or a Length beyond the end of the datagram
    fixed_bit_zero,      // RFC 9000 17.2, 17.3.1
    unknown_version,     // answer with Version Negotiation, if anything (RFC 9000 6)
    connection_id_size,  // above 20 bytes (RFC 9000 17.2)
    too_short,           // nothing to sample for header protection (RFC 9001 5.4.2); it may still be a stateless reset
};
std::string_view to_string(header_error);

// A parsed header. The spans point into the datagram.
struct packet_header {
    packet_type type{};
    quic::version version{};  // long headers; Version Negotiation and short: 0
    connection_id destination;
    connection_id source;                    // long headers
    std::span<const std::uint8_t> token;     // Initial and Retry
    std::span<const std::uint8_t> versions;  // Version Negotiation: four bytes each
    std::size_t number_offset = 0;           // where the protected packet number begins; not Retry, Version Negotiation
    std::size_t size = 0;                    // bytes of the datagram that this packet takes: the next one begins there
};

struct parsed_packet {
    header_error error = header_error::none;
    packet_header header;
    explicit operator bool() const { return error == header_error::none; }
};

// What the bit after the header form says. It is free if we told the peer so (RFC 9287 3).
enum class quic_bit : std::uint8_t { required, any };

// Parses the packet that begins the given bytes: a datagram or, of coalesced packets, the rest of one (RFC 9000 12.2).
parsed_packet parse_packet(std::span<const std::uint8_t> datagram, std::size_t short_id_size, quic_bit bit = quic_bit::required);

// Where the parts of a written header are, from the first byte of the packet.
struct written_header {
    std::size_t length_offset = 0;  // of the two-byte Length; 0 if the header has none
    std::size_t number_offset = 0;
    std::size_t number_size = 0;  // 1 to 4
    std::size_t payload_offset() const { return number_offset + number_size; }
};

// Bytes that write_long_header takes.
std::size_t long_header_size(packet_type type, const connection_id& destination, const connection_id& source,
                             std::size_t token_size, std::size_t number_size);

// Initial, 0-RTT or Handshake. Leaves two bytes for the Length: see set_packet_length. The writer must stand at the begin of the
// packet; offsets count from there. The token is an Initial's. Nothing if it does not fit.
std::optional<written_header> write_long_header(writer& out, packet_type type, version v, const connection_id& destination,
                                                const connection_id& source, std::span<const std::uint8_t> token,
                                                std::uint64_t number, std::size_t number_size);
// Fills in the Length of a long header: packet is whole, with room for the AEAD tag; at most 16383 bytes from the number on.
void set_packet_length(std::span<std::uint8_t> packet, const written_header& header);

std::optional<written_header> write_short_header(writer& out, const connection_id& destination, std::uint64_t number,
                                                 std::size_t number_size, bool spin, bool key_phase);

// RFC 9000 17.2.1. `destination` is the source of the packet that is answered, and the other way round; any sizes up to 255.
// `random` fills the unused bits of the first byte. False if it does not fit.
bool write_version_negotiation(writer& out, std::span<const std::uint8_t> destination, std::span<const std::uint8_t> source,
                               std::span<const std::uint32_t> versions, std::uint8_t random);

}  // namespace tandem::quic
