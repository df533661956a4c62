// The seed of property tests: fixed, so that CI tests the same thing every time, and printed, so that a run with another one
// (TANDEM_SEED=n) can be repeated.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>

namespace tandem::test {

inline std::uint64_t seed() {
    static const std::uint64_t value = [] {
        const char* given = std::getenv("TANDEM_SEED");
        const std::uint64_t n = given ? std::strtoull(given, nullptr, 10) : 20220601;
        std::cout << "seed: TANDEM_SEED=" << n << std::endl;
        return n;
    }();
    return value;
}

}  // namespace tandem::test
