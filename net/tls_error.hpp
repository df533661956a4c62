// Errors of TLS streams as boost::system::error_code.
#pragma once

#include <type_traits>

#include <boost/system/error_code.hpp>

namespace tandem::net {

enum class tls_error {
    failed = 1,   // the peer broke TLS, or sent a fatal alert
    certificate,  // the peer's certificate was not accepted
    truncated,    // the stream ended without close_notify: what was read may not be all
    option,       // the session could not be made: an option that makes no sense
};

const boost::system::error_category& tls_category();
inline boost::system::error_code make_error_code(tls_error e) { return {static_cast<int>(e), tls_category()}; }

}  // namespace tandem::net

template <>
struct boost::system::is_error_code_enum<tandem::net::tls_error> : std::true_type {};
