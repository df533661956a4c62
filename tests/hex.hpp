// Bytes from hexadecimal text, for tests.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::test {

using byte_vector = std::vector<std::uint8_t>;

// Spaces are ignored.
inline byte_vector from_hex(std::string_view text) {
    byte_vector out;
    int high = -1;
    for (char c : text) {
        if (c == ' ') continue;
        auto digit = std::string_view("0123456789abcdef").find(c);
        if (digit == std::string_view::npos) throw std::invalid_argument("not hexadecimal");
        if (high < 0) {
            high = static_cast<int>(digit);
        } else {
            out.push_back(static_cast<std::uint8_t>(high << 4 | static_cast<int>(digit)));
            high = -1;
        }
    }
    return out;
}

inline std::string to_hex(std::span<const std::uint8_t> bytes) {
    std::string out;
    for (auto b : bytes) {
        out += "0123456789abcdef"[b >> 4];
        out += "0123456789abcdef"[b & 15];
    }
    return out;
}

inline byte_vector from_text(std::string_view text) { return {text.begin(), text.end()}; }

}  // namespace tandem::test
