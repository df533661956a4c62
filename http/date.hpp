// HTTP dates (RFC 9110 5.6.7).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::http {

// "Sun, 06 Nov 1994 08:49:37 GMT" for seconds since 1970-01-01 UTC (0 to the end of the year 9999).
std::string format_date(std::int64_t seconds);

// Any of the three formats a recipient must accept: IMF-fixdate, RFC 850's and asctime's. `now` decides the century of a
// two-digit year: one that seems more than 50 years ahead is in the past.
std::optional<std::int64_t> parse_date(std::string_view text, std::int64_t now);

}  // namespace tandem::http
