// The mask of QUIC header protection: AES-ECB or ChaCha20 over a sample of the packet (RFC 9001 5.4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <tandem/tls/cipher_suite.hpp>

namespace tandem::tls {

constexpr std::size_t header_sample_size = 16;

// Copies share the key schedule: header protection stays the same over key updates.
class header_mask {
public:
    header_mask() = default;  // holds no key: the mask is zero
    // key: key_size(suite) bytes.
    header_mask(cipher_suite suite, std::span<const std::uint8_t> key);

    std::array<std::uint8_t, 5> operator()(std::span<const std::uint8_t, header_sample_size> sample) const;

private:
    struct schedule;
    std::shared_ptr<const schedule> schedule_;
};

}  // namespace tandem::tls
