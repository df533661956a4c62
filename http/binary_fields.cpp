#include <tandem/http/binary_fields.hpp>

#include <string>

namespace tandem::http {

std::vector<field> request_lines(const request& r, const body_source* body) {
    std::vector<field> lines{{":method", r.method}, {":scheme", r.scheme}, {":authority", r.authority}, {":path", r.path}};
    if (!r.protocol.empty()) lines.push_back({":protocol", r.protocol});  // RFC 8441 4
    for (const auto& f : r.fields) {
        if (f.name != "content-length" || !body) lines.push_back(f);
    }
    if (r.priority && !r.fields.contains("priority")) {
        if (auto value = to_string(*r.priority); !value.empty()) lines.push_back({"priority", value});
    }
    if (auto length = body ? body->content_length() : std::nullopt) lines.push_back({"content-length", std::to_string(*length)});
    return lines;
}

std::vector<field> response_lines(response&& r, const body_source* body, std::string_view request_method) {
    std::vector<field> lines;
    lines.reserve(r.fields.size() + 2);
    lines.push_back({":status", std::to_string(r.status)});
    auto length = body ? body->content_length() : std::nullopt;
    for (auto& f : r.fields.take()) {
        if (f.name != "content-length" || (!length && !response_has_body(request_method, r.status)))
            lines.push_back(std::move(f));
    }
    if (length && r.status != 204) lines.push_back({"content-length", std::to_string(*length)});
    return lines;
}

std::vector<field> interim_lines(const response& r) {
    std::vector<field> lines{{":status", std::to_string(r.status)}};
    lines.insert(lines.end(), r.fields.begin(), r.fields.end());
    return lines;
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
        if (f.name == "cookie") all += (all.empty() ? "" : "; ") + f.value;
    }
    list.set("cookie", all);
}

bool is_safe_method(std::string_view method) {
    return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE";
}

}  // namespace tandem::http
