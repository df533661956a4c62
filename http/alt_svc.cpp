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

// In keys and in the file: one word.
std::string word(std::string_view text) {
    std::string out(text.empty() ? "-" : text);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c <= ' ' || c == 0x7f; }, '_');
    return out;
}

std::string key_of(std::string_view origin, std::string_view network) { return word(origin) + ' ' + word(network); }
std::string key_of(std::string_view origin, std::string_view network, std::string_view alpn) {
    return key_of(origin, network) + ' ' + word(alpn);
}

// The one that ends first goes where there is no room for one more.
template <class Map, class End>
void make_room(Map& map, const std::string& key, End end) {
    if (map.size() < alt_svc_cache::max_origins || map.contains(key)) return;
    map.erase(
        std::min_element(map.begin(), map.end(), [&](const auto& a, const auto& b) { return end(a.second) < end(b.second); }));
}
constexpr auto ends = [](const auto& e) { return e.until; };
constexpr auto first_ends = [](const auto& list) { return list.front().until; };

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

void alt_svc_cache::learn(std::string_view origin, std::string_view network, std::string_view value, std::uint64_t age,
                          std::int64_t now) {
    const auto said = parse_alt_svc(value);
    if (!said) return;
    std::vector<entry> entries;
    for (const auto& a : *said) {
        if (a.max_age <= age || entries.size() == max_alternatives) continue;
        entries.push_back({a, now + static_cast<std::int64_t>(std::min(a.max_age - age, longest_age)), word(network)});
    }
    forget(origin);  // RFC 7838 3: what is said replaces what was said before
    if (entries.empty()) return;
    make_room(origins_, std::string(origin), first_ends);
    origins_.emplace(origin, std::move(entries));
}

void alt_svc_cache::forget(std::string_view origin) {
    if (auto it = origins_.find(origin); it != origins_.end()) origins_.erase(it);
}

std::optional<alternative> alt_svc_cache::find(std::string_view origin, std::string_view network, std::string_view alpn,
                                               std::int64_t now) const {
    const auto it = origins_.find(origin);
    if (it == origins_.end() || is_broken(origin, network, alpn, now)) return std::nullopt;
    for (const auto& e : it->second) {
        const bool here = e.what.host.empty() || e.what.host == host_of(origin);
        const bool holds = e.what.persist || e.network == word(network);
        if (e.what.alpn == alpn && e.until > now && here && holds) return e.what;
    }
    return std::nullopt;
}

void alt_svc_cache::broken(std::string_view origin, std::string_view network, std::string_view alpn, std::int64_t now) {
    const auto key = key_of(origin, network, alpn);
    make_room(broken_, key, ends);
    auto& f = broken_[key];
    if (f.until + longest_break <= now) f.count = 0;
    f.until = now + std::min(longest_break, first_break << std::min(f.count, 10u));
    ++f.count;
}

void alt_svc_cache::worked(std::string_view origin, std::string_view network, std::string_view alpn) {
    broken_.erase(key_of(origin, network, alpn));
}

bool alt_svc_cache::is_broken(std::string_view origin, std::string_view network, std::string_view alpn, std::int64_t now) const {
    const auto it = broken_.find(key_of(origin, network, alpn));
    return it != broken_.end() && it->second.until > now;
}

void alt_svc_cache::visited(std::string_view origin, std::string_view network, std::string_view alpn, duration round_trip,
                            std::int64_t now) {
    if (round_trip <= duration::zero() || round_trip > longest_round_trip) return;
    const auto key = key_of(origin, network);
    make_room(visits_, key, ends);
    visits_[key] = {round_trip, word(alpn), now + visit_age};
}

std::optional<alt_svc_cache::visit> alt_svc_cache::last_visit(std::string_view origin, std::string_view network,
                                                              std::int64_t now) const {
    const auto it = visits_.find(key_of(origin, network));
    if (it == visits_.end() || it->second.until <= now) return std::nullopt;
    return it->second;
}

// alt ORIGIN ALPN HOST|- PORT UNTIL PERSIST NETWORK, broken ORIGIN NETWORK ALPN UNTIL COUNT, visit ORIGIN NETWORK ALPN UNTIL
// MICROSECONDS
std::string alt_svc_cache::save() const {
    std::ostringstream out;
    out << "# Alternative services (RFC 7838), round trips, and where QUIC did not work. Written by tandem; lines may be "
           "deleted.\n";
    for (const auto& [origin, entries] : origins_) {
        for (const auto& e : entries) {
            out << "alt " << origin << ' ' << e.what.alpn << ' ' << (e.what.host.empty() ? "-" : e.what.host) << ' '
                << e.what.port << ' ' << e.until << ' ' << e.what.persist << ' ' << e.network << '\n';
        }
    }
    for (const auto& [key, f] : broken_) out << "broken " << key << ' ' << f.until << ' ' << f.count << '\n';
    for (const auto& [key, v] : visits_) {
        const auto trip = std::chrono::duration_cast<std::chrono::microseconds>(v.round_trip).count();
        out << "visit " << key << ' ' << v.alpn << ' ' << v.until << ' ' << trip << '\n';
    }
    return out.str();
}

void alt_svc_cache::load(std::string_view text, std::int64_t now) {
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) load_line(line, now);
}

void alt_svc_cache::load_line(const std::string& line, std::int64_t now) {
    std::istringstream in(line);
    std::string kind, origin, network;
    in >> kind >> origin;
    if (kind == "alt") {
        entry e;
        in >> e.what.alpn >> e.what.host >> e.what.port >> e.until >> e.what.persist >> e.network;
        if (!in || e.until <= now || e.until - now > static_cast<std::int64_t>(longest_age)) return;
        if (e.what.host == "-") e.what.host.clear();
        e.what.max_age = static_cast<std::uint64_t>(e.until - now);
        make_room(origins_, origin, first_ends);
        auto& entries = origins_[origin];
        if (entries.size() < max_alternatives) entries.push_back(std::move(e));
    } else if (kind == "broken") {
        failure f;
        std::string alpn;
        in >> network >> alpn >> f.until >> f.count;
        if (!in || f.until + longest_break <= now || f.until - now > longest_break) return;
        const auto key = key_of(origin, network, alpn);
        make_room(broken_, key, ends);
        broken_[key] = f;
    } else if (kind == "visit") {
        visit v;
        std::int64_t trip = 0;
        in >> network >> v.alpn >> v.until >> trip;
        const auto longest = std::chrono::duration_cast<std::chrono::microseconds>(longest_round_trip).count();
        if (!in || v.until <= now || v.until - now > visit_age || trip <= 0 || trip > longest) return;
        v.round_trip = std::chrono::microseconds(trip);
        const auto key = key_of(origin, network);
        make_room(visits_, key, ends);
        visits_[key] = std::move(v);
    }
}

}  // namespace tandem::http
