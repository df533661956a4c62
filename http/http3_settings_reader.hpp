// Whether a server's SETTINGS (RFC 9114 7.2.4) offer extended CONNECT (RFC 9220 3), which nghttp3 does not tell its clients.
// Everything else about them, their form too, is nghttp3's business. A private part of the HTTP/3 client.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>

namespace tandem::http {

class http3_settings_reader {
public:
    // Bytes of one of the server's unidirectional streams, in order. False if the setting has a value it may not have.
    bool feed(std::uint64_t stream, std::span<const std::uint8_t> bytes);
    // Nothing before the whole frame came.
    std::optional<bool> extended_connect() const { return extended_connect_; }

private:
    enum class stage : std::uint8_t { stream_type, frame_type, length, identifier, value, done };
    // Where a stream is, in the middle of a variable-length integer.
    struct cursor {
        stage at = stage::stream_type;
        std::array<std::uint8_t, 8> held{};
        std::size_t count = 0;
        std::uint64_t left = 0;  // bytes of the frame
        std::uint64_t identifier = 0;
        bool offered = false;
    };
    bool take(cursor& c, std::uint64_t value, std::size_t size);

    std::map<std::uint64_t, cursor> streams_;  // bounded by what the transport lets the server open
    std::optional<bool> extended_connect_;
};

}  // namespace tandem::http
