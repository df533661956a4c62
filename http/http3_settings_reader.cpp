#include <tandem/http/http3_settings_reader.hpp>

namespace tandem::http {
namespace {

constexpr std::uint64_t control_stream = 0x00;                    // RFC 9114 6.2.1
constexpr std::uint64_t settings_frame = 0x04;                    // RFC 9114 7.2.4
constexpr std::uint64_t settings_enable_connect_protocol = 0x08;  // RFC 9220 5

}  // namespace

bool http3_settings_reader::feed(std::uint64_t stream, std::span<const std::uint8_t> bytes) {
    if (extended_connect_) return true;
    auto& c = streams_[stream];
    for (auto byte : bytes) {
        if (c.at == stage::done) return true;
        c.held[c.count++] = byte;
        const std::size_t size = std::size_t{1} << (c.held[0] >> 6);  // RFC 9000 16
        if (c.count < size) continue;
        std::uint64_t value = c.held[0] & 0x3f;
        for (std::size_t i = 1; i < size; ++i) value = value << 8 | c.held[i];
        c.count = 0;
        if (!take(c, value, size)) return false;
    }
    return true;
}

bool http3_settings_reader::take(cursor& c, std::uint64_t value, std::size_t size) {
    switch (c.at) {
        case stage::stream_type:
            c.at = value == control_stream ? stage::frame_type : stage::done;
            return true;
        case stage::frame_type:
            c.at = value == settings_frame ? stage::length : stage::done;
            return true;
        case stage::length:
            c.left = value;
            c.at = stage::identifier;
            break;
        case stage::identifier:
            c.identifier = value;
            c.left -= size < c.left ? size : c.left;
            c.at = stage::value;
            break;
        case stage::value:
            c.left -= size < c.left ? size : c.left;
            c.at = stage::identifier;
            if (c.identifier != settings_enable_connect_protocol) break;
            if (value > 1) return false;
            c.offered = value == 1;
            break;
        case stage::done:
            break;
    }
    if (c.left == 0 && c.at == stage::identifier) {
        c.at = stage::done;
        extended_connect_ = c.offered;
    }
    return true;
}

}  // namespace tandem::http
