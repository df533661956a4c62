#include <tandem/http/binary_fields.hpp>

#include <charconv>
#include <string>

namespace tandem::http {

message_lines::message_lines(const request& r, const body_source* body) {
    lines_.reserve(r.fields.size() + 7);
    for (const auto& pseudo : {field{":method", r.method}, {":scheme", r.scheme}, {":authority", r.authority}, {":path", r.path}})
        lines_.push_back(pseudo);
    if (!r.protocol.empty()) lines_.push_back({":protocol", r.protocol});  // RFC 8441 4
    for (const auto f : r.fields) {
        if (f.name != "content-length" || !body) lines_.push_back(f);
    }
    if (r.priority && !r.fields.contains("priority")) {
        priority_ = to_string(*r.priority);
        if (!priority_.empty()) lines_.push_back({"priority", priority_});
    }
    if (auto length = body ? body->content_length() : std::nullopt) add_length(*length);
}

message_lines::message_lines(const response& r, const body_source* body, std::string_view request_method) {
    lines_.reserve(r.fields.size() + 2);
    add_status(r.status);
    auto length = body ? body->content_length() : std::nullopt;
    for (const auto f : r.fields) {
        if (f.name != "content-length" || (!length && !response_has_body(request_method, r.status))) lines_.push_back(f);
    }
    if (length && r.status != 204) add_length(*length);
}

message_lines::message_lines(const response& interim) {
    lines_.reserve(interim.fields.size() + 1);
    add_status(interim.status);
    lines_.insert(lines_.end(), interim.fields.begin(), interim.fields.end());
}

void message_lines::add_status(int status) {
    const auto* end = std::to_chars(status_.data(), status_.data() + status_.size(), status).ptr;
    lines_.push_back({":status", {status_.data(), end}});
}

void message_lines::add_length(std::uint64_t length) {
    const auto* end = std::to_chars(length_.data(), length_.data() + length_.size(), length).ptr;
    lines_.push_back({"content-length", {length_.data(), end}});
}

bool prepare(response& r, std::unique_ptr<body_source>& body, bool asks_tunnel) {
    const bool switches = r.status == 101 && asks_tunnel;
    const bool invalid = !(switches ? invalid_reason(r.fields) : invalid_reason(r)).empty();
    const bool unaware = asks_tunnel && !switches && r.status / 100 == 2;
    if (invalid || unaware) {
        r = {invalid ? 500 : 501, {}};
        body = nullptr;
        return false;
    }
    if (switches) r.status = 200;
    return switches;
}

bool take_switch(response& r) {
    if (r.status / 100 != 2) return false;
    r.status = 101;
    return true;
}

std::string_view malformed(request& r) {
    auto host = r.fields.find("host");
    if (r.authority.empty() && host) r.authority = *host;
    if (host && *host != r.authority) return "the Host field and :authority differ";
    if (!is_authority(r.authority)) return "no usable authority";
    if ((r.method != "CONNECT" || !r.protocol.empty()) && !is_path(r.path)) return "malformed :path";
    r.fields.erase("host");
    return {};
}

void join_cookies(fields& list) {
    if (list.count("cookie") < 2) return;
    std::string all;
    for (const auto& f : list) {
        if (f.name == "cookie") all.append(all.empty() ? "" : "; ").append(f.value);
    }
    list.set("cookie", all);
}

bool is_safe_method(std::string_view method) {
    return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE";
}

}  // namespace tandem::http
