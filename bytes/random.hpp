// Randomness as the sans-IO folders know it: one generator, seeded by its owner and passed in, the same on every platform.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>

namespace tandem {

// One step of splitmix64: advances the state and returns 64 well mixed bits. For seeding and for hashing.
constexpr std::uint64_t splitmix64(std::uint64_t& state) {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

// xoshiro256** (Blackman and Vigna, 2018). Fast and well distributed, but not a cipher: who sees enough output can predict the
// rest, so secrets (keys of tokens, stateless resets, initial sequence numbers) are drawn from a generator whose raw output
// nobody sees, seeded with 64 bits of the operating system's entropy, or are given by the driver.
class random_source {
public:
    using result_type = std::uint64_t;  // UniformRandomBitGenerator

    explicit random_source(std::uint64_t seed);

    std::uint64_t operator()();
    std::uint64_t below(std::uint64_t n);  // uniform in [0, n); n > 0
    double uniform();                      // uniform in [0, 1), 53 bits
    void fill(std::span<std::uint8_t> out);

    static constexpr std::uint64_t min() { return 0; }
    static constexpr std::uint64_t max() { return std::numeric_limits<std::uint64_t>::max(); }

private:
    std::array<std::uint64_t, 4> state_;
};

}  // namespace tandem
