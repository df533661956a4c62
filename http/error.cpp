#include <tandem/http/error.hpp>

#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

namespace tandem::http {

std::string h3_error_name(std::uint64_t code) {
    using enum h3_error;
    static constexpr std::array<std::pair<h3_error, std::string_view>, 21> names{{
        {no_error, "H3_NO_ERROR"},
        {general_protocol_error, "H3_GENERAL_PROTOCOL_ERROR"},
        {internal_error, "H3_INTERNAL_ERROR"},
        {stream_creation_error, "H3_STREAM_CREATION_ERROR"},
        {closed_critical_stream, "H3_CLOSED_CRITICAL_STREAM"},
        {frame_unexpected, "H3_FRAME_UNEXPECTED"},
        {frame_error, "H3_FRAME_ERROR"},
        {excessive_load, "H3_EXCESSIVE_LOAD"},
        {id_error, "H3_ID_ERROR"},
        {settings_error, "H3_SETTINGS_ERROR"},
        {missing_settings, "H3_MISSING_SETTINGS"},
        {request_rejected, "H3_REQUEST_REJECTED"},
        {request_cancelled, "H3_REQUEST_CANCELLED"},
        {request_incomplete, "H3_REQUEST_INCOMPLETE"},
        {message_error, "H3_MESSAGE_ERROR"},
        {connect_error, "H3_CONNECT_ERROR"},
        {version_fallback, "H3_VERSION_FALLBACK"},
        {datagram_error, "H3_DATAGRAM_ERROR"},
        {qpack_decompression_failed, "QPACK_DECOMPRESSION_FAILED"},
        {qpack_encoder_stream_error, "QPACK_ENCODER_STREAM_ERROR"},
        {qpack_decoder_stream_error, "QPACK_DECODER_STREAM_ERROR"},
    }};
    for (auto [value, name] : names) {
        if (static_cast<std::uint64_t>(value) == code) return std::string(name);
    }
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(code));
    return text;
}

}  // namespace tandem::http
