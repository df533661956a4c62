// Segments as text, as in tests/tcp/script.hpp.
#pragma once

#include <string>

#include <tandem/tcp/segment.hpp>

namespace tandem::tcp::test {

struct segment_text {
    tcp::segment segment;   // without payload
    std::size_t bytes = 0;  // of payload
    bool has_ack = false;
    bool has_window = false;
    bool has_mark = false;
    ecn mark = ecn::not_ect;  // "ecn N", N as in the IP header
    bool has_options = false;
};

segment_text parse_text(const std::string& text);  // throws std::invalid_argument
std::string to_text(const segment& s);

}  // namespace tandem::tcp::test
