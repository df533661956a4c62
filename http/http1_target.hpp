// From an HTTP/1.1 head to a request (RFC 9112 3). A private part of the server session.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <tandem/http/http1_parser.hpp>
#include <tandem/http/message.hpp>

namespace tandem::http {

// The first of the `offered` protocols that the request asks to switch to (RFC 9110 7.8), or nothing: it may be overlooked, and
// is where the request has a body, which would come first.
std::string http1_upgrade_of(const http1_head&, std::span<const std::string> offered);

// Nothing if the target or the Host field are not as they must be; then `problem` says what a server answers.
std::optional<request> http1_request_of(const http1_head& head, std::string_view scheme, http1_error& problem);

}  // namespace tandem::http
