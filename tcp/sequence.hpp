// Sequence numbers: 32 bits on the wire, 64 inside. The low 32 bits of an inside number are the wire's, so that writing one is a
// cast; the initial number gets bit 32, so that a number a little older than it does not fall below zero.
#pragma once

#include <cstdint>

namespace tandem::tcp {

constexpr std::uint64_t first_sequence(std::uint32_t initial) { return (std::uint64_t{1} << 32) | initial; }

constexpr std::uint32_t on_wire(std::uint64_t sequence) { return static_cast<std::uint32_t>(sequence); }

// The number within 2^31 of `near` that looks like `wire` (RFC 9293 3.4: arithmetic modulo 2^32).
constexpr std::uint64_t unwrap(std::uint32_t wire, std::uint64_t near) {
    return near + static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(wire - on_wire(near))));
}

}  // namespace tandem::tcp
