#include <tandem/quic/error.hpp>

#include <array>
#include <cstdio>

namespace tandem::quic {
namespace {

constexpr std::array<std::string_view, 18> names{"NO_ERROR",
                                                 "INTERNAL_ERROR",
                                                 "CONNECTION_REFUSED",
                                                 "FLOW_CONTROL_ERROR",
                                                 "STREAM_LIMIT_ERROR",
                                                 "STREAM_STATE_ERROR",
                                                 "FINAL_SIZE_ERROR",
                                                 "FRAME_ENCODING_ERROR",
                                                 "TRANSPORT_PARAMETER_ERROR",
                                                 "CONNECTION_ID_LIMIT_ERROR",
                                                 "PROTOCOL_VIOLATION",
                                                 "INVALID_TOKEN",
                                                 "APPLICATION_ERROR",
                                                 "CRYPTO_BUFFER_EXCEEDED",
                                                 "KEY_UPDATE_ERROR",
                                                 "AEAD_LIMIT_REACHED",
                                                 "NO_VIABLE_PATH",
                                                 "VERSION_NEGOTIATION_ERROR"};

// The alerts that a handshake over QUIC meets in practice (RFC 8446 6).
std::string_view alert_name(std::uint64_t alert) {
    switch (alert) {
        case 40:
            return "handshake_failure";
        case 42:
            return "bad_certificate";
        case 43:
            return "unsupported_certificate";
        case 44:
            return "certificate_revoked";
        case 45:
            return "certificate_expired";
        case 46:
            return "certificate_unknown";
        case 47:
            return "illegal_parameter";
        case 48:
            return "unknown_ca";
        case 49:
            return "access_denied";
        case 50:
            return "decode_error";
        case 51:
            return "decrypt_error";
        case 70:
            return "protocol_version";
        case 80:
            return "internal_error";
        case 109:
            return "missing_extension";
        case 112:
            return "unrecognized_name";
        case 116:
            return "certificate_required";
        case 120:
            return "no_application_protocol";
        default:
            return {};
    }
}

std::string hexadecimal(std::uint64_t value) {
    char text[20];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

}  // namespace

std::string transport_error_name(std::uint64_t code) {
    if (code < names.size()) return std::string(names[static_cast<std::size_t>(code)]);
    if (code < 0x100 || code > 0x1ff) return hexadecimal(code);
    auto text = "CRYPTO_ERROR " + hexadecimal(code);
    const auto alert = alert_name(code - 0x100);
    return alert.empty() ? text : text + " (" + std::string(alert) + ")";
}

std::string to_string(const connection_error& e) {
    auto text = e.application ? "application error " + hexadecimal(e.code) : transport_error_name(e.code);
    if (e.frame_type != 0) text += " in frame " + hexadecimal(e.frame_type);
    if (!e.reason.empty()) text += ": " + e.reason;
    return text;
}

}  // namespace tandem::quic
