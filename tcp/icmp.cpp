#include <tandem/tcp/icmp.hpp>

#include <algorithm>

#include <tandem/bytes/reader.hpp>
#include <tandem/tcp/checksum.hpp>
#include <tandem/tcp/ip.hpp>

namespace tandem::tcp {
namespace {

// The type and code of an error, and 32 bits whose meaning depends on them.
struct message {
    std::uint8_t type = 0;
    std::uint8_t code = 0;
    std::uint32_t rest = 0;
};

std::optional<icmp_error> classify_v4(const message& m) {
    constexpr std::uint8_t destination_unreachable = 3;
    if (m.type != destination_unreachable) return std::nullopt;  // source quench is ignored: RFC 9293 MUST-55
    icmp_error out;
    switch (m.code) {
        case 2:
        case 3:
            out.what = icmp_error::kind::refused;
            break;
        case 4:
            out.what = icmp_error::kind::packet_too_big;
            out.mtu = static_cast<std::uint16_t>(m.rest);  // RFC 1191 4
            break;
        default:
            out.what = icmp_error::kind::unreachable;
            break;
    }
    return out;
}

std::optional<icmp_error> classify_v6(const message& m) {
    icmp_error out;
    if (m.type == 1) {
        out.what = m.code == 4 ? icmp_error::kind::refused : icmp_error::kind::unreachable;
    } else if (m.type == 2) {
        out.what = icmp_error::kind::packet_too_big;
        out.mtu = static_cast<std::uint16_t>(std::min<std::uint32_t>(m.rest, 65535));
    } else {
        return std::nullopt;
    }
    return out;
}

}  // namespace

std::optional<icmp_error> parse_icmp_error(std::span<const std::uint8_t> packet) {
    ip_header ip;
    if (parse_ip(packet, ip) != drop_reason::none) return std::nullopt;
    const bool v6 = ip.source.is_v6;
    if (ip.protocol != (v6 ? protocol::icmp_v6 : protocol::icmp)) return std::nullopt;
    checksum sum;
    if (v6) sum.add_pseudo_header(ip.source, ip.destination, protocol::icmp_v6, ip.payload.size());
    sum.add(ip.payload);
    if (!sum.verifies()) return std::nullopt;

    reader in(ip.payload);
    message m;
    m.type = in.u8();
    m.code = in.u8();
    in.skip(2);
    m.rest = in.u32();
    if (!in.ok()) return std::nullopt;
    auto out = v6 ? classify_v6(m) : classify_v4(m);
    ip_header quoted;
    if (!out || parse_ip(in.rest(), quoted, ip_check::quoted) != drop_reason::none) return std::nullopt;
    if (quoted.protocol != protocol::tcp || quoted.source.is_v6 != v6) return std::nullopt;
    reader tcp(quoted.payload);
    const auto source = tcp.u16();
    const auto destination = tcp.u16();
    out->sequence = tcp.u32();
    if (!tcp.ok()) return std::nullopt;
    out->path = {{quoted.source, source}, {quoted.destination, destination}};
    return out;
}

}  // namespace tandem::tcp
