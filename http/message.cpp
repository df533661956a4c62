#include <tandem/http/message.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <utility>

namespace tandem::http {
namespace {

constexpr std::size_t usual_size = 512;  // bytes of a section: room is made for them at once

// What may stand where: every message is looked through, so each character costs a look into a table.
enum character : std::uint8_t { of_token = 1, upper_case = 2, of_authority = 4, of_path = 8 };
constexpr auto characters = [] {
    std::array<std::uint8_t, 256> out{};
    for (int c = 'a'; c <= 'z'; ++c) out[static_cast<std::size_t>(c)] |= of_token;
    for (int c = 'A'; c <= 'Z'; ++c) out[static_cast<std::size_t>(c)] |= of_token | upper_case;
    for (int c = '0'; c <= '9'; ++c) out[static_cast<std::size_t>(c)] |= of_token;
    for (const char c : std::string_view("!#$%&'*+-.^_`|~")) out[static_cast<std::size_t>(c)] |= of_token;
    for (std::size_t c = 0x21; c < out.size(); ++c) {
        if (c == 0x7f) continue;
        if (std::string_view("/?#@\\\"<>^`{|},").find(static_cast<char>(c)) == std::string_view::npos) out[c] |= of_authority;
        if (c != '#') out[c] |= of_path;
    }
    return out;
}();
std::uint8_t kind(char c) { return characters[static_cast<unsigned char>(c)]; }

bool is_token_character(char c) { return (kind(c) & of_token) != 0; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

fields::fields(std::initializer_list<field> list) {
    for (const auto& f : list) append(f.name, f.value);
}

fields::fields(const fields& other) : used_(other.used_), count_(other.count_) {
    if (used_ == 0) return;
    lines_ = recycled::bytes(std::max(usual_size, used_));
    std::memcpy(lines_.get(), other.lines_.get(), used_);
}

fields::fields(fields&& other) noexcept
    : lines_(std::move(other.lines_)), used_(std::exchange(other.used_, 0)), count_(std::exchange(other.count_, 0)) {}

fields& fields::operator=(const fields& other) { return this == &other ? *this : *this = fields(other); }

fields& fields::operator=(fields&& other) noexcept {
    lines_ = std::move(other.lines_);
    used_ = std::exchange(other.used_, 0);
    count_ = std::exchange(other.count_, 0);
    return *this;
}

void fields::clear() {
    used_ = 0;
    count_ = 0;
}

bool operator==(const fields& a, const fields& b) {
    return a.count_ == b.count_ && a.used_ == b.used_ &&
           (a.used_ == 0 || std::memcmp(a.lines_.get(), b.lines_.get(), a.used_) == 0);
}

void fields::append(std::string_view name, std::string_view value) {
    const sizes s{static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(value.size())};
    const auto needed = used_ + size_of(s);
    recycled::bytes before;  // name and value may lie in it
    if (needed > lines_.size()) {
        before = std::exchange(lines_, recycled::bytes(std::max({usual_size, 2 * lines_.size(), needed})));
        if (used_ > 0) std::memcpy(lines_.get(), before.get(), used_);
    }
    auto* at = lines_.get() + used_;
    std::memcpy(at, &s, sizeof s);
    auto* text = reinterpret_cast<char*>(at + sizeof s);
    std::transform(name.begin(), name.end(), text, lower);
    std::copy(value.begin(), value.end(), text + name.size());
    used_ = needed;
    ++count_;
}

void fields::set(std::string_view name, std::string_view value) {
    const auto lowered = to_lower(name);
    const std::string kept(value);
    erase(lowered);
    append(lowered, kept);
}

std::size_t fields::erase(std::string_view name) {
    std::size_t gone = 0;
    for (std::size_t at = 0; at < used_;) {
        auto* line = lines_.get() + at;
        const auto size = size_of(sizes_at(line));
        if (field_at(line).name == name) {
            std::memmove(line, line + size, used_ - at - size);
            used_ -= size;
            ++gone;
        } else {
            at += size;
        }
    }
    count_ -= gone;
    return gone;
}

std::optional<std::string_view> fields::find(std::string_view name) const {
    for (const auto f : *this) {
        if (f.name == name) return f.value;
    }
    return std::nullopt;
}

std::size_t fields::count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(begin(), end(), [&](const field& f) { return f.name == name; }));
}

std::string fields::joined(std::string_view name) const {
    std::string all;
    bool first = true;
    for (const auto f : *this) {
        if (f.name != name) continue;
        if (!first) all += ", ";
        all += f.value;
        first = false;
    }
    return all;
}

bool is_token(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_character); }

bool is_lower_token(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return (kind(c) & (of_token | upper_case)) == of_token; });
}

bool is_field_value(std::string_view text) {
    if (text.empty()) return true;
    const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    if (is_space(text.front()) || is_space(text.back())) return false;
    const auto allowed = [](char c) { return (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) || c == '\t'; };
    const auto* at = text.data();
    auto left = text.size();
    for (; left >= 8; at += 8, left -= 8) {  // eight at a time: only where one may be wrong each is looked at
        constexpr std::uint64_t ones = 0x0101010101010101, highest = 0x8080808080808080;
        std::uint64_t eight;
        std::memcpy(&eight, at, sizeof eight);
        const auto deleted = eight ^ 0x7f * ones;
        const auto suspect = (((eight - 0x20 * ones) & ~eight) | ((deleted - ones) & ~deleted)) & highest;
        if (suspect != 0 && !std::all_of(at, at + 8, allowed)) return false;
    }
    return std::all_of(at, at + left, allowed);
}

bool is_authority(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return (kind(c) & of_authority) != 0; });
}

bool is_path(std::string_view text) {
    if (text == "*") return true;
    return !text.empty() && text.front() == '/' &&
           std::all_of(text.begin(), text.end(), [](char c) { return (kind(c) & of_path) != 0; });
}

bool is_connection_specific(std::string_view name) {
    static constexpr std::array<std::string_view, 6> names{"connection",        "keep-alive", "proxy-connection",
                                                           "transfer-encoding", "upgrade",    "http2-settings"};
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view invalid_reason(const fields& list) {
    for (const auto f : list) {
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
