#include "access_log.hpp"

#include <chrono>
#include <cstdio>
#include <ctime>

namespace tandem::apps {

namespace {

// As nginx does: a quote, a backslash, control characters and what is no ASCII as \xHH.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
            out += c;
            continue;
        }
        char hex[5];
        std::snprintf(hex, sizeof hex, "\\x%02X", byte);
        out += hex;
    }
    return out;
}

// RFC 8259 7; bytes that are no ASCII as characters of ISO 8859-1, so that the text is always proper.
std::string json_text(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
            out += c;
            continue;
        }
        char hex[7];
        std::snprintf(hex, sizeof hex, "\\u%04x", byte);
        out += hex;
    }
    return out + '"';
}

std::string time_text(std::int64_t unix_seconds, const char* format) {
    const std::time_t time = unix_seconds;
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    char text[64];
    return {text, std::strftime(text, sizeof text, format, &parts)};
}

std::string milliseconds(duration took) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", std::chrono::duration<double, std::milli>(took).count());
    return text;
}

std::string request_line(const net::access_record& r) {
    return '"' + escaped(r.request.method) + ' ' + escaped(r.request.path) + ' ' + std::string(r.source.protocol) + '"';
}

std::string bytes_text(const net::access_record& r, const char* unknown) { return r.bytes ? std::to_string(*r.bytes) : unknown; }

}  // namespace

std::string plain_line(const net::access_record& r) {
    return r.source.remote.to_string() + ' ' + request_line(r) + ' ' + std::to_string(r.status) + ' ' + bytes_text(r, "-") + ' ' +
           milliseconds(r.took) + " ms" + (r.complete ? "" : " (incomplete)");
}

std::string combined_line(const net::access_record& r, std::int64_t unix_seconds) {
    const auto field = [&](std::string_view name) { return '"' + escaped(r.request.fields.find(name).value_or("-")) + '"'; };
    return r.source.remote.address.to_string() + " - - " + time_text(unix_seconds, "[%d/%b/%Y:%H:%M:%S +0000]") + ' ' +
           request_line(r) + ' ' + std::to_string(r.status) + ' ' + bytes_text(r, "-") + ' ' + field("referer") + ' ' +
           field("user-agent");
}

std::string json_line(const net::access_record& r, std::int64_t unix_seconds) {
    const auto field = [&](std::string_view name) { return json_text(r.request.fields.find(name).value_or("")); };
    return "{\"time\": \"" + time_text(unix_seconds, "%Y-%m-%dT%H:%M:%SZ") +
           "\", \"remote\": " + json_text(r.source.remote.to_string()) + ", \"protocol\": " + json_text(r.source.protocol) +
           ", \"method\": " + json_text(r.request.method) + ", \"authority\": " + json_text(r.request.authority) +
           ", \"path\": " + json_text(r.request.path) + ", \"status\": " + std::to_string(r.status) +
           ", \"bytes\": " + bytes_text(r, "null") + ", \"ms\": " + milliseconds(r.took) +
           ", \"complete\": " + (r.complete ? "true" : "false") + ", \"referer\": " + field("referer") +
           ", \"user_agent\": " + field("user-agent") + "}";
}

}  // namespace tandem::apps
