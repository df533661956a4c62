// A vector whose first N elements need no heap: for the few things that belong to one packet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include <tandem/bytes/recycled.hpp>

namespace tandem {

// T is trivially copyable, so growing and moving are memcpy.
template <class T, std::size_t N>
class small_vector {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

public:
    small_vector() = default;
    small_vector(const small_vector& other) { assign(other); }
    small_vector(small_vector&& other) noexcept { take(other); }
    small_vector& operator=(const small_vector& other) {
        if (this != &other) {
            clear();
            assign(other);
        }
        return *this;
    }
    small_vector& operator=(small_vector&& other) noexcept {
        if (this != &other) take(other);
        return *this;
    }

    void push_back(T value) {  // a copy: it may be one of ours, which growing moves
        if (size_ == capacity_) grow();
        std::memcpy(storage() + size_ * sizeof(T), &value, sizeof(T));
        ++size_;
    }
    void clear() { size_ = 0; }

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    const T* data() const { return reinterpret_cast<const T*>(heap_ ? heap_.get() : inline_); }
    T* data() { return reinterpret_cast<T*>(storage()); }
    const T* begin() const { return data(); }
    const T* end() const { return data() + size_; }
    T* begin() { return data(); }
    T* end() { return data() + size_; }
    const T& operator[](std::size_t i) const { return data()[i]; }
    T& operator[](std::size_t i) { return data()[i]; }
    const T& back() const { return data()[size_ - 1]; }
    operator std::span<const T>() const { return {data(), size_}; }

private:
    std::uint8_t* storage() { return heap_ ? heap_.get() : inline_; }
    void grow() {
        recycled::bytes bigger(capacity_ * 2 * sizeof(T));
        std::memcpy(bigger.get(), storage(), size_ * sizeof(T));
        heap_ = std::move(bigger);
        capacity_ *= 2;
    }
    void assign(const small_vector& other) {
        for (const T& value : other) push_back(value);
    }
    void take(small_vector& other) {
        if (other.heap_) {
            heap_ = std::move(other.heap_);
            capacity_ = std::exchange(other.capacity_, N);
            size_ = std::exchange(other.size_, 0);
        } else {
            size_ = std::exchange(other.size_, 0);
            if (size_ != 0) std::memcpy(storage(), other.inline_, size_ * sizeof(T));
        }
    }

    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = N;
    recycled::bytes heap_;
    alignas(T) std::uint8_t inline_[N * sizeof(T)];
};

}  // namespace tandem
