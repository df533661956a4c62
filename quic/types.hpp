// The nouns of QUIC that every part of it uses: identifiers, sides, levels, versions (RFC 9000 1.2, 2.1, 5.1, 12.3).
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

namespace tandem::quic {

// Which end of the connection we (or whoever is spoken of) are.
enum class perspective : std::uint8_t { client, server };
constexpr perspective peer_of(perspective side) {
    return side == perspective::client ? perspective::server : perspective::client;
}

// RFC 9000 15. Values on the wire; any 32-bit number may appear.
enum class version : std::uint32_t { negotiation = 0, v1 = 1, v2 = 0x6b3343cf };

// A packet's protection, and with it what frames it may carry (RFC 9000 12.4 Table 3).
enum class encryption_level : std::uint8_t { initial, zero_rtt, handshake, one_rtt };

// RFC 9000 12.3: 0-RTT and 1-RTT packets share the application data space.
enum class packet_space_id : std::uint8_t { initial, handshake, application };
constexpr std::size_t packet_space_count = 3;

constexpr packet_space_id space_of(encryption_level level) {
    switch (level) {
        case encryption_level::initial:
            return packet_space_id::initial;
        case encryption_level::handshake:
            return packet_space_id::handshake;
        default:
            return packet_space_id::application;
    }
}

// 0 to 2^62-1. One packet space owns its numbers and its recovery log, so numbers of different spaces never meet.
using packet_number = std::uint64_t;

enum class direction : std::uint8_t { bidirectional, unidirectional };

// RFC 9000 2.1: the two lowest bits say who opened the stream and whether it has one direction or two.
struct stream_id {
    std::uint64_t value = 0;

    constexpr stream_id() = default;
    constexpr explicit stream_id(std::uint64_t v) : value(v) {}
    // The index-th stream (from 0) that `initiator` opens of this kind.
    static constexpr stream_id make(perspective initiator, direction kind, std::uint64_t index) {
        return stream_id{index << 2 | (kind == direction::unidirectional ? 2U : 0U) |
                         (initiator == perspective::server ? 1U : 0U)};
    }

    constexpr perspective initiator() const { return value & 1 ? perspective::server : perspective::client; }
    constexpr direction kind() const { return value & 2 ? direction::unidirectional : direction::bidirectional; }
    constexpr std::uint64_t index() const { return value >> 2; }
    friend constexpr auto operator<=>(const stream_id&, const stream_id&) = default;
};

// 0 to 20 bytes (RFC 9000 17.2); a value, never on the heap.
class connection_id {
public:
    static constexpr std::size_t max_size = 20;

    constexpr connection_id() = default;
    // At most max_size bytes; the rest of a longer span is ignored (parsers refuse it before).
    explicit connection_id(std::span<const std::uint8_t> bytes)
        : size_(static_cast<std::uint8_t>(std::min(bytes.size(), max_size))) {
        std::copy_n(bytes.begin(), size_, bytes_.begin());
    }

    std::span<const std::uint8_t> bytes() const { return {bytes_.data(), size_}; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    friend auto operator<=>(const connection_id&, const connection_id&) = default;  // unused bytes are zero

private:
    std::uint8_t size_ = 0;
    std::array<std::uint8_t, max_size> bytes_{};
};

// RFC 9000 10.3.
using stateless_reset_token = std::array<std::uint8_t, 16>;

}  // namespace tandem::quic

template <>
struct std::hash<tandem::quic::stream_id> {
    std::size_t operator()(const tandem::quic::stream_id& id) const noexcept { return std::hash<std::uint64_t>{}(id.value); }
};
// Not keyed: a table of connection IDs that a peer chose must mix in a secret of its own.
template <>
struct std::hash<tandem::quic::connection_id> {
    std::size_t operator()(const tandem::quic::connection_id& id) const noexcept {
        return std::hash<std::string_view>{}({reinterpret_cast<const char*>(id.bytes().data()), id.size()});
    }
};
