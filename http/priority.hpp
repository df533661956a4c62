// Extensible priorities (RFC 9218): what the priority field and PRIORITY_UPDATE carry.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tandem::http {

struct priority {
    std::uint8_t urgency = 3;  // 0 (most urgent) to 7
    bool incremental = false;  // parts of it are of use: share the connection with others of the same urgency

    friend bool operator==(const priority&, const priority&) = default;
};

// Parses a structured-field dictionary (RFC 8941 3.2); members and values it does not know are skipped, a malformed field
// gives the defaults (RFC 9218 4: ignore).
priority parse_priority(std::string_view value);

// "u=1, i"; members with their default value are left out, so it may be empty.
std::string to_string(const priority&);

}  // namespace tandem::http
