#include <tandem/http/url.hpp>

#include <algorithm>
#include <charconv>

#include <tandem/bytes/address.hpp>
#include <tandem/http/message.hpp>

namespace tandem::http {

namespace {

constexpr std::string_view hex_digits = "0123456789ABCDEF";

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

void append_encoded(std::string& out, char c) {
    auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += hex_digits[byte >> 4];
    out += hex_digits[byte & 15];
}

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// What DNS names are made of, and '_', which some have all the same.
bool is_host_name(std::string_view host) {
    return !host.empty() && host.size() <= 253 &&
           std::all_of(host.begin(), host.end(), [](char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; });
}

bool parse_port(std::string_view text, std::uint16_t& port) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc{} && end == text.data() + text.size() && port != 0;
}

// Splits "host", "host:port", "[v6]", "[v6]:port" into both parts.
bool parse_authority(std::string_view authority, url& out, std::string& why) {
    std::string_view host = authority, port;
    bool literal = authority.starts_with('[');
    if (literal) {
        auto close = authority.find(']');
        if (close == std::string_view::npos) return why = "the IPv6 address has no closing bracket", false;
        host = authority.substr(1, close - 1);
        auto address = ip_address::parse(host);
        if (!address || !address->is_v6) return why = "the brackets hold no IPv6 address", false;
        port = authority.substr(close + 1);
        if (!port.empty() && port.front() != ':') return why = "there is text behind the IPv6 address", false;
    } else if (auto colon = authority.find(':'); colon != std::string_view::npos) {
        host = authority.substr(0, colon);
        port = authority.substr(colon);
    }
    if (host.empty()) return why = "it has no host", false;
    if (!literal && !is_host_name(host)) return why = "the host has characters that no host name has", false;
    if (port.size() > 1 && !parse_port(port.substr(1), out.port)) return why = "the port is not a number from 1 to 65535", false;
    out.host = to_lower(host);
    return true;
}

}  // namespace

std::string url::authority() const {
    auto text = host.find(':') == std::string::npos ? host : '[' + host + ']';
    return default_port() ? text : text + ':' + std::to_string(port);
}

std::string url::origin() const {
    auto text = host.find(':') == std::string::npos ? host : '[' + host + ']';
    return scheme + "://" + text + ':' + std::to_string(port);
}

std::string url::to_string() const { return scheme + "://" + authority() + path; }

std::string_view url::file_name() const {
    std::string_view text = path;
    text = text.substr(0, text.find('?'));
    return text.substr(text.rfind('/') + 1);
}

std::optional<url> parse_url(std::string_view text, std::string& why) {
    url out;
    out.scheme = "https";
    if (auto colon = text.find("://"); colon != std::string_view::npos) {
        out.scheme = to_lower(text.substr(0, colon));
        text.remove_prefix(colon + 3);
        if (out.scheme != "http" && out.scheme != "https") return why = "the scheme is neither http nor https", std::nullopt;
    }
    out.port = out.scheme == "https" ? 443 : 80;
    text = text.substr(0, text.find('#'));
    auto end = std::min(text.find_first_of("/?"), text.size());
    auto authority = text.substr(0, end);
    // RFC 9110 4.2.4: user information in a URL is a way to deceive people.
    if (authority.find('@') != std::string_view::npos)
        return why = "it has user information, which is not supported", std::nullopt;
    if (!parse_authority(authority, out, why)) return std::nullopt;
    out.path.clear();
    if (end == text.size() || text[end] == '?') out.path = "/";
    for (char c : text.substr(end)) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return why = "it has a control character", std::nullopt;
        if (c == ' ' || static_cast<unsigned char>(c) > 0x7e) {
            append_encoded(out.path, c);
        } else {
            out.path += c;
        }
    }
    return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high << 4 | low);
        i += 2;
    }
    return out;
}

std::string percent_encode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (char c : text) {
        if (is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~') {
            out += c;
        } else {
            append_encoded(out, c);
        }
    }
    return out;
}

}  // namespace tandem::http
