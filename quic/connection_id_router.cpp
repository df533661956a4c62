#include <tandem/quic/connection_id_router.hpp>

#include <utility>

#include <tandem/tls/hkdf.hpp>

namespace tandem::quic {

namespace {

constexpr unsigned rounds = 4;
constexpr unsigned count_bits = 48;

std::uint32_t load(std::span<const std::uint8_t> bytes) {
    return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

void store(std::span<std::uint8_t> bytes, std::uint32_t value) {
    for (int i = 3; i >= 0; --i, value >>= 8) bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(value);
}

std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

connection_id_router::connection_id_router(const std::array<std::uint8_t, 32>& secret, first_use tokens)
    : secret_(secret),
      tokens_(std::move(tokens)),
      cipher_(tls::cipher_suite::aes_128_gcm_sha256, std::span<const std::uint8_t>(derive("connection IDs")).first(16)) {}

std::array<std::uint8_t, 32> connection_id_router::derive(std::string_view purpose) const {
    return tls::hmac_sha256(secret_, bytes_of(purpose));
}

std::uint32_t connection_id_router::round(unsigned number, std::uint32_t half) const {
    std::array<std::uint8_t, tls::header_sample_size> block{};
    block[0] = static_cast<std::uint8_t>(number);
    store(std::span(block).subspan(4), half);
    return load(cipher_(block));
}

connection_id connection_id_router::make(std::uint16_t worker, std::uint64_t count) const {
    const auto plain = std::uint64_t{worker} << count_bits | (count & ((std::uint64_t{1} << count_bits) - 1));
    auto left = static_cast<std::uint32_t>(plain >> 32), right = static_cast<std::uint32_t>(plain);
    for (unsigned i = 0; i < rounds; i += 2) {
        left ^= round(i, right);
        right ^= round(i + 1, left);
    }
    std::array<std::uint8_t, id_size> bytes;
    store(std::span(bytes).first(4), left);
    store(std::span(bytes).last(4), right);
    return connection_id(bytes);
}

std::optional<std::uint16_t> connection_id_router::worker(std::span<const std::uint8_t> id, std::size_t workers) const {
    if (id.size() != id_size) return std::nullopt;
    auto left = load(id.first(4)), right = load(id.last(4));
    for (unsigned i = rounds; i > 0; i -= 2) {
        right ^= round(i - 1, left);
        left ^= round(i - 2, right);
    }
    const auto number = left >> 16;
    if (number >= workers) return std::nullopt;
    return static_cast<std::uint16_t>(number);
}

}  // namespace tandem::quic
