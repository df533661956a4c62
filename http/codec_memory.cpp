#include <tandem/http/codec_memory.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

#include <tandem/bytes/recycled.hpp>

namespace tandem::http {
namespace {

// Both libraries release without saying how much: the size stands before what they get.
constexpr std::size_t header = alignof(std::max_align_t);

void* allocate(std::size_t size, void*) {
    if (size > SIZE_MAX - header) return nullptr;
    try {
        auto* piece = static_cast<std::byte*>(recycled::allocate(size + header));
        std::memcpy(piece, &size, sizeof size);
        return piece + header;
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

std::size_t size_of(const void* p) {
    std::size_t size;
    std::memcpy(&size, static_cast<const std::byte*>(p) - header, sizeof size);
    return size;
}

void release(void* p, void*) {
    if (p != nullptr) recycled::release(static_cast<std::byte*>(p) - header, size_of(p) + header);
}

void* allocate_zeroed(std::size_t count, std::size_t size, void*) {
    if (size != 0 && count > SIZE_MAX / size) return nullptr;
    auto* p = allocate(count * size, nullptr);
    if (p != nullptr) std::memset(p, 0, count * size);
    return p;
}

void* reallocate(void* p, std::size_t size, void*) {
    if (p == nullptr) return allocate(size, nullptr);
    auto* larger = allocate(size, nullptr);
    if (larger == nullptr) return nullptr;
    std::memcpy(larger, p, std::min(size, size_of(p)));
    release(p, nullptr);
    return larger;
}

}  // namespace

nghttp2_mem* nghttp2_memory() {
    static nghttp2_mem memory{nullptr, allocate, release, allocate_zeroed, reallocate};
    return &memory;
}

const nghttp3_mem* nghttp3_memory() {
    static constexpr nghttp3_mem memory{nullptr, allocate, release, allocate_zeroed, reallocate};
    return &memory;
}

}  // namespace tandem::http
