// As much of HTTP/3 as a GET needs, written by hand (RFC 9114, RFC 9204): for test programs that want the QUIC connection to
// themselves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::test {

// A control stream with empty SETTINGS: no QPACK table, so peers use none.
inline constexpr std::string_view http3_control_stream{"\x00\x04\x00", 3};

inline void append_varint(std::string& out, std::size_t value) {  // RFC 9000 16, below 2^14
    if (value >= 64) out.push_back(static_cast<char>(0x40 | value >> 8));
    out.push_back(static_cast<char>(value));
}

// A HEADERS frame with field lines from QPACK's static table; authority and path are literals without Huffman coding, below 127
// bytes.
inline std::string http3_get(std::string_view authority, std::string_view path) {
    std::string section{"\x00\x00\xd1\xd7", 4};  // :method GET (17), :scheme https (23)
    const auto literal = [&](char name, std::string_view value) {
        section.push_back(static_cast<char>(0x50 | name));
        section.push_back(static_cast<char>(value.size()));
        section += value;
    };
    literal(0, authority);
    literal(1, path);
    std::string out{"\x01"};
    append_varint(out, section.size());
    return out + section;
}

// Takes a response stream in pieces of any size and keeps what its DATA frames carry.
class http3_response {
public:
    void feed(std::string_view piece) {
        while (!piece.empty()) {
            if (left_ == 0) {
                header_.push_back(piece.front());
                piece.remove_prefix(1);
                begin_frame();
                continue;
            }
            const auto n = left_ < piece.size() ? static_cast<std::size_t>(left_) : piece.size();
            if (is_data_) body_ += piece.substr(0, n);
            piece.remove_prefix(n);
            left_ -= n;
        }
    }
    const std::string& body() const { return body_; }
    bool whole() const { return left_ == 0 && header_.empty(); }  // the stream may end here

private:
    static std::optional<std::uint64_t> take_varint(std::string_view& from) {
        if (from.empty()) return {};
        const auto size = std::size_t{1} << (static_cast<std::uint8_t>(from.front()) >> 6);
        if (from.size() < size) return {};
        std::uint64_t value = static_cast<std::uint8_t>(from.front()) & 0x3f;
        for (std::size_t i = 1; i < size; ++i) value = value << 8 | static_cast<std::uint8_t>(from[i]);
        from.remove_prefix(size);
        return value;
    }
    void begin_frame() {
        std::string_view text = header_;
        const auto type = take_varint(text);
        const auto length = type ? take_varint(text) : type;
        if (!length) return;
        is_data_ = *type == 0x00;
        left_ = *length;
        header_.clear();
    }

    std::string header_;  // of the frame, while it is not complete
    std::uint64_t left_ = 0;
    bool is_data_ = false;
    std::string body_;
};

}  // namespace tandem::test
