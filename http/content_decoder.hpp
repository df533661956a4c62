// Undoes content codings (RFC 9110 8.4.1): gzip, deflate, br (RFC 7932) and zstd (RFC 8878), as the bytes come.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace tandem::http {

// For an Accept-Encoding field: the codings there are decoders for.
inline constexpr std::string_view accepted_codings = "zstd, br, gzip, deflate";

class content_decoder {
public:
    // Takes decoded bytes; false: no more is wanted.
    using output = std::function<bool(std::span<const std::uint8_t>)>;
    enum class status : std::uint8_t { good, broken, stopped };

    virtual ~content_decoder() = default;
    // Gives what can be decoded, in pieces of at most 64 KiB: whatever it unfolds to, no more is held. Windows of more than 8 MiB
    // (RFC 9659) are refused as broken.
    virtual status feed(std::span<const std::uint8_t> in, const output& out) = 0;
    // Whether what was fed is complete.
    virtual bool complete() const = 0;
};

// The decoder of a Content-Encoding value; null if it has a coding that is not known, or more than one.
std::unique_ptr<content_decoder> make_content_decoder(std::string_view coding);

}  // namespace tandem::http
