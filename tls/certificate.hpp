// Certificates with their private keys: loaded from PEM files, or made here for tests, the simulator and servers without one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tandem/tls/error.hpp>

namespace tandem::tls {

// A chain (leaf first) and the leaf's private key, both as PEM text.
struct certificate {
    std::string chain_pem;
    std::string key_pem;
};

// Reads both files. The errors say which file is missing or unreadable; the contents are checked when a context is made.
std::optional<certificate> load_certificate(const std::string& chain_file, const std::string& key_file, error& why);

// ed25519: every signature has the same length, so a simulated handshake has the same sizes each time. Browsers do not accept it.
enum class key_kind : std::uint8_t { p256, ed25519 };

struct self_signed_options {
    std::vector<std::string> names{"localhost", "127.0.0.1", "::1"};  // DNS names and IP addresses; the first is the subject
    key_kind key = key_kind::p256;
    std::int64_t not_before = 0;  // seconds since 1970-01-01 UTC
    std::int64_t not_after = 0;   // the same; inclusive
    std::uint64_t serial = 1;     // 1 to 2^63 - 1
    // If given, the Ed25519 key is this seed, and the certificate is the same bytes each time. Of no effect for P-256.
    std::optional<std::array<std::uint8_t, 32>> seed;
};

// Makes a certificate that signs itself; a client that is given its chain_pem as trusted accepts it.
std::optional<certificate> self_signed(const self_signed_options& options, error& why);

}  // namespace tandem::tls
