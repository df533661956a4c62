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

// Of an ICMP message; ICMPv6's covers a pseudo header too (RFC 4443 2.3).
checksum sum_of(const ip_header& ip, std::span<const std::uint8_t> message) {
    checksum out;
    if (ip.source.is_v6) out.add_pseudo_header(ip.source, ip.destination, protocol::icmp_v6, message.size());
    out.add(message);
    return out;
}

bool is_icmp(const ip_header& ip) { return ip.protocol == (ip.source.is_v6 ? protocol::icmp_v6 : protocol::icmp); }

}  // namespace

std::optional<icmp_error> parse_icmp_error(std::span<const std::uint8_t> packet) {
    ip_header ip;
    if (parse_ip(packet, ip) != drop_reason::none) return std::nullopt;
    const bool v6 = ip.source.is_v6;
    if (!is_icmp(ip) || !sum_of(ip, ip.payload).verifies()) return std::nullopt;

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

std::vector<std::uint8_t> answer_echo_request(std::span<const std::uint8_t> packet) {
    constexpr std::uint8_t request_v4 = 8, reply_v4 = 0, request_v6 = 128, reply_v6 = 129;
    constexpr std::size_t smallest = 8;  // type, code, checksum, identifier, sequence number
    ip_header ip;
    if (parse_ip(packet, ip) != drop_reason::none || !is_icmp(ip) || ip.payload.size() < smallest) return {};
    const bool v6 = ip.source.is_v6;
    if (ip.payload[0] != (v6 ? request_v6 : request_v4) || ip.payload[1] != 0 || !sum_of(ip, ip.payload).verifies()) return {};
    ip_header answer;
    answer.source = ip.destination;
    answer.destination = ip.source;
    answer.protocol = ip.protocol;
    answer.dscp = ip.dscp;
    const auto header = ip_header_size(v6);
    std::vector<std::uint8_t> out(header + ip.payload.size());
    write_ip_header(answer, ip.payload.size(), out.data());
    const auto message = std::span(out).subspan(header);
    std::copy(ip.payload.begin(), ip.payload.end(), message.begin());
    message[0] = v6 ? reply_v6 : reply_v4;
    message[2] = message[3] = 0;
    sum_of(answer, message).store(message.data() + 2);
    return out;
}

}  // namespace tandem::tcp
