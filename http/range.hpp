// Byte ranges (RFC 9110 14).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tandem/bytes/range_set.hpp>

namespace tandem::http {

// What a Range field asks of a representation of a given size.
struct range_request {
    enum class kind : std::uint8_t {
        whole,  // no field, another unit, malformed, or several ranges: answer 200 with everything (RFC 9110 14.2 allows it)
        part,   // answer 206 with `bytes`
        unsatisfiable,  // answer 416 (RFC 9110 15.5.17)
    };
    kind what = kind::whole;
    range bytes;  // half-open
};

// `field` is the Range field's value; `size` the length of the representation in bytes.
range_request parse_range(std::string_view field, std::uint64_t size);

// Content-Range values: "bytes 0-99/1234" and "bytes */1234" (RFC 9110 14.4).
std::string content_range(range bytes, std::uint64_t size);
std::string content_range_unsatisfied(std::uint64_t size);

// What a client learns from a 206 answer's Content-Range; nothing if it is malformed or does not name the bytes.
struct content_range_value {
    range bytes;
    std::optional<std::uint64_t> size;
};
std::optional<content_range_value> parse_content_range(std::string_view field);

}  // namespace tandem::http
