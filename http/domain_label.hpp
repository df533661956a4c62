// Labels of domain names (RFC 1035 2.3.1, 3.1), for those who read names off the wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace tandem::http {

constexpr std::size_t longest_label = 63;
constexpr std::size_t longest_name = 253;  // as text; 255 on the wire

// Adds a label in lower case, behind a dot if there are others. False if it is none of a host's, or the name becomes too long.
inline bool append_label(std::string& name, std::span<const std::uint8_t> label) {
    if (label.empty() || label.size() > longest_label || name.size() + label.size() + 1 > longest_name + (name.empty() ? 1 : 0))
        return false;
    if (!name.empty()) name += '.';
    for (const auto byte : label) {
        const auto c = byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : static_cast<char>(byte);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) return false;
        name += c;
    }
    return true;
}

}  // namespace tandem::http
