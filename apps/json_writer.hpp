// Writes JSON (RFC 8259) in the order it is told, indented by two spaces down to a depth and on one line below it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::compare {

class json_writer {
public:
    // Objects and arrays nested deeper than this are written on one line.
    explicit json_writer(std::size_t lines_to_depth = 2) : lines_to_depth_(lines_to_depth) {}

    json_writer& begin_object() { return open('{'); }
    json_writer& end_object() { return close('}'); }
    json_writer& begin_array() { return open('['); }
    json_writer& end_array() { return close(']'); }

    json_writer& key(std::string_view name) {
        separate();
        quote(name);
        out_ += ": ";
        after_key_ = true;
        return *this;
    }
    json_writer& value(std::string_view text) {
        separate();
        quote(text);
        return *this;
    }
    // A number as text that is valid JSON already.
    json_writer& number(std::string_view text) {
        separate();
        out_ += text;
        return *this;
    }
    json_writer& value(std::uint64_t n) { return number(std::to_string(n)); }
    json_writer& value(bool b) { return number(b ? "true" : "false"); }
    json_writer& null() { return number("null"); }

    const std::string& text() const { return out_; }

private:
    json_writer& open(char bracket) {
        separate();
        out_ += bracket;
        empty_.push_back(true);
        return *this;
    }
    json_writer& close(char bracket) {
        const bool was_empty = empty_.back();
        empty_.pop_back();
        if (!was_empty && empty_.size() < lines_to_depth_) line(empty_.size());
        out_ += bracket;
        return *this;
    }
    void separate() {
        if (after_key_) {
            after_key_ = false;
            return;
        }
        if (empty_.empty()) return;
        if (!empty_.back()) out_ += ',';
        if (empty_.size() <= lines_to_depth_) {
            line(empty_.size());
        } else if (!empty_.back()) {
            out_ += ' ';
        }
        empty_.back() = false;
    }
    void line(std::size_t depth) {
        out_ += '\n';
        out_.append(2 * depth, ' ');
    }
    void quote(std::string_view text) {
        constexpr std::string_view hex = "0123456789abcdef";
        out_ += '"';
        for (const char c : text) {
            const auto u = static_cast<unsigned char>(c);
            if (c == '"' || c == '\\') {
                out_ += '\\';
                out_ += c;
            } else if (u < 0x20) {
                out_ += "\\u00";
                out_ += hex[u >> 4];
                out_ += hex[u & 15];
            } else {
                out_ += c;
            }
        }
        out_ += '"';
    }

    std::size_t lines_to_depth_;
    std::string out_;
    std::vector<bool> empty_;
    bool after_key_ = false;
};

}  // namespace tandem::compare
