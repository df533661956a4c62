// Key derivation of TLS 1.3 (RFC 5869, RFC 8446 7.1) and HMAC-SHA256.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include <tandem/tls/cipher_suite.hpp>

namespace tandem::tls {

// The hash is the suite's: SHA-384 for AES-256-GCM, SHA-256 for the others.

// out: hash_size(suite) bytes.
void hkdf_extract(cipher_suite suite, std::span<std::uint8_t> out, std::span<const std::uint8_t> salt,
                  std::span<const std::uint8_t> input);
// HKDF-Expand-Label with an empty context; `label` without its prefix "tls13 ", at most 200 bytes. out: at most 255 hashes.
void hkdf_expand_label(cipher_suite suite, std::span<std::uint8_t> out, std::span<const std::uint8_t> secret,
                       std::string_view label);

std::array<std::uint8_t, 32> hmac_sha256(std::span<const std::uint8_t> key, std::span<const std::uint8_t> data);

// Compares without telling by its running time where they differ. False if the sizes differ.
bool equal_constant_time(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b);

}  // namespace tandem::tls
