// Builds one line of JSON (RFC 8259) into memory that is used again: after the first records nothing is allocated.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <tandem/bytes/time.hpp>

namespace tandem {

// Strings are UTF-8 or taken for Latin-1 where they are not, so that the text is valid whatever a peer sent.
class json_text {
public:
    void clear() { out_.clear(); }
    std::string_view text() const { return out_; }
    void raw(std::string_view text) { out_ += text; }

    // Without a key: the outermost, or an element of an array.
    json_text& begin_object() { return open('{'); }
    json_text& begin_object(std::string_view key) { return name(key).append('{'); }
    json_text& begin_array() { return open('['); }
    json_text& begin_array(std::string_view key) { return name(key).append('['); }
    json_text& end_object() { return append('}'); }
    json_text& end_array() { return append(']'); }

    json_text& field(std::string_view key, std::string_view text) { return name(key).quote(text); }
    json_text& field(std::string_view key, const char* text) { return name(key).quote(text); }
    json_text& field(std::string_view key, bool value) { return name(key).literal(value ? "true" : "false"); }
    template <std::unsigned_integral N>
    requires(!std::same_as<N, bool>) json_text& field(std::string_view key, N value) { return name(key).number(value); }
    // In milliseconds, exact to the nanosecond.
    json_text& milliseconds(std::string_view key, duration value) { return name(key).number(value); }
    json_text& hex(std::string_view key, std::span<const std::uint8_t> bytes) { return name(key).quote_hex(bytes); }
    json_text& element(std::string_view text) { return separate().quote(text); }
    json_text& element(std::uint64_t value) { return separate().number(value); }
    json_text& hex_element(std::span<const std::uint8_t> bytes) { return separate().quote_hex(bytes); }

private:
    json_text& open(char bracket) { return separate().append(bracket); }
    json_text& append(char c) {
        out_ += c;
        return *this;
    }
    json_text& literal(std::string_view text) {
        out_ += text;
        return *this;
    }
    json_text& separate();
    json_text& name(std::string_view key);
    json_text& number(std::uint64_t value);
    json_text& number(duration value);
    json_text& quote(std::string_view text);
    json_text& quote_hex(std::span<const std::uint8_t> bytes);

    std::string out_;
};

}  // namespace tandem
