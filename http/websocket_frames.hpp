// WebSocket frames (RFC 6455 5): their headers, and the masking of what a client sends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tandem::http {

enum class websocket_opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

constexpr bool is_control(websocket_opcode code) { return static_cast<std::uint8_t>(code) >= 8; }

using websocket_mask = std::array<std::uint8_t, 4>;

struct websocket_frame {
    websocket_opcode opcode = websocket_opcode::text;
    bool fin = true;  // the last frame of its message
    std::uint64_t length = 0;
    std::optional<websocket_mask> mask;
    friend bool operator==(const websocket_frame&, const websocket_frame&) = default;
};

constexpr std::size_t max_websocket_header = 14;
constexpr std::size_t max_websocket_control = 125;  // bytes of a control frame's payload (RFC 6455 5.5)

struct websocket_header {
    websocket_frame frame;
    std::size_t size = 0;      // of the header; 0: it is not complete
    std::string_view problem;  // what is wrong with it, as soon as that is known
};
// A header at the beginning of `bytes`. No extension is known, so the reserved bits are zero.
websocket_header parse_websocket_header(std::span<const std::uint8_t> bytes);
// Returns the header's size; the length is written in the shortest form.
std::size_t write_websocket_header(std::span<std::uint8_t, max_websocket_header> out, const websocket_frame& frame);

// RFC 6455 5.3, both ways. `offset`: of the first byte in the frame's payload.
void apply_websocket_mask(std::span<std::uint8_t> payload, const websocket_mask& mask, std::uint64_t offset);

}  // namespace tandem::http
