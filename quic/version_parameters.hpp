// What differs between the versions of QUIC spoken here: constants only (RFC 9001 5.2 and 5.8, RFC 9369 3).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <tandem/quic/types.hpp>

namespace tandem::quic {

struct version_parameters {
    quic::version version;
    std::array<std::uint8_t, 20> initial_salt;
    std::array<std::uint8_t, 16> retry_key;
    std::array<std::uint8_t, 12> retry_nonce;
    // HKDF labels, without "tls13 "
    std::string_view key_label;
    std::string_view iv_label;
    std::string_view header_protection_label;
    std::string_view key_update_label;
    // The two type bits of a long header for Initial, 0-RTT, Handshake, Retry
    std::array<std::uint8_t, 4> long_types;
};

// Null for a version that is not spoken here.
const version_parameters* parameters_of(version v);

}  // namespace tandem::quic
