// How a request of an HTTP client fails, sorted by what a person would do about it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/system/error_code.hpp>

#include <tandem/quic/event.hpp>

namespace tandem::net {

enum class failure_class : std::uint8_t {
    resolve,      // the host name has no address
    refused,      // nobody listens there
    unreachable,  // no route, or the network says so
    timed_out,    // no answer in time
    tls,          // the handshake failed
    certificate,  // the server's certificate is not accepted
    protocol,     // the peer broke a rule of its protocol, or speaks none of ours
    lost,         // the connection ended, or the request was reset, before the answer was complete
    redirects,    // there was no end to the redirections
    coding,       // the content coding of the body is broken
    unsupported,  // the server does not offer what the request needs
    cancelled,    // this side gave up: the sink did not want more, or the client was destroyed
};

std::string_view to_string(failure_class);

struct http_error {
    failure_class kind = failure_class::lost;
    std::string text;        // one line for a person, without a final full stop
    bool retryable = false;  // the server cannot have acted on the request
};

// For those who give their users error codes.
boost::system::error_code to_error_code(const http_error&);
// Errors of sockets.
failure_class classify(const boost::system::error_code&);
// Why a client's QUIC connection ended.
http_error describe(const quic::connection_closed&);

}  // namespace tandem::net
