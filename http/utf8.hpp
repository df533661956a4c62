// Whether text that comes in pieces is UTF-8 (RFC 3629).
#pragma once

#include <cstdint>
#include <span>

namespace tandem::http {

class utf8_check {
public:
    // False as soon as no continuation could make it right; the object is of no use then.
    bool feed(std::span<const std::uint8_t> text);
    // Not in the middle of a character.
    bool complete() const { return missing_ == 0; }

private:
    std::uint8_t missing_ = 0;  // bytes of the character under way
    std::uint8_t low_ = 0x80;   // what its next byte may be: no overlong forms, no surrogates, nothing above U+10FFFF
    std::uint8_t high_ = 0xbf;
};

bool is_utf8(std::span<const std::uint8_t> text);

}  // namespace tandem::http
