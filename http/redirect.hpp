// What a client does with a redirection (RFC 9110 15.4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <tandem/http/message.hpp>
#include <tandem/http/url.hpp>

namespace tandem::http {

// The URL that a reference (of a Location field, say) means on a page at `base` (RFC 3986 5.2). On error returns nothing and says
// what is wrong.
std::optional<url> resolve_reference(const url& base, std::string_view reference, std::string& why);

struct redirection {
    url to;
    std::string method;
    bool drops_body = false;    // and the fields that describe it
    bool other_origin = false;  // credentials must not go there
};

// Where a response sends the client; nothing if it is no redirection that a client follows by itself, or names no URL it can use.
// As browsers do, 301 and 302 make a GET of a POST; 303 makes one of all but HEAD; 307 and 308 keep method and body.
std::optional<redirection> redirection_of(const url& asked, std::string_view method, const response& answer);

// Takes out of a request's fields what must not go along.
void strip_fields(fields& list, const redirection& r);

}  // namespace tandem::http
