#include <tandem/http/alt_svc.hpp>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <utility>

#include <tandem/http/message.hpp>

namespace tandem::http {
namespace {

// A cursor over an Alt-Svc field (RFC 7838 3).
class cursor {
public:
    explicit cursor(std::string_view text) : text_(text) {}
    bool empty() const { return text_.empty(); }
    bool take(char c) {
        if (text_.empty() || text_.front() != c) return false;
        text_.remove_prefix(1);
        return true;
    }
    void skip_white_space() {
        while (take(' ') || take('\t')) {
        }
    }
    std::string_view token() {
        std::size_t n = 0;
        while (n < text_.size() && is_token(text_.substr(n, 1))) ++n;
        auto out = text_.substr(0, n);
        text_.remove_prefix(n);
        return out;
    }
    std::optional<std::string> quoted() {
        if (!take('"')) return std::nullopt;
        std::string out;
        while (!text_.empty()) {
            if (take('"')) return out;
            if (take('\\') && text_.empty()) return std::nullopt;
            out += text_.front();
            text_.remove_prefix(1);
        }
        return std::nullopt;
    }

private:
    std::string_view text_;
};

template <class Number>
std::optional<Number> number(std::string_view text) {
    Number n{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return n;
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        unsigned value = 0;
        if (i + 2 >= text.size()) return std::nullopt;
        const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
        if (error != std::errc{} || end != text.data() + i + 3) return std::nullopt;
        out += static_cast<char>(value);
        i += 2;
    }
    return out;
}

bool take_authority(std::string_view text, alternative& out) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return false;
    const auto port = number<std::uint16_t>(text.substr(colon + 1));
    if (!port || *port == 0) return false;
    out.host = to_lower(text.substr(0, colon));
    out.port = *port;
    return out.host.empty() || is_authority(out.host);
}

bool take_parameters(cursor& in, alternative& out) {
    for (in.skip_white_space(); in.take(';'); in.skip_white_space()) {
        in.skip_white_space();
        const auto name = in.token();
        if (name.empty() || !in.take('=')) return false;
        auto value = in.quoted();
        if (!value) value = std::string(in.token());
        if (name == "ma") {
            if (auto age = number<std::uint64_t>(*value)) out.max_age = *age;
        } else if (name == "persist") {
            out.persist = *value == "1";
        }
    }
    return true;
}

std::string key_of(std::string_view origin, std::string_view alpn) { return std::string(origin) + ' ' + std::string(alpn); }

std::string_view host_of(std::string_view origin) {
    if (auto scheme = origin.find("://"); scheme != std::string_view::npos) origin.remove_prefix(scheme + 3);
    return origin.substr(0, origin.rfind(':'));
}

}  // namespace

std::optional<std::vector<alternative>> parse_alt_svc(std::string_view value) {
    std::vector<alternative> out;
    cursor in(value);
    in.skip_white_space();
    if (value.find("clear") != std::string_view::npos) {
        cursor clear(value);
        clear.skip_white_space();
        if (clear.token() == "clear" && (clear.skip_white_space(), clear.empty())) return out;
    }
    for (bool more = true; more;) {
        in.skip_white_space();
        alternative a;
        const auto alpn = percent_decoded(in.token());
        if (!alpn || alpn->empty() || !in.take('=')) return std::nullopt;
        const auto authority = in.quoted();
        if (!authority || !take_authority(*authority, a) || !take_parameters(in, a)) return std::nullopt;
        a.alpn = *alpn;
        out.push_back(std::move(a));
        more = in.take(',');
    }
    if (!in.empty()) return std::nullopt;
    return out;
}

void alt_svc_cache::learn(std::string_view origin, std::string_view value, std::uint64_t age, std::int64_t now) {
    const auto said = parse_alt_svc(value);
    if (!said) return;
    std::vector<entry> entries;
    for (const auto& a : *said) {
        if (a.max_age <= age || entries.size() == max_alternatives) continue;
        entries.push_back({a, now + static_cast<std::int64_t>(std::min(a.max_age - age, longest_age))});
    }
    forget(origin);  // RFC 7838 3: what is said replaces what was said before
    if (entries.empty()) return;
    if (origins_.size() == max_origins) make_room();
    origins_.emplace(origin, std::move(entries));
}

