// Which targets a UDP proxy may reach.
#include <algorithm>
#include <array>
#include <charconv>

#include <tandem/net/udp_proxy.hpp>

namespace tandem::net {

namespace {

bool has_prefix(const ip_address& address, const ip_address& of, unsigned bits) {
    if (address.is_v6 != of.is_v6) return false;
    for (unsigned i = 0; i < bits; ++i) {
        const auto mask = 0x80 >> (i % 8);
        if ((address.bytes[i / 8] & mask) != (of.bytes[i / 8] & mask)) return false;
    }
    return true;
}

// ::ffff:192.0.2.1 is 192.0.2.1 on the wire.
ip_address without_mapping(const ip_address& address) {
    static const auto mapped = *ip_address::parse("::ffff:0:0");
    if (!address.is_v6 || !has_prefix(address, mapped, 96)) return address;
    return ip_address::v4(address.bytes[12], address.bytes[13], address.bytes[14], address.bytes[15]);
}

template <class Number>
bool parse_number(std::string_view text, Number& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
}

struct block {
    const char* address;
    unsigned bits;
};
// RFC 6890 and its registries: what is not globally reachable, or leads elsewhere by translation or tunnels.
constexpr std::array special{
    block{"0.0.0.0", 8},      block{"10.0.0.0", 8},     block{"100.64.0.0", 10}, block{"127.0.0.0", 8},
    block{"169.254.0.0", 16}, block{"172.16.0.0", 12},  block{"192.0.0.0", 24},  block{"192.0.2.0", 24},
    block{"192.88.99.0", 24}, block{"192.168.0.0", 16}, block{"198.18.0.0", 15}, block{"198.51.100.0", 24},
    block{"203.0.113.0", 24}, block{"224.0.0.0", 4},    block{"240.0.0.0", 4},   block{"2001::", 23},
    block{"2001:db8::", 32},  block{"2002::", 16},      block{"3fff::", 20}};

}  // namespace

bool is_public(const ip_address& given) {
    const auto address = without_mapping(given);
    static const auto global_unicast = *ip_address::parse("2000::");
    if (address.is_v6 && !has_prefix(address, global_unicast, 3)) return false;
    return std::none_of(special.begin(), special.end(),
                        [&](const block& b) { return has_prefix(address, *ip_address::parse(b.address), b.bits); });
}

bool udp_proxy_rule::matches(const ip_endpoint& target) const {
    return target.port >= first_port && target.port <= last_port && has_prefix(without_mapping(target.address), address, prefix);
}

std::optional<udp_proxy_rule> udp_proxy_rule::parse(std::string_view text) {
    const bool bracketed = text.starts_with('[');
    const auto end = bracketed ? text.find(']') : std::min(text.find_first_of("/:"), text.size());
    if (end == std::string_view::npos) return std::nullopt;
    const auto address = ip_address::parse(text.substr(bracketed, end - bracketed));
    if (!address || address->is_v6 != bracketed) return std::nullopt;
    text.remove_prefix(end + bracketed);
    const auto most = static_cast<unsigned>(8 * address->size());
    udp_proxy_rule out{*address, most};
    if (text.starts_with('/')) {
        const auto until = std::min(text.find(':'), text.size());
        if (!parse_number(text.substr(1, until - 1), out.prefix) || out.prefix > most) return std::nullopt;
        text.remove_prefix(until);
    }
    if (text.empty()) return out;
    const auto dash = text.find('-');
    const auto first = text.substr(1, dash == std::string_view::npos ? dash : dash - 1);
    if (text.front() != ':' || !parse_number(first, out.first_port) || out.first_port == 0) return std::nullopt;
    out.last_port = out.first_port;
    if (dash != std::string_view::npos && !parse_number(text.substr(dash + 1), out.last_port)) return std::nullopt;
    return out.last_port < out.first_port ? std::nullopt : std::optional(out);
}

}  // namespace tandem::net
