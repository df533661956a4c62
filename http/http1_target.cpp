#include <tandem/http/http1_target.hpp>

#include <algorithm>

#include <string>
#include <utility>

namespace tandem::http {
namespace {

constexpr std::size_t max_target = 8000;  // RFC 9112 3: at least that many octets should be taken

// RFC 9112 3.2.2: "http://host:port/path?query"; an empty path is "/".
bool split_absolute_form(std::string_view target, request& out) {
    auto colon = target.find("://");
    if (colon == std::string_view::npos) return false;
    auto scheme = to_lower(target.substr(0, colon));
    if (scheme != "http" && scheme != "https") return false;
    auto rest = target.substr(colon + 3);
    auto end = rest.find_first_of("/?");
    out.scheme = std::move(scheme);
    out.authority = rest.substr(0, end);
    auto path = end == std::string_view::npos ? std::string_view{} : rest.substr(end);
    out.path = path.starts_with('/') ? std::string(path) : '/' + std::string(path);
    return is_authority(out.authority) && is_path(out.path);
}

bool take_target(const http1_head& head, request& out) {
    if (head.method == "CONNECT") {  // RFC 9112 3.2.3
        out.authority = head.target;
        out.path.clear();
        return is_authority(out.authority) && out.authority.find(':') != std::string::npos;
    }
    if (head.target == "*") {  // RFC 9112 3.2.4
        out.path = "*";
        return head.method == "OPTIONS";
    }
    if (!head.target.starts_with('/')) return split_absolute_form(head.target, out);
    out.path = head.target;
    return is_path(out.path);
}

// RFC 9110 7.6.1: what Connection names belongs to this connection; nobody further on must see it.
void erase_connection_options(fields& list) {
    const auto options = list.joined("connection");
    for (std::string_view rest = options; !rest.empty();) {
        const auto end = std::min(rest.find(','), rest.size());
        auto name = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        const auto begin = name.find_first_not_of(" \t");
        if (begin == std::string_view::npos) continue;
        list.erase(to_lower(name.substr(begin, name.find_last_not_of(" \t") - begin + 1)));
    }
}

}  // namespace

std::string http1_upgrade_of(const http1_head& head, std::span<const std::string> offered) {
    if (offered.empty() || head.version < 11 || head.has_body || head.method == "CONNECT") return {};
    if (!list_contains(head.fields.joined("connection"), "upgrade")) return {};
    const auto asked = head.fields.joined("upgrade");
    const auto found =
        std::find_if(offered.begin(), offered.end(), [&](const auto& protocol) { return list_contains(asked, protocol); });
    return found == offered.end() ? std::string() : *found;
}

std::optional<request> http1_request_of(const http1_head& head, std::string_view scheme, http1_error& problem) {
    if (head.target.size() > max_target) {
        problem = {414, "the request target is too long"};
        return std::nullopt;
    }
    auto hosts = head.fields.count("host");
    if (hosts > 1 || (hosts == 0 && head.version >= 11)) {  // RFC 9112 3.2
        problem = {400, hosts == 0 ? "no Host field" : "more than one Host field"};
        return std::nullopt;
    }
    auto host = head.fields.find("host").value_or("");
    request out;
    out.method = head.method;
    out.scheme = scheme;
    if (!take_target(head, out)) {
        problem = {400, "malformed request target"};
        return std::nullopt;
    }
    if (!host.empty() && !is_authority(host)) {
        problem = {400, "malformed Host field"};
        return std::nullopt;
    }
    if (out.authority.empty() && host.empty() && head.version >= 11) {  // RFC 9110 4.2.1: http and https URIs have a host
        problem = {400, "empty Host field"};
        return std::nullopt;
    }
    if (out.authority.empty()) out.authority = host;  // the target's own comes first (RFC 9112 3.2.2)
    out.fields = head.fields;
    erase_connection_options(out.fields);
    for (auto name : {"host", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings"}) {
        out.fields.erase(name);
    }
    if (auto value = out.fields.find("priority")) out.priority = parse_priority(out.fields.joined("priority"));
    return out;
}

}  // namespace tandem::http
