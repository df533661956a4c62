// The part of URLs that an HTTP client and a file server need (RFC 3986, RFC 9110 4.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::http {

// An http or https URL, taken apart.
struct url {
    std::string scheme;      // "http" or "https"
    std::string host;        // lower case; IPv6 literals without brackets
    std::uint16_t port = 0;  // the scheme's own where none is given
    std::string path = "/";  // with the query; begins with '/'

    bool default_port() const { return port == (scheme == "https" ? 443 : 80); }
    std::string authority() const;  // "host" or "host:port", brackets around IPv6 literals
    std::string origin() const;     // "https://host:port", always with the port
    std::string to_string() const;
    std::string_view file_name() const;  // last segment of the path, without the query; may be empty
};

// Parses an absolute URL, or one without a scheme ("example.org/a"), which means https. A fragment is dropped; spaces and
// bytes above 0x7e in the path are percent-encoded. On error returns nothing and says what is wrong.
std::optional<url> parse_url(std::string_view text, std::string& why);

// Undoes percent-encoding; nothing if a '%' is not followed by two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text);
// Encodes everything but unreserved characters (RFC 3986 2.3): fit for one segment of a path.
std::string percent_encode(std::string_view text);

}  // namespace tandem::http
