#include <tandem/http/service_binding.hpp>

#include <algorithm>

#include <tandem/http/domain_label.hpp>

namespace tandem::http {
namespace {

// RFC 9460 14.3.2
enum key : std::uint16_t { mandatory = 0, alpn = 1, no_default_alpn = 2, port = 3, ipv4_hint = 4, ipv6_hint = 6 };

bool is_understood(std::uint16_t k) { return k <= ipv4_hint || k == ipv6_hint; }

// 8: increasing, without itself, and nothing that is not there. What is there is known when the record was read to its end.
bool read_mandatory(reader in, std::vector<std::uint16_t>& out) {
    if (in.empty()) return false;
    while (in.ok() && !in.empty()) {
        const auto k = in.u16();
        if (k == mandatory || (!out.empty() && k <= out.back())) return false;
        out.push_back(k);
    }
    return in.ok();
}

bool read_alpn(reader in, service_binding& out) {
    if (in.empty()) return false;
    while (in.ok() && !in.empty()) {
        const auto id = in.bytes(in.u8());
        if (!in.ok() || id.empty()) return false;
        if (out.alpn.size() < max_service_protocols) out.alpn.emplace_back(id.begin(), id.end());
    }
    return in.ok();
}

bool read_hints(reader in, bool v6, std::vector<ip_address>& out) {
    const std::size_t size = v6 ? 16 : 4;
    if (in.empty() || in.remaining() % size != 0) return false;
    while (!in.empty()) {
        ip_address a;
        a.is_v6 = v6;
        const auto bytes = in.bytes(size);
        std::copy(bytes.begin(), bytes.end(), a.bytes.begin());
        if (out.size() < max_service_hints) out.push_back(a);
    }
    return true;
}

// The parameters of ServiceMode; keys come in increasing order, each once (2.2).
bool read_parameters(reader& in, service_binding& out) {
    std::vector<std::uint16_t> needed, present;
    std::vector<ip_address> four, six;
    while (in.ok() && !in.empty()) {
        const auto k = in.u16();
        const auto value = in.bytes(in.u16());
        if (!in.ok() || (!present.empty() && k <= present.back())) return false;
        present.push_back(k);
        reader inner(value);
        bool good = true;
        switch (k) {
            case mandatory:
                good = read_mandatory(inner, needed);
                break;
            case alpn:
                good = read_alpn(inner, out);
                break;
            case no_default_alpn:
                good = value.empty(), out.no_default_alpn = true;
                break;
            case port:
                good = value.size() == 2, out.port = inner.u16();
                break;
            case ipv4_hint:
                good = read_hints(inner, false, four);
                break;
            case ipv6_hint:
                good = read_hints(inner, true, six);
                break;
            default:
                break;
        }
        if (!good) return false;
    }
    for (const auto k : needed) {
        if (!std::binary_search(present.begin(), present.end(), k)) return false;
        out.usable = out.usable && is_understood(k);
    }
    if (out.no_default_alpn && out.alpn.empty()) out.usable = false;  // 7.1.1
    if (out.port == 0) out.usable = false;
    out.hints = std::move(six);
    out.hints.insert(out.hints.end(), four.begin(), four.end());
    return in.ok();
}

}  // namespace

bool service_binding::offers(std::string_view protocol) const {
    return std::find(alpn.begin(), alpn.end(), protocol) != alpn.end();
}

std::string read_domain_name(reader& in) {
    std::string out;
    while (in.ok()) {
        const auto size = in.u8();
        if (size == 0) break;
        if (size > longest_label || !append_label(out, in.bytes(size))) in.fail();
    }
    return in.ok() ? out : std::string();
}

std::optional<service_binding> parse_service_binding(std::span<const std::uint8_t> rdata) {
    service_binding out;
    reader in(rdata);
    out.priority = in.u16();
    out.target = read_domain_name(in);
    if (!in.ok()) return std::nullopt;
    if (out.is_alias()) return out;  // 2.4.2: parameters are ignored
    if (!read_parameters(in, out)) return std::nullopt;
    return out;
}

}  // namespace tandem::http
