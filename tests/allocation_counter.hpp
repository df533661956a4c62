// Counts heap allocations of the whole program, and what they hold. Link allocation_counter.cpp.
#pragma once

#include <cstdint>

namespace tandem::test {

std::uint64_t allocations();  // calls of operator new so far
std::uint64_t live_bytes();   // held now, but for what this thread keeps to be used again; malloc alone (BoringSSL's) is not seen

}  // namespace tandem::test
