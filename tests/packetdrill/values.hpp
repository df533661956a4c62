// The names and numbers of scripts: constants of the system's headers, members of TCP_INFO.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tandem::packetdrill {

// "O_RDWR|O_NONBLOCK", "0x10", "-1", "POLLIN": nothing if a name is not known.
std::optional<std::int64_t> evaluate(const std::string& text);

// Whether `assert A == 1 and B < 2, message` holds for a struct tcp_info; `why` says what does not.
bool holds(const std::string& assertion, const std::vector<std::uint8_t>& information, std::string& why);

}  // namespace tandem::packetdrill
