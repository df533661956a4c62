// Memory of what comes and goes with every request, stream and packet: released pieces wait, by size, for the next of their size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <unordered_map>
#include <utility>

// A sanitizer is to see each end of an object.
#if defined(__SANITIZE_ADDRESS__)
#define TANDEM_RECYCLES_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TANDEM_RECYCLES_MEMORY 0
#endif
#endif
#ifndef TANDEM_RECYCLES_MEMORY
#define TANDEM_RECYCLES_MEMORY 1
#endif

namespace tandem::recycled {

// Requests come in batches of dozens, for which the general allocator's caches of a few pieces of each size are too small: it
// then searches, splits and joins. Each thread has its own pieces, so nothing is locked; a piece may be released by another
// thread than took it.
constexpr std::size_t largest = 4096;       // bytes; what is larger goes the usual way
constexpr std::size_t most_kept = 2 << 20;  // bytes of pieces in wait on one thread, whatever peers do
constexpr std::size_t grain = 64;           // sizes are multiples of it

// n bytes, aligned as operator new aligns them; throws bad_alloc.
inline void* allocate(std::size_t n);
inline void release(void* p, std::size_t n) noexcept;  // with the n that was asked for
// Gives all that waits on this thread back to the heap.
void trim() noexcept;

namespace detail {

struct piece {
    piece* next;
};
// Without a destructor, so that it can be used from the first to the last moment of a thread. `trimmer` ends it.
struct pool {
    piece* waiting[largest / grain + 1];
    std::size_t kept;
    std::size_t limit;
};
extern constinit thread_local pool pool_of_thread;
void* allocate_anew(std::size_t n);
void release_beyond(void* p, std::size_t n) noexcept;

constexpr std::size_t size_class(std::size_t n) { return (n + grain - 1) / grain; }

}  // namespace detail

inline void* allocate(std::size_t n) {
#if TANDEM_RECYCLES_MEMORY
    if (n <= largest) {
        auto& own = detail::pool_of_thread;
        auto& first = own.waiting[detail::size_class(n)];
        if (first != nullptr) {
            own.kept -= detail::size_class(n) * grain;
            return std::exchange(first, first->next);
        }
    }
#endif
    return detail::allocate_anew(n);
}

inline void release(void* p, std::size_t n) noexcept {
#if TANDEM_RECYCLES_MEMORY
    auto& own = detail::pool_of_thread;
    const auto size = detail::size_class(n) * grain;
    if (n - 1 < largest && own.kept + size <= own.limit) {
        own.kept += size;
        auto& first = own.waiting[detail::size_class(n)];
        first = new (p) detail::piece{first};
        return;
    }
#endif
    detail::release_beyond(p, n);
}

// For containers, and std::allocate_shared.
template <class T>
struct allocator {
    static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    using value_type = T;

    allocator() = default;
    template <class U>
    allocator(const allocator<U>&) noexcept {}  // NOLINT: as allocators convert

    T* allocate(std::size_t n) { return static_cast<T*>(recycled::allocate(n * sizeof(T))); }
    void deallocate(T* p, std::size_t n) noexcept { recycled::release(p, n * sizeof(T)); }
    template <class U>
    bool operator==(const allocator<U>&) const noexcept {
        return true;
    }
};

template <class Key, class Value>
using map = std::unordered_map<Key, Value, std::hash<Key>, std::equal_to<Key>, allocator<std::pair<const Key, Value>>>;

// A base of classes whose objects live as long as a request or a stream. Those that are deleted by a base of theirs have a
// virtual destructor, which knows the size.
struct object {
    static void* operator new(std::size_t n) { return recycled::allocate(n); }
    static void operator delete(void* p, std::size_t n) noexcept { recycled::release(p, n); }
};

// Uninitialised bytes.
class bytes {
public:
    bytes() = default;
    explicit bytes(std::size_t n) : data_(n == 0 ? nullptr : static_cast<std::uint8_t*>(recycled::allocate(n))), size_(n) {}
    bytes(bytes&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    bytes& operator=(bytes&& other) noexcept {
        bytes taken(std::move(other));
        std::swap(data_, taken.data_);
        std::swap(size_, taken.size_);
        return *this;
    }
    ~bytes() {
        if (data_ != nullptr) recycled::release(data_, size_);
    }

    std::uint8_t* get() const { return data_; }
    std::size_t size() const { return size_; }
    explicit operator bool() const { return data_ != nullptr; }

private:
    std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace tandem::recycled
