// Messages as field lines with pseudo-header fields: what HTTP/2 (RFC 9113 8.3) and HTTP/3 (RFC 9114 4.3) have in common. A
// private part of their sessions.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tandem/bytes/recycled.hpp>
#include <tandem/http/body.hpp>
#include <tandem/http/message.hpp>

namespace tandem::http {

// The lines of a message in the order in which they are sent: the pseudo-header fields first, then the others, the length of the
// body if it is known, and the priority. Views of the message and of what is made here: valid while both stay where they are.
class message_lines {
public:
    message_lines(const request&, const body_source* body);
    // `request_method` tells whether a Content-Length without a body is one of the answer to HEAD.
    message_lines(const response&, const body_source* body, std::string_view request_method);
    explicit message_lines(const response& interim);
    message_lines(const message_lines&) = delete;
    message_lines& operator=(const message_lines&) = delete;

    auto begin() const { return lines_.begin(); }
    auto end() const { return lines_.end(); }
    std::size_t size() const { return lines_.size(); }

private:
    void add_status(int status);
    void add_length(std::uint64_t length);

    std::vector<field, recycled::allocator<field>> lines_;
    std::array<char, 4> status_{};
    std::array<char, 20> length_{};
    std::string priority_;
};

// The head of a response that a session's library still points into.
struct sent_head : recycled::object {
    sent_head(response&& r, const body_source* body, std::string_view request_method)
        : message(std::move(r)), lines(message, body, request_method) {}
    response message;
    message_lines lines;
};

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
