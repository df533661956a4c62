#include <tandem/http/udp_proxying.hpp>

#include <algorithm>
#include <charconv>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/reader.hpp>
#include <tandem/http/url.hpp>

namespace tandem::http {
namespace {

constexpr std::string_view prefix = "/.well-known/masque/udp/";
constexpr std::size_t max_host = 253;  // RFC 1035 2.3.4

// A name that DNS may know, or an address.
bool is_host(std::string_view host) {
    if (host.empty() || host.size() > max_host) return false;
    if (ip_address::parse(host)) return true;
    return std::all_of(host.begin(), host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
    });
}

}  // namespace

std::string path_of(const udp_target& target) {
    std::string host;
    for (char c : target.host) host += c == ':' ? "%3A" : std::string(1, c);  // RFC 9298 3.1: colons are escaped
    return std::string(prefix) + host + '/' + std::to_string(target.port) + '/';
}

std::optional<udp_target> target_of(std::string_view path) {
    if (!path.starts_with(prefix) || !path.ends_with('/')) return std::nullopt;
    path = path.substr(prefix.size(), path.size() - prefix.size() - 1);
    const auto slash = path.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    auto host = percent_decode(path.substr(0, slash));
    const auto digits = path.substr(slash + 1);
    udp_target out;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
    if (!host || !is_host(*host) || error != std::errc() || end != digits.data() + digits.size() || out.port == 0)
        return std::nullopt;
    out.host = std::move(*host);
    return out;
}

std::vector<std::uint8_t> wrap_udp_payload(std::span<const std::uint8_t> payload) {
    std::vector<std::uint8_t> out;
    out.reserve(1 + payload.size());
    out.push_back(0);
    out.insert(out.end(), payload.begin(), payload.end());
    return out;
}

udp_datagram unwrap_udp_payload(std::span<const std::uint8_t> datagram) {
    reader in(datagram);
    const auto context = in.varint();
    if (!in.ok()) return {};
    if (context != 0) return {udp_datagram_kind::other_context, {}};
    const auto payload = in.rest();
    return {payload.size() > max_udp_payload ? udp_datagram_kind::malformed : udp_datagram_kind::payload, payload};
}

}  // namespace tandem::http
