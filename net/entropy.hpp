// Randomness from the operating system: seeds for the generators that sans-IO code is given.
#pragma once

#include <cstdint>

namespace tandem::net {

std::uint64_t random_seed();

}  // namespace tandem::net
