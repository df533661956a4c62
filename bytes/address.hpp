// Network addresses as plain values, so that sans-IO code can name a peer without a socket library.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tandem {

// An IPv4 or IPv6 address. IPv4 is held in the first four bytes; the rest are zero.
struct ip_address {
    std::array<std::uint8_t, 16> bytes{};
    bool is_v6 = false;

    static ip_address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) { return {{a, b, c, d}, false}; }
    // Parses dotted IPv4 or RFC 5952 IPv6 text (no scope, no brackets); nothing if it is neither.
    static std::optional<ip_address> parse(std::string_view text);

    std::size_t size() const { return is_v6 ? 16 : 4; }
    std::string to_string() const;
    friend auto operator<=>(const ip_address&, const ip_address&) = default;
};

// An address and a port (host byte order): one end of a path or of a TCP connection.
struct ip_endpoint {
    ip_address address;
    std::uint16_t port = 0;

    std::string to_string() const;  // "192.0.2.1:443" or "[2001:db8::1]:443"
    friend auto operator<=>(const ip_endpoint&, const ip_endpoint&) = default;
};

// Both ends of a path, seen from here. The local end may be unspecified (all zero) where the driver does not know it.
struct ip_path {
    ip_endpoint local;
    ip_endpoint remote;

    friend auto operator<=>(const ip_path&, const ip_path&) = default;
};

std::size_t hash_value(const ip_endpoint&) noexcept;
std::size_t hash_value(const ip_path&) noexcept;

}  // namespace tandem

template <>
struct std::hash<tandem::ip_endpoint> {
    std::size_t operator()(const tandem::ip_endpoint& e) const noexcept { return tandem::hash_value(e); }
};
template <>
struct std::hash<tandem::ip_path> {
    std::size_t operator()(const tandem::ip_path& p) const noexcept { return tandem::hash_value(p); }
};
