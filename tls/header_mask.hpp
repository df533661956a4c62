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

class header_mask {
public:
    header_mask();  // holds no key
    // key: key_size(suite) bytes.
    header_mask(cipher_suite suite, std::span<const std::uint8_t> key);
    ~header_mask();
    header_mask(header_mask&&) noexcept;
    header_mask& operator=(header_mask&&) noexcept;

    std::array<std::uint8_t, 5> operator()(std::span<const std::uint8_t, header_sample_size> sample) const;

private:
    struct schedule;
    std::unique_ptr<schedule> schedule_;
};

}  // namespace tandem::tls
