#include <tandem/http/redirect.hpp>

namespace tandem::http {

namespace {

// RFC 3986 5.2.4, for a path that begins with '/'.
std::string remove_dot_segments(std::string_view path) {
    std::string out;
    while (!path.empty()) {
        auto end = path.find('/', 1);
        auto segment = path.substr(0, end);
        const bool last = end == std::string_view::npos;
        path.remove_prefix(last ? path.size() : end);
        if (segment == "/.." || segment == "/.") {
            if (segment == "/..") out.erase(out.rfind('/') == std::string::npos ? 0 : out.rfind('/'));
            if (last) out += '/';
        } else {
            out += segment;
        }
    }
    return out.empty() ? "/" : out;
}

bool has_scheme(std::string_view reference) {
    auto colon = reference.find(':');
    return colon != std::string_view::npos && colon < reference.find_first_of("/?#");
}

}  // namespace

std::optional<url> resolve_reference(const url& base, std::string_view reference, std::string& why) {
    reference = reference.substr(0, reference.find('#'));
    std::string absolute;
    if (has_scheme(reference)) {
        if (reference.find("://") == std::string_view::npos) return why = "the scheme is neither http nor https", std::nullopt;
        absolute = reference;
    } else if (reference.starts_with("//")) {
        absolute = base.scheme + ':' + std::string(reference);
    } else {
        auto path = std::string_view(base.path).substr(0, base.path.find('?'));
        absolute = base.scheme + "://" + base.authority();
        if (reference.empty())
            absolute += base.path;
        else if (reference.starts_with('/'))
            absolute += reference;
        else if (reference.starts_with('?'))
            absolute += std::string(path) + std::string(reference);
        else
            absolute += std::string(path.substr(0, path.rfind('/') + 1)) + std::string(reference);
    }
    auto out = parse_url(absolute, why);
    if (!out) return out;
    auto query = std::min(out->path.find('?'), out->path.size());
    out->path = remove_dot_segments(std::string_view(out->path).substr(0, query)) + out->path.substr(query);
    return out;
}

std::optional<redirection> redirection_of(const url& asked, std::string_view method, const response& answer) {
    const int status = answer.status;
    if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308) return std::nullopt;
    auto location = answer.fields.find("location");
    std::string ignored;
    auto to = location ? resolve_reference(asked, *location, ignored) : std::nullopt;
    if (!to) return std::nullopt;
    redirection out{std::move(*to), std::string(method), false, false};
    out.other_origin = out.to.origin() != asked.origin();
    if ((status == 303 && method != "HEAD") || (status <= 302 && method == "POST")) {
        out.method = "GET";
        out.drops_body = true;
    }
    return out;
}

void strip_fields(fields& list, const redirection& r) {
    if (r.drops_body) {
        for (auto name : {"content-type", "content-length", "content-encoding", "content-language", "content-location", "expect"})
            list.erase(name);
    }
    if (r.other_origin) {
        for (auto name : {"authorization", "cookie", "proxy-authorization"}) list.erase(name);
    }
}

}  // namespace tandem::http
