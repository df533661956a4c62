// Which messages may begin a stream of capsules, and how they say that they do (RFC 9297 3.2, 3.4).
#pragma once

#include <string_view>

#include <tandem/http/limits.hpp>
#include <tandem/http/message.hpp>

namespace tandem::http {

// Whether a server takes HTTP datagrams with requests for this protocol (limits::datagram_protocols).
bool has_datagrams(const limits&, std::string_view protocol);

// Capsule-Protocol: ?1, for those between client and server; who speaks the protocol knows it by what the stream was asked for.
void say_capsule_protocol(fields&);
// Whether a message says so. A value that is no Boolean of Structured Fields (RFC 9651) counts as none; parameters are ignored.
bool says_capsule_protocol(const fields&);

// What makes a message that begins such a stream malformed, or empty: Content-Length, Content-Type and Transfer-Encoding; in an
// answer, which is one with 101 or 2xx, also the statuses 204, 205 and 206 (RFC 9297 3.2).
std::string_view wrong_with_capsules(const fields&);
std::string_view wrong_with_capsules(const response&);

}  // namespace tandem::http
