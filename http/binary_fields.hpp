// Messages as field lines with pseudo-header fields: what HTTP/2 (RFC 9113 8.3) and HTTP/3 (RFC 9114 4.3) have in common. A private
// part of their sessions.
#pragma once

#include <string_view>
#include <vector>

#include <tandem/http/body.hpp>
#include <tandem/http/message.hpp>

namespace tandem::http {

// The pseudo-header fields first, then the others, the length of the body if it is known, and the priority.
std::vector<field> request_lines(const request&, const body_source* body);
// `request_method` tells whether a Content-Length without a body is one of the answer to HEAD.
std::vector<field> response_lines(const response&, const body_source* body, std::string_view request_method);

// What the framing library does not look at: Host against :authority (which is filled in from Host, and Host removed), :path. The
// text says what is wrong, or is empty.
std::string_view malformed(request&);
// A cookie may come in several lines, to be joined before anybody looks at it (RFC 9113 8.2.3, RFC 9114 4.2.1).
void join_cookies(fields&);

bool is_safe_method(std::string_view method);  // RFC 9110 9.2.1

}  // namespace tandem::http
