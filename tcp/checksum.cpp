#include <tandem/tcp/checksum.hpp>

#include <array>
#include <cstring>

namespace tandem::tcp {

// Adds 32-bit words into 64-bit sums: no carry can be lost below 2^32 words, and the two sums do not wait for each other.
void checksum::add(std::span<const std::uint8_t> bytes) {
    const auto* p = bytes.data();
    std::size_t n = bytes.size();
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    for (; n >= 32; n -= 32, p += 32) {
        std::array<std::uint64_t, 4> w;
        std::memcpy(w.data(), p, 32);
        low += (w[0] & 0xffffffff) + (w[1] & 0xffffffff) + (w[2] & 0xffffffff) + (w[3] & 0xffffffff);
        high += (w[0] >> 32) + (w[1] >> 32) + (w[2] >> 32) + (w[3] >> 32);
    }
    for (; n >= 4; n -= 4, p += 4) {
        std::uint32_t w;
        std::memcpy(&w, p, 4);
        low += w;
    }
    if (n > 0) {  // padded with zeros at the end (RFC 1071 1)
        std::uint32_t w = 0;
        std::memcpy(&w, p, n);
        high += w;
    }
    sum_ += (low & 0xffffffff) + (low >> 32) + (high & 0xffffffff) + (high >> 32);
}

void checksum::add_pseudo_header(const ip_address& source, const ip_address& destination, std::uint8_t protocol,
                                 std::size_t length) {
    add({source.bytes.data(), source.size()});
    add({destination.bytes.data(), destination.size()});
    const std::array<std::uint8_t, 8> tail{static_cast<std::uint8_t>(length >> 24),
                                           static_cast<std::uint8_t>(length >> 16),
                                           static_cast<std::uint8_t>(length >> 8),
                                           static_cast<std::uint8_t>(length),
                                           0,
                                           0,
                                           0,
                                           protocol};
    add(tail);
}

std::uint16_t checksum::folded() const {
    std::uint64_t s = sum_;
    while ((s >> 16) != 0) s = (s & 0xffff) + (s >> 16);
    return static_cast<std::uint16_t>(s);
}

void checksum::store(std::uint8_t* field) const {
    const auto value = static_cast<std::uint16_t>(~folded());
    std::memcpy(field, &value, 2);
}

void checksum::store_partial(std::uint8_t* field) const {
    const auto value = folded();
    std::memcpy(field, &value, 2);
}

}  // namespace tandem::tcp
