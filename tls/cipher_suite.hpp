// The TLS 1.3 cipher suites that QUIC uses (RFC 9001 5.3), with their sizes and limits.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem::tls {

enum class cipher_suite : std::uint16_t {
    aes_128_gcm_sha256 = 0x1301,
    aes_256_gcm_sha384 = 0x1302,
    chacha20_poly1305_sha256 = 0x1303,
};

constexpr std::size_t aead_tag_size = 16;
constexpr std::size_t aead_nonce_size = 12;
constexpr std::size_t max_key_size = 32;
constexpr std::size_t max_hash_size = 48;

constexpr std::size_t key_size(cipher_suite suite) { return suite == cipher_suite::aes_128_gcm_sha256 ? 16 : 32; }
constexpr std::size_t hash_size(cipher_suite suite) { return suite == cipher_suite::aes_256_gcm_sha384 ? 48 : 32; }

// How many packets one key may protect, and how many forgeries may be seen in all, before it is no longer safe (RFC 9001 6.6).
struct aead_limits {
    std::uint64_t confidentiality;  // packets sealed with one key
    std::uint64_t integrity;        // packets that failed to open, over all keys of the connection
};
constexpr aead_limits limits(cipher_suite suite) {
    // RFC 9001 6.6: ChaCha20-Poly1305's confidentiality limit is beyond the number of packet numbers.
    if (suite == cipher_suite::chacha20_poly1305_sha256) return {std::uint64_t{1} << 62, std::uint64_t{1} << 36};
    return {std::uint64_t{1} << 23, std::uint64_t{1} << 52};
}

}  // namespace tandem::tls