void alt_svc_cache::make_room() {
    auto first = std::min_element(origins_.begin(), origins_.end(), [](const auto& a, const auto& b) {
        return a.second.front().until < b.second.front().until;
    });
    origins_.erase(first);
}

void alt_svc_cache::forget(std::string_view origin) {
    if (auto it = origins_.find(origin); it != origins_.end()) origins_.erase(it);
}

std::optional<alternative> alt_svc_cache::find(std::string_view origin, std::string_view alpn, std::int64_t now) const {
    const auto it = origins_.find(origin);
    if (it == origins_.end() || is_broken(origin, alpn, now)) return std::nullopt;
    for (const auto& e : it->second) {
        const bool here = e.what.host.empty() || e.what.host == host_of(origin);
        if (e.what.alpn == alpn && e.until > now && here) return e.what;
    }
    return std::nullopt;
}

void alt_svc_cache::broken(std::string_view origin, std::string_view alpn, std::int64_t now) {
    if (broken_.size() >= max_origins) {
        std::erase_if(broken_, [&](const auto& b) { return b.second.until <= now; });
        if (broken_.size() >= max_origins) broken_.erase(broken_.begin());
    }
    auto& f = broken_[key_of(origin, alpn)];
    f.until = now + std::min(longest_break, first_break << std::min(f.count, 10u));
    ++f.count;
}

void alt_svc_cache::worked(std::string_view origin, std::string_view alpn) { broken_.erase(key_of(origin, alpn)); }

bool alt_svc_cache::is_broken(std::string_view origin, std::string_view alpn, std::int64_t now) const {
    const auto it = broken_.find(key_of(origin, alpn));
    return it != broken_.end() && it->second.until > now;
}

void alt_svc_cache::network_changed() {
    broken_.clear();
    for (auto it = origins_.begin(); it != origins_.end();) {
        std::erase_if(it->second, [](const entry& e) { return !e.what.persist; });
        it = it->second.empty() ? origins_.erase(it) : std::next(it);
    }
}

// alt ORIGIN ALPN HOST|- PORT UNTIL PERSIST, broken ORIGIN ALPN UNTIL COUNT
std::string alt_svc_cache::save() const {
    std::ostringstream out;
    out << "# Alternative services (RFC 7838). Written by tandem; lines may be deleted.\n";
    for (const auto& [origin, entries] : origins_) {
        for (const auto& e : entries) {
            out << "alt " << origin << ' ' << e.what.alpn << ' ' << (e.what.host.empty() ? "-" : e.what.host) << ' ' << e.what.port << ' ' << e.until
                << ' ' << e.what.persist << '\n';
        }
    }
    for (const auto& [key, f] : broken_) out << "broken " << key << ' ' << f.until << ' ' << f.count << '\n';
    return out.str();
}

void alt_svc_cache::load(std::string_view text, std::int64_t now) {
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream in(line);
        std::string kind, origin, alpn;
        in >> kind >> origin >> alpn;
        if (kind == "alt") {
            entry e;
            in >> e.what.host >> e.what.port >> e.until >> e.what.persist;
            if (!in || e.until <= now || e.until - now > static_cast<std::int64_t>(longest_age)) continue;
            e.what.alpn = alpn;
            if (e.what.host == "-") e.what.host.clear();
            e.what.max_age = static_cast<std::uint64_t>(e.until - now);
            if (!origins_.contains(origin) && origins_.size() == max_origins) make_room();
            auto& entries = origins_[origin];
            if (entries.size() < max_alternatives) entries.push_back(std::move(e));
        } else if (kind == "broken") {
            failure f;
            in >> f.until >> f.count;
            if (in && f.until > now && f.until - now <= longest_break && broken_.size() < max_origins) broken_[key_of(origin, alpn)] = f;
        }
    }
}

}  // namespace tandem::http
