#include <tandem/bytes/json_text.hpp>

#include <charconv>

namespace tandem {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

// Bytes of the UTF-8 character that the text begins with (RFC 3629); 0 if it begins with none.
std::size_t utf8_size(std::string_view text) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto first = at(0);
    const std::size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (size == 0 || text.size() < size) return 0;
    for (std::size_t i = 1; i < size; ++i) {
        if ((at(i) & 0xc0) != 0x80) return 0;
    }
    // Longer than necessary, surrogates, beyond the last code point.
    if ((first == 0xe0 && at(1) < 0xa0) || (first == 0xed && at(1) > 0x9f)) return 0;
    if ((first == 0xf0 && at(1) < 0x90) || (first == 0xf4 && at(1) > 0x8f)) return 0;
    return size;
}

}  // namespace

json_text& json_text::separate() {
    if (!out_.empty() && out_.back() != '{' && out_.back() != '[' && out_.back() != ':') out_ += ',';
    return *this;
}

json_text& json_text::name(std::string_view key) {
    separate();
    out_ += '"';
    out_ += key;
    out_ += "\":";
    return *this;
}

json_text& json_text::number(std::uint64_t value) {
    char text[20];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    out_.append(text, end);
    return *this;
}

json_text& json_text::number(duration value) {
    constexpr std::uint64_t nanoseconds = 1'000'000;
    if (value < duration::zero()) out_ += '-';
    const auto magnitude = static_cast<std::uint64_t>(value < duration::zero() ? -value.count() : value.count());
    number(magnitude / nanoseconds);
    auto rest = magnitude % nanoseconds;
    if (rest == 0) return *this;
    char text[6];
    for (int i = 5; i >= 0; --i, rest /= 10) text[i] = static_cast<char>('0' + rest % 10);
    std::string_view fraction(text, sizeof text);
    out_ += '.';
    out_ += fraction.substr(0, fraction.find_last_not_of('0') + 1);
    return *this;
}

json_text& json_text::quote(std::string_view text) {
    out_ += '"';
    while (!text.empty()) {
        const auto c = static_cast<unsigned char>(text.front());
        const auto size = utf8_size(text);
        if (c == '"' || c == '\\') {
            out_ += '\\';
            out_ += text.front();
        } else if (c < 0x20 || size == 0) {
            out_ += "\\u00";
            out_ += digits[c >> 4];
            out_ += digits[c & 15];
        } else {
            out_ += text.substr(0, size);
        }
        text.remove_prefix(size == 0 ? 1 : size);
    }
    out_ += '"';
    return *this;
}

json_text& json_text::quote_hex(std::span<const std::uint8_t> bytes) {
    out_ += '"';
    for (const auto b : bytes) {
        out_ += digits[b >> 4];
        out_ += digits[b & 15];
    }
    out_ += '"';
    return *this;
}

}  // namespace tandem
