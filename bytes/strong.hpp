// Integers that are types of their own: a stream ID does not compare with a packet number.
#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <functional>

namespace tandem {

// struct packet_number_tag; using packet_number = strong<std::uint64_t, packet_number_tag>;
// Compares, counts up, and yields plain differences; anything else goes through value().
template <std::integral Int, class Tag>
class strong {
public:
    using value_type = Int;

    constexpr strong() = default;
    constexpr explicit strong(Int value) : value_(value) {}

    constexpr Int value() const { return value_; }

    friend constexpr auto operator<=>(strong, strong) = default;
    friend constexpr Int operator-(strong a, strong b) { return static_cast<Int>(a.value_ - b.value_); }
    friend constexpr strong operator+(strong a, Int n) { return strong(static_cast<Int>(a.value_ + n)); }
    friend constexpr strong operator-(strong a, Int n) { return strong(static_cast<Int>(a.value_ - n)); }
    constexpr strong& operator++() {
        ++value_;
        return *this;
    }
    constexpr strong operator++(int) { return strong(value_++); }
    constexpr strong& operator+=(Int n) {
        value_ = static_cast<Int>(value_ + n);
        return *this;
    }

private:
    Int value_ = 0;
};

}  // namespace tandem

template <class Int, class Tag>
struct std::hash<tandem::strong<Int, Tag>> {
    std::size_t operator()(tandem::strong<Int, Tag> s) const noexcept { return std::hash<Int>{}(s.value()); }
};
