// Connection errors: the codes of RFC 9000 20 and the value that carries one to CONNECTION_CLOSE.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tandem::quic {

// RFC 9000 20.1.
enum class transport_error : std::uint64_t {
    no_error = 0x00,
    internal_error = 0x01,
    connection_refused = 0x02,
    flow_control_error = 0x03,
    stream_limit_error = 0x04,
    stream_state_error = 0x05,
    final_size_error = 0x06,
    frame_encoding_error = 0x07,
    transport_parameter_error = 0x08,
    connection_id_limit_error = 0x09,
    protocol_violation = 0x0a,
    invalid_token = 0x0b,
    application_error = 0x0c,
    crypto_buffer_exceeded = 0x0d,
    key_update_error = 0x0e,
    aead_limit_reached = 0x0f,
    no_viable_path = 0x10,
    version_negotiation_error = 0x11,  // RFC 9368 4
    crypto_error = 0x0100,             // plus a TLS alert: 0x0100 to 0x01ff
};

// The code of a TLS alert (RFC 9001 4.8).
constexpr std::uint64_t crypto_error_code(std::uint8_t alert) {
    return static_cast<std::uint64_t>(transport_error::crypto_error) + alert;
}

// Why a connection ends, as it goes into (or came in) a CONNECTION_CLOSE frame.
struct connection_error {
    std::uint64_t code = 0;
    std::uint64_t frame_type = 0;  // the frame that caused it; 0 if unknown (RFC 9000 19.19)
    std::string reason;            // UTF-8, for people; may be empty
    bool application = false;      // code belongs to the application protocol (frame type 0x1d)

    static connection_error transport(transport_error code, std::uint64_t frame_type, std::string_view reason) {
        return {static_cast<std::uint64_t>(code), frame_type, std::string(reason), false};
    }
    bool is(transport_error e) const { return !application && code == static_cast<std::uint64_t>(e); }
    friend bool operator==(const connection_error&, const connection_error&) = default;
};

// "FLOW_CONTROL_ERROR", "CRYPTO_ERROR 0x128 (handshake_failure)", or the number in hexadecimal.
std::string transport_error_name(std::uint64_t code);
// One line: name or application code, frame type if known, reason.
std::string to_string(const connection_error&);

}  // namespace tandem::quic
