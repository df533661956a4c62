#include <tandem/http/message.hpp>

#include <algorithm>
#include <array>
#include <limits>

namespace tandem::http {
namespace {

constexpr std::size_t usual = 8;  // field lines of a message: room is made for them at once

bool is_token_character(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_visible(char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

fields::fields(std::initializer_list<field> list) {
    for (const auto& f : list) append(f.name, f.value);
}

void fields::append(std::string_view name, std::string_view value) {
    if (list_.capacity() == 0) list_.reserve(usual);
    list_.push_back({to_lower(name), std::string(value)});
}

void fields::set(std::string_view name, std::string_view value) {
    auto lowered = to_lower(name);
    erase(lowered);
    list_.push_back({std::move(lowered), std::string(value)});
}

std::size_t fields::erase(std::string_view name) {
    return std::erase_if(list_, [&](const field& f) { return f.name == name; });
}

std::optional<std::string_view> fields::find(std::string_view name) const {
    auto it = std::find_if(list_.begin(), list_.end(), [&](const field& f) { return f.name == name; });
    return it == list_.end() ? std::nullopt : std::optional<std::string_view>(it->value);
}

std::size_t fields::count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(list_.begin(), list_.end(), [&](const field& f) { return f.name == name; }));
}

std::string fields::joined(std::string_view name) const {
    std::string all;
    bool first = true;
    for (const auto& f : list_) {
        if (f.name != name) continue;
        if (!first) all += ", ";
        all += f.value;
        first = false;
    }
    return all;
}

bool is_token(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_character); }

bool is_lower_token(std::string_view text) {
    return is_token(text) && std::none_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool is_field_value(std::string_view text) {
    if (text.empty()) return true;
    auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    return !is_space(text.front()) && !is_space(text.back()) &&
           std::all_of(text.begin(), text.end(), [&](char c) { return is_space(c) || is_visible(c); });
}

bool is_authority(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return is_visible(c) && std::string_view("/?#@\\\"<>^`{|},").find(c) == std::string_view::npos;
    });
}

bool is_path(std::string_view text) {
    if (text == "*") return true;
    return !text.empty() && text.front() == '/' &&
           std::all_of(text.begin(), text.end(), [](char c) { return is_visible(c) && c != '#'; });
}

bool is_connection_specific(std::string_view name) {
    static constexpr std::array<std::string_view, 6> names{"connection",        "keep-alive", "proxy-connection",
                                                           "transfer-encoding", "upgrade",    "http2-settings"};
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view invalid_reason(const fields& list) {
    for (const auto& f : list) {
        if (!is_lower_token(f.name)) return "a field name holds characters it may not hold";
        if (!is_field_value(f.value)) return "a field value holds control characters or begins or ends with a space";
        if (is_connection_specific(f.name)) return "a field that belongs to one connection";
    }
    return {};
}

std::string_view invalid_reason(const request& r) {
    if (!is_token(r.method)) return "the method is not a token";
    if (!is_authority(r.authority)) return "the authority is empty or holds characters it may not hold";
    if (r.method == "CONNECT" && r.protocol.empty()) return "CONNECT opens a tunnel, which is no exchange of messages";
    if (!r.protocol.empty() && (r.method != "CONNECT" || !is_token(r.protocol)))
        return "another protocol is asked for by CONNECT and a token";
    if (!is_path(r.path)) return "the path does not begin with '/' or holds characters it may not hold";
    if (r.path == "*" && r.method != "OPTIONS") return "the path '*' is for OPTIONS";
    if (r.scheme != "https" && r.scheme != "http") return "the scheme is neither https nor http";
    if (r.fields.contains("host")) return "the authority is given by a Host field";
    return invalid_reason(r.fields);
}

std::string_view invalid_reason(const response& r) {
    if (r.status < 200 || r.status > 599) return "the status is not one of a final response";
    return invalid_reason(r.fields);
}

std::string_view invalid_interim_reason(const response& r) {
    if (r.status < 100 || r.status > 199 || r.status == 101) return "the status is not one of an interim response";
    return invalid_reason(r.fields);
}

bool response_has_body(std::string_view request_method, int status) {
    return request_method != "HEAD" && status >= 200 && status != 204 && status != 304;
}

bool list_contains(std::string_view list, std::string_view token, bool exact) {
    for (auto rest = list; !rest.empty();) {
        auto end = std::min(rest.find(','), rest.size());
        auto item = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
        while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
        if (item == token || (!exact && equals_ignoring_case(item, token))) return true;
    }
    return false;
}

std::optional<std::uint64_t> parse_content_length(std::string_view value) {
    std::optional<std::uint64_t> result;
    while (true) {
        auto comma = value.find(',');
        auto part = value.substr(0, comma);
        while (!part.empty() && (part.front() == ' ' || part.front() == '\t')) part.remove_prefix(1);
        while (!part.empty() && (part.back() == ' ' || part.back() == '\t')) part.remove_suffix(1);
        if (part.empty()) return std::nullopt;
        constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
        std::uint64_t length = 0;
        for (char c : part) {
            if (c < '0' || c > '9') return std::nullopt;
            auto digit = static_cast<std::uint64_t>(c - '0');
            if (length > (most - digit) / 10) return std::nullopt;
            length = length * 10 + digit;
        }
        if (result && *result != length) return std::nullopt;
        result = length;
        if (comma == std::string_view::npos) return result;
        value.remove_prefix(comma + 1);
    }
}

std::string to_lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view reason_phrase(int status) {
    struct phrase {
        int status;
        std::string_view text;
    };
    static constexpr std::array<phrase, 46> phrases{{
        {100, "Continue"},
        {101, "Switching Protocols"},
        {102, "Processing"},
        {103, "Early Hints"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {203, "Non-Authoritative Information"},
        {204, "No Content"},
        {205, "Reset Content"},
        {206, "Partial Content"},
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    }};
    for (const auto& p : phrases) {
        if (p.status == status) return p.text;
    }
    return {};
}

}  // namespace tandem::http
