// Counts heap allocations of the whole program. Link allocation_counter.cpp.
#pragma once

#include <cstdint>

namespace tandem::test {

std::uint64_t allocations();  // calls of operator new so far

}  // namespace tandem::test
