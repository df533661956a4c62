#include <tandem/http/websocket_frames.hpp>

#include <algorithm>
#include <cstring>

namespace tandem::http {
namespace {

constexpr std::uint8_t fin_bit = 0x80;
constexpr std::uint8_t reserved_bits = 0x70;
constexpr std::uint8_t mask_bit = 0x80;
constexpr std::uint8_t length_16 = 126;
constexpr std::uint8_t length_64 = 127;

std::uint64_t big_endian(std::span<const std::uint8_t> bytes) {
    std::uint64_t value = 0;
    for (auto b : bytes) value = value << 8 | b;
    return value;
}

bool is_known(std::uint8_t opcode) { return opcode <= 2 || (opcode >= 8 && opcode <= 10); }

// What the first two bytes say.
std::string_view problem_of(std::uint8_t first, std::uint8_t second) {
    const auto opcode = static_cast<std::uint8_t>(first & 0x0f);
    if (first & reserved_bits) return "a reserved bit is set";
    if (!is_known(opcode)) return "a reserved opcode";
    if (is_control(websocket_opcode{opcode})) {
        if (!(first & fin_bit)) return "a control frame is fragmented";
        if ((second & 0x7f) > max_websocket_control) return "a control frame is too long";
    }
    return {};
}

}  // namespace

websocket_header parse_websocket_header(std::span<const std::uint8_t> bytes) {
    websocket_header out;
    if (bytes.size() < 2) return out;
    out.problem = problem_of(bytes[0], bytes[1]);
    if (!out.problem.empty()) return out;
    const auto code = static_cast<std::uint8_t>(bytes[1] & 0x7f);
    const bool masked = (bytes[1] & mask_bit) != 0;
    const std::size_t extended = code == length_16 ? 2 : code == length_64 ? 8 : 0;
    const std::size_t size = 2 + extended + (masked ? 4 : 0);
    if (bytes.size() < 2 + extended) return out;
    out.frame.opcode = websocket_opcode{static_cast<std::uint8_t>(bytes[0] & 0x0f)};
    out.frame.fin = (bytes[0] & fin_bit) != 0;
    out.frame.length = extended == 0 ? code : big_endian(bytes.subspan(2, extended));
    if (out.frame.length >> 63) out.problem = "a length of more than 63 bits";
    const std::uint64_t least = extended == 2 ? 126 : extended == 8 ? 65536 : 0;  // RFC 6455 5.2: the minimal number of bytes
    if (out.frame.length < least) out.problem = "a length is not in its shortest form";
    if (!out.problem.empty() || bytes.size() < size) return out;
    if (masked) {
        out.frame.mask.emplace();
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(2 + extended), 4, out.frame.mask->begin());
    }
    out.size = size;
    return out;
}

std::size_t write_websocket_header(std::span<std::uint8_t, max_websocket_header> out, const websocket_frame& frame) {
    const auto length = frame.length;
    const std::size_t extended = length < length_16 ? 0 : length < 65536 ? 2 : 8;
    out[0] = static_cast<std::uint8_t>((frame.fin ? fin_bit : 0) | static_cast<std::uint8_t>(frame.opcode));
    const auto code = extended == 0 ? static_cast<std::uint8_t>(length) : extended == 2 ? length_16 : length_64;
    out[1] = static_cast<std::uint8_t>((frame.mask ? mask_bit : 0) | code);
    for (std::size_t i = 0; i < extended; ++i) out[2 + i] = static_cast<std::uint8_t>(length >> (8 * (extended - 1 - i)));
    if (!frame.mask) return 2 + extended;
    std::copy_n(frame.mask->begin(), 4, out.begin() + static_cast<std::ptrdiff_t>(2 + extended));
    return 2 + extended + 4;
}

void apply_websocket_mask(std::span<std::uint8_t> payload, const websocket_mask& mask, std::uint64_t offset) {
    std::array<std::uint8_t, 8> key;
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = mask[(offset + i) % 4];
    std::uint64_t wide = 0;
    std::memcpy(&wide, key.data(), sizeof wide);
    std::size_t i = 0;
    for (; payload.size() - i >= sizeof wide; i += sizeof wide) {
        std::uint64_t word = 0;
        std::memcpy(&word, payload.data() + i, sizeof word);
        word ^= wide;
        std::memcpy(payload.data() + i, &word, sizeof word);
    }
    for (; i < payload.size(); ++i) payload[i] ^= key[i % 4];
}

}  // namespace tandem::http
