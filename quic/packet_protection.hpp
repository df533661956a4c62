// Packet protection (RFC 9001 5): the keys of one level and direction, sealing and opening packets in place.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <tandem/quic/types.hpp>
#include <tandem/tls/aead.hpp>
#include <tandem/tls/cipher_suite.hpp>
#include <tandem/tls/header_mask.hpp>

namespace tandem::quic {

// A packet whose header protection was removed, in place.
struct unprotected_header {
    std::uint64_t number = 0;            // the full packet number; not authenticated yet
    std::size_t number_size = 0;         // 1 to 4
    std::uint8_t first_byte = 0;         // unprotected
    std::array<std::uint8_t, 5> mask{};  // what was removed, to put it back if the payload does not open

    bool key_phase() const { return (first_byte & 0x04) != 0; }  // short headers only
    // RFC 9000 17.2, 17.3.1: if not zero after authentication, the connection fails with PROTOCOL_VIOLATION.
    bool reserved_bits() const {
        auto bits = (first_byte & 0x80) != 0 ? 0x0c : 0x18;
        return (first_byte & bits) != 0;
    }
};

struct opened_packet {
    unprotected_header header;
    std::span<std::uint8_t> payload;  // frames, decrypted in place
};

enum class open_error : std::uint8_t {
    none,
    too_short,       // RFC 9001 5.4.2: nothing to sample
    authentication,  // forged, damaged or sealed with other keys; counted
};

class packet_keys {
public:
    packet_keys() = default;  // no keys
    // secret: hash_size(suite) bytes, of TLS or of initial_keys. The version must be one that is spoken here.
    packet_keys(version v, tls::cipher_suite suite, std::span<const std::uint8_t> secret);

    explicit operator bool() const { return static_cast<bool>(aead_); }
    tls::cipher_suite suite() const { return suite_; }

    // Protects a packet in place. `packet` is header, payload and tls::aead_tag_size bytes of room; the header's packet number is
    // at number_offset and has number_size bytes. Number and payload together must have at least 4 bytes (RFC 9001 5.4.2): pad.
    // False if they have not; then nothing was changed.
    bool seal(std::span<std::uint8_t> packet, std::size_t number_offset, std::size_t number_size, std::uint64_t number);

    // Opens one packet (exactly packet_header::size bytes) in place. On failure the header is as it was and the last 16 bytes
    // too, so that a stateless reset is still seen; what lies between is destroyed.
    open_error open(std::span<std::uint8_t> packet, std::size_t number_offset, std::optional<std::uint64_t> largest_received,
                    opened_packet& out);

    // The two halves of open, for a receiver that chooses between key phases after it saw the header.
    std::optional<unprotected_header> unprotect_header(std::span<std::uint8_t> packet, std::size_t number_offset,
                                                       std::optional<std::uint64_t> largest_received) const;
    bool open_payload(std::span<std::uint8_t> packet, std::size_t number_offset, const unprotected_header& header,
                      std::span<std::uint8_t>& payload);

    // The keys after a key update: a new AEAD key, the same header protection (RFC 9001 6.1). Either may handle headers.
    packet_keys next_generation() const;

    // RFC 9001 6.6: compare with tls::limits(suite()).
    std::uint64_t sealed() const { return sealed_; }          // packets with this key
    std::uint64_t failed_to_open() const { return failed_; }  // with this key; the limit is over all keys of a connection

private:
    void derive_aead();

    tls::aead_key aead_;
    tls::header_mask mask_;
    tls::cipher_suite suite_ = tls::cipher_suite::aes_128_gcm_sha256;
    version version_{};
    std::uint64_t sealed_ = 0;
    std::uint64_t failed_ = 0;
    std::array<std::uint8_t, tls::max_hash_size> secret_{};  // for the next generation
};

struct packet_key_pair {
    packet_keys read;
    packet_keys write;
};

// Keys of Initial packets, from the Destination Connection ID of the client's first Initial, or of the first after a Retry
// (RFC 9001 5.2). AEAD_AES_128_GCM; they protect against accidents, not against anybody who saw the packet.
packet_key_pair initial_keys(version v, const connection_id& destination, perspective side);

}  // namespace tandem::quic
