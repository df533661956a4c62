// How HTTP requests and sessions fail.
#pragma once

#include <cstdint>
#include <string>

#include <tandem/tls/error.hpp>

namespace tandem::http {

// HTTP/3 error codes (RFC 9114 8.1, RFC 9204 6).
enum class h3_error : std::uint64_t {
    no_error = 0x100,
    general_protocol_error = 0x101,
    internal_error = 0x102,
    stream_creation_error = 0x103,
    closed_critical_stream = 0x104,
    frame_unexpected = 0x105,
    frame_error = 0x106,
    excessive_load = 0x107,
    id_error = 0x108,
    settings_error = 0x109,
    missing_settings = 0x10a,
    request_rejected = 0x10b,
    request_cancelled = 0x10c,
    request_incomplete = 0x10d,
    message_error = 0x10e,
    connect_error = 0x10f,
    version_fallback = 0x110,
    datagram_error = 0x33,  // RFC 9297 5.2
    qpack_decompression_failed = 0x200,
    qpack_encoder_stream_error = 0x201,
    qpack_decoder_stream_error = 0x202,
};

// "H3_REQUEST_CANCELLED" and so on; "0x1234" for a code that has no name.
std::string h3_error_name(std::uint64_t code);

enum class failure_kind : std::uint8_t {
    rejected,         // the peer did not begin to process the request
    reset,            // the peer ended it early
    cancelled,        // this side ended it early
    malformed,        // the message broke a rule of its HTTP version
    too_large,        // the message went over a limit of this side
    body_failed,      // this side's body source could not go on
    connection_lost,  // the connection ended first
    closed,           // submitted after the session was closing
    unsupported,      // the server does not offer what the request needs: extended CONNECT (RFC 8441 3)
};

// Why one request ended without a complete response (client) or without a complete request (server).
struct request_failure {
    failure_kind kind = failure_kind::reset;
    std::uint64_t code = 0;  // HTTP/3 error code, where there is one
    bool retryable = false;  // sending it again on another connection is safe: the peer cannot have acted on it, or it is a safe
                             // method (RFC 9110 9.2.1) and no byte of the answer came
    std::string text;        // one line for a person
};

// Why a session ended. `code` is the HTTP/3 application error code (0x100, no error, for an orderly end).
struct session_error {
    std::uint64_t code = 0;
    bool by_peer = false;
    std::string text;
    tls::error_code tls = tls::error_code::none;  // what kind of TLS failure it was, if it was one
};

}  // namespace tandem::http
