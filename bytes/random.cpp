#include <tandem/bytes/random.hpp>

#include <bit>

namespace tandem {

random_source::random_source(std::uint64_t seed) {
    for (auto& word : state_) word = splitmix64(seed);
}

std::uint64_t random_source::operator()() {
    auto& s = state_;
    const std::uint64_t result = std::rotl(s[1] * 5, 7) * 9;
    const std::uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = std::rotl(s[3], 45);
    return result;
}

std::uint64_t random_source::below(std::uint64_t n) {
    // Values under 2^64 mod n would make the small remainders more likely: draw again.
    const std::uint64_t threshold = (0 - n) % n;
    for (;;) {
        const std::uint64_t r = (*this)();
        if (r >= threshold) return r % n;
    }
}

double random_source::uniform() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }

void random_source::fill(std::span<std::uint8_t> out) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (i % 8 == 0) word = (*this)();
        out[i] = static_cast<std::uint8_t>(word >> (8 * (i % 8)));  // little-endian on every platform
    }
}

}  // namespace tandem
