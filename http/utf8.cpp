#include <tandem/http/utf8.hpp>

#include <cstddef>
#include <cstring>

namespace tandem::http {

bool utf8_check::feed(std::span<const std::uint8_t> text) {
    constexpr std::uint64_t not_ascii = 0x8080808080808080;
    for (std::size_t i = 0; i < text.size(); ++i) {
        for (std::uint64_t word = 0; missing_ == 0 && text.size() - i >= sizeof word; i += sizeof word) {
            std::memcpy(&word, text.data() + i, sizeof word);
            if ((word & not_ascii) != 0) break;
        }
        if (i == text.size()) break;
        const auto byte = text[i];
        if (missing_ > 0) {
            if (byte < low_ || byte > high_) return false;
            low_ = 0x80;
            high_ = 0xbf;
            --missing_;
        } else if (byte >= 0x80) {  // RFC 3629 4
            if (byte < 0xc2 || byte > 0xf4) return false;
            missing_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
            if (byte == 0xe0) low_ = 0xa0;
            if (byte == 0xed) high_ = 0x9f;
            if (byte == 0xf0) low_ = 0x90;
            if (byte == 0xf4) high_ = 0x8f;
        }
    }
    return true;
}

bool is_utf8(std::span<const std::uint8_t> text) {
    utf8_check check;
    return check.feed(text) && check.complete();
}

}  // namespace tandem::http
