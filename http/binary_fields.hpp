// Messages as field lines with pseudo-header fields: what HTTP/2 (RFC 9113 8.3) and HTTP/3 (RFC 9114 4.3) have in common. A
// private part of their sessions.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include <tandem/http/body.hpp>
#include <tandem/http/message.hpp>

namespace tandem::http {

// The pseudo-header fields first, then the others, the length of the body if it is known, and the priority.
std::vector<field> request_lines(const request&, const body_source* body);
// `request_method` tells whether a Content-Length without a body is one of the answer to HEAD.
std::vector<field> response_lines(response&&, const body_source* body, std::string_view request_method);

std::vector<field> interim_lines(const response&);

// What the sessions make of a response to be sent: 500 of one that may not be; of 101 to a request for another protocol what
// accepts it, true then; 501 where a 2xx would accept it unawares (RFC 8441 5). Without its body where it was changed.
bool prepare(response&, std::unique_ptr<body_source>& body, bool asks_tunnel);
// A response that came, to a request for another protocol: 2xx accepts it, told as 101.
bool take_switch(response&);

// What the framing library does not look at: Host against :authority (which is filled in from Host, and Host removed), :path. The
// text says what is wrong, or is empty.
std::string_view malformed(request&);
// A cookie may come in several lines, to be joined before anybody looks at it (RFC 9113 8.2.3, RFC 9114 4.2.1).
void join_cookies(fields&);

bool is_safe_method(std::string_view method);  // RFC 9110 9.2.1

}  // namespace tandem::http
