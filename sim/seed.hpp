// Independent random streams from one seed.
#pragma once

#include <cstdint>

namespace tandem::sim {

// A seed for the stream that `purpose` and `index` name: switching one source of chance on, or drawing more from it, leaves the
// others as they were, so that runs which differ in one thing can be compared packet by packet.
constexpr std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t purpose, std::uint64_t index = 0) {
    auto mix = [](std::uint64_t x) {  // SplitMix64's finalizer
        x += 0x9e3779b97f4a7c15;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
        x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
        return x ^ (x >> 31);
    };
    return mix(mix(mix(seed) ^ purpose) ^ index);
}

}  // namespace tandem::sim
