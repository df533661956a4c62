// Numbers with units, as people write them on a command line and read them in a table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/bytes/time.hpp>

namespace tandem::compare {

// All take a number (decimals allowed) and a unit; nothing if the text is anything else, negative or too large.
std::optional<std::uint64_t> parse_bytes(std::string_view);  // "1500", "100KB" (1000), "64KiB" (1024), "1.5MB", "2GB"
std::optional<std::uint64_t> parse_rate(std::string_view);   // "10Mbit", "500kbit/s", "1Gbit", "10Mbps", "0": bits per second
std::optional<duration> parse_duration(std::string_view);    // "40ms", "1.5s", "250us", "0"
std::optional<double> parse_share(std::string_view);         // "1%", "0.5%", "0.01": 0..1; a bare number above 1 is refused
// "4x100KB", "1x50KB,6x20KB", "50KB,20KB": the sizes one by one; nothing if a part is wrong, or there are none or too many.
std::optional<std::vector<std::uint64_t>> parse_page(std::string_view, std::size_t max_objects, std::uint64_t max_bytes);

std::string format_bytes(std::uint64_t);   // "50 KB", "1.5 MB"
std::string format_rate(std::uint64_t);    // "10 Mbit/s"
std::string format_ms(duration);           // "40 ms", "0.25 ms"
std::string format_percent(double share);  // "1 %", "0.1 %"
// A number with at most `digits` decimals and no trailing zeros; the same text on every machine.
std::string format_number(double value, int digits);
std::string format_fixed(double value, int digits);

}  // namespace tandem::compare
