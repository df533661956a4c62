// What one seed gives: secrets that cannot be found from each other, nor from anything random that strangers see. The generators
// are fast, not secret: whoever sees enough of their output can compute the rest, so no secret is drawn from them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <tandem/tls/hkdf.hpp>

namespace tandem::quic {

inline std::array<std::uint8_t, 32> derive_secret(std::uint64_t seed, std::string_view purpose) {
    std::array<std::uint8_t, sizeof seed> key;
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(seed >> (8 * i));
    return tls::hmac_sha256(key, std::span(reinterpret_cast<const std::uint8_t*>(purpose.data()), purpose.size()));
}

inline std::uint64_t derive_seed(std::uint64_t seed, std::string_view purpose) {
    const auto secret = derive_secret(seed, purpose);
    std::uint64_t derived = 0;
    for (std::size_t i = 0; i < sizeof derived; ++i) derived |= std::uint64_t{secret[i]} << (8 * i);
    return derived;
}

}  // namespace tandem::quic
