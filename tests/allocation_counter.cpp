#include "allocation_counter.hpp"

#include <cstdlib>
#include <new>

#include <malloc.h>

#include <tandem/bytes/recycled.hpp>

namespace {

std::uint64_t count = 0;
std::uint64_t live = 0;

void* counted(std::size_t size) noexcept {
    ++count;
    void* p = std::malloc(size > 0 ? size : 1);
    live += malloc_usable_size(p);
    return p;
}
void* counted_or_throw(std::size_t size) {
    if (void* p = counted(size)) return p;
    throw std::bad_alloc();
}
void release(void* p) noexcept {
    live -= malloc_usable_size(p);
    std::free(p);
}

}  // namespace

void* operator new(std::size_t size) { return counted_or_throw(size); }
void* operator new[](std::size_t size) { return counted_or_throw(size); }
// Sanitizers bring their own of these two, which do not go with the delete below.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void operator delete(void* p) noexcept { release(p); }
void operator delete[](void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t) noexcept { release(p); }

std::uint64_t tandem::test::allocations() { return count; }
std::uint64_t tandem::test::live_bytes() {
    tandem::recycled::trim();
    return live;
}
