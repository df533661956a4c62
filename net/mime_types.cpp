#include <tandem/net/mime_types.hpp>

#include <algorithm>
#include <array>
#include <utility>

#include <tandem/http/message.hpp>

namespace tandem::net {

namespace {

using entry = std::pair<std::string_view, std::string_view>;

// By extension, sorted.
constexpr std::array types{
    entry{"7z", "application/x-7z-compressed"},
    entry{"avif", "image/avif"},
    entry{"bin", "application/octet-stream"},
    entry{"bmp", "image/bmp"},
    entry{"bz2", "application/x-bzip2"},
    entry{"c", "text/plain; charset=utf-8"},
    entry{"cpp", "text/plain; charset=utf-8"},
    entry{"css", "text/css; charset=utf-8"},
    entry{"csv", "text/csv; charset=utf-8"},
    entry{"gif", "image/gif"},
    entry{"gz", "application/gzip"},
    entry{"h", "text/plain; charset=utf-8"},
    entry{"hpp", "text/plain; charset=utf-8"},
    entry{"htm", "text/html; charset=utf-8"},
    entry{"html", "text/html; charset=utf-8"},
    entry{"ico", "image/vnd.microsoft.icon"},
    entry{"jpeg", "image/jpeg"},
    entry{"jpg", "image/jpeg"},
    entry{"js", "text/javascript; charset=utf-8"},
    entry{"json", "application/json"},
    entry{"log", "text/plain; charset=utf-8"},
    entry{"m4a", "audio/mp4"},
    entry{"map", "application/json"},
    entry{"md", "text/markdown; charset=utf-8"},
    entry{"mjs", "text/javascript; charset=utf-8"},
    entry{"mp3", "audio/mpeg"},
    entry{"mp4", "video/mp4"},
    entry{"oga", "audio/ogg"},
    entry{"ogg", "audio/ogg"},
    entry{"ogv", "video/ogg"},
    entry{"otf", "font/otf"},
    entry{"pdf", "application/pdf"},
    entry{"pem", "application/x-pem-file"},
    entry{"png", "image/png"},
    entry{"svg", "image/svg+xml"},
    entry{"tar", "application/x-tar"},
    entry{"ttf", "font/ttf"},
    entry{"txt", "text/plain; charset=utf-8"},
    entry{"wasm", "application/wasm"},
    entry{"wav", "audio/wav"},
    entry{"webm", "video/webm"},
    entry{"webmanifest", "application/manifest+json"},
    entry{"webp", "image/webp"},
    entry{"woff", "font/woff"},
    entry{"woff2", "font/woff2"},
    entry{"xhtml", "application/xhtml+xml"},
    entry{"xml", "application/xml"},
    entry{"xz", "application/x-xz"},
    entry{"zip", "application/zip"},
    entry{"zst", "application/zstd"},
};

}  // namespace

std::string_view mime_type(std::string_view file_name) {
    auto dot = file_name.rfind('.');
    if (dot != std::string_view::npos) {
        auto extension = http::to_lower(file_name.substr(dot + 1));
        auto it = std::lower_bound(types.begin(), types.end(), extension,
                                   [](const entry& e, const std::string& x) { return e.first < x; });
        if (it != types.end() && it->first == extension) return it->second;
    }
    return "application/octet-stream";
}

}  // namespace tandem::net
