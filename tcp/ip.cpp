#include <tandem/tcp/ip.hpp>

#include <algorithm>
#include <cstring>

#include <tandem/bytes/reader.hpp>
#include <tandem/bytes/writer.hpp>
#include <tandem/tcp/checksum.hpp>

namespace tandem::tcp {
namespace {

ip_address read_address(reader& in, bool v6) {
    ip_address a;
    a.is_v6 = v6;
    const auto bytes = in.bytes(a.size());
    std::copy(bytes.begin(), bytes.end(), a.bytes.begin());
    return a;
}

bool is_unspecified(const ip_address& a) {
    return std::all_of(a.bytes.begin(), a.bytes.end(), [](std::uint8_t b) { return b == 0; });
}

// RFC 9293 MUST-57, MUST-63: such segments are silently discarded.
bool usable(const ip_header& h) {
    return !is_multicast(h.source) && !is_multicast(h.destination) && !is_unspecified(h.source) && !is_unspecified(h.destination);
}

// The octet that IPv4 called type of service and IPv6 calls traffic class (RFC 2474 3, RFC 3168 5).
void set_traffic_class(ip_header& h, std::uint8_t octet) {
    h.dscp = octet >> 2;
    h.mark = static_cast<ecn>(octet & 3);
}

drop_reason parse_v4(std::span<const std::uint8_t> bytes, ip_header& out, ip_check check) {
    reader in(bytes);
    const std::size_t header_size = std::size_t{in.u8() & 0x0fu} * 4;
    set_traffic_class(out, in.u8());
    const std::size_t total = in.u16();
    in.skip(2);  // identification
    const auto fragment = in.u16();
    out.hop_limit = in.u8();
    out.protocol = in.u8();
    in.skip(2);  // checksum, verified over the whole header below
    out.source = read_address(in, false);
    out.destination = read_address(in, false);
    if (!in.ok()) return drop_reason::truncated;
    if (header_size < 20 || total < header_size) return drop_reason::bad_ip_header;
    if (bytes.size() < header_size) return drop_reason::truncated;
    if (check == ip_check::whole) {
        if (bytes.size() < total) return drop_reason::truncated;
        checksum sum;
        sum.add(bytes.first(header_size));
        if (!sum.verifies()) return drop_reason::bad_checksum;
        if (!usable(out)) return drop_reason::bad_address;
    }
    if ((fragment & 0x3fff) != 0) return drop_reason::fragment;  // more fragments, or an offset
    out.payload = bytes.subspan(header_size, std::min(total, bytes.size()) - header_size);
    return drop_reason::none;
}

// RFC 8200 4. The reader stands behind the fixed header.
drop_reason skip_extension_headers(reader& in, std::uint8_t& next) {
    constexpr std::uint8_t hop_by_hop = 0, routing = 43, fragment = 44, destination_options = 60;
    for (unsigned i = 0; i < max_extension_headers; ++i) {
        if (next == fragment) {
            next = in.u8();
            in.u8();
            const auto place = in.u16();
            in.u32();
            if (!in.ok()) return drop_reason::truncated;
            if ((place & 0xfff9) != 0) return drop_reason::fragment;  // an offset, or more to come
            continue;                                                 // RFC 8200 4.5: a fragment that is the whole packet
        }
        if (next != hop_by_hop && next != routing && next != destination_options) return drop_reason::none;
        const bool is_routing = next == routing;
        next = in.u8();
        const std::size_t size = (std::size_t{in.u8()} + 1) * 8;
        const auto rest = in.bytes(size - 2);
        if (!in.ok()) return drop_reason::truncated;
        if (is_routing && rest[1] != 0) return drop_reason::bad_ip_header;  // segments left: meant for somebody else
    }
    return drop_reason::bad_ip_header;
}

drop_reason parse_v6(std::span<const std::uint8_t> bytes, ip_header& out, ip_check check) {
    reader in(bytes);
    set_traffic_class(out, static_cast<std::uint8_t>(in.u32() >> 20));
    const std::size_t length = in.u16();
    out.protocol = in.u8();
    out.hop_limit = in.u8();
    out.source = read_address(in, true);
    out.destination = read_address(in, true);
    if (!in.ok()) return drop_reason::truncated;
    if (check == ip_check::whole) {
        if (in.remaining() < length) return drop_reason::truncated;
        if (!usable(out)) return drop_reason::bad_address;
    }
    reader payload(bytes.subspan(40, std::min(length, in.remaining())));
    if (const auto why = skip_extension_headers(payload, out.protocol); why != drop_reason::none) return why;
    out.payload = payload.rest();
    return drop_reason::none;
}

}  // namespace

bool is_multicast(const ip_address& a) { return a.is_v6 ? a.bytes[0] == 0xff : a.bytes[0] >= 224; }

drop_reason parse_ip(std::span<const std::uint8_t> bytes, ip_header& out, ip_check check) {
    if (bytes.empty()) return drop_reason::truncated;
    switch (bytes[0] >> 4) {
        case 4:
            return parse_v4(bytes, out, check);
        case 6:
            return parse_v6(bytes, out, check);
        default:
            return drop_reason::bad_ip_header;
    }
}

void write_ip_header(const ip_header& header, std::size_t payload_size, std::uint8_t* out) {
    writer w({out, ip_header_size(header.source.is_v6)});
    const auto traffic_class = static_cast<std::uint8_t>(header.dscp << 2 | static_cast<std::uint8_t>(header.mark));
    if (header.source.is_v6) {
        w.u32(std::uint32_t{6} << 28 | std::uint32_t{traffic_class} << 20);
        w.u16(static_cast<std::uint16_t>(payload_size));
        w.u8(header.protocol);
        w.u8(header.hop_limit);
        w.bytes(header.source.bytes);
        w.bytes(header.destination.bytes);
        return;
    }
    w.u8(0x45);
    w.u8(traffic_class);
    w.u16(static_cast<std::uint16_t>(20 + payload_size));
    w.u16(0);
    w.u16(0x4000);
    w.u8(header.hop_limit);
    w.u8(header.protocol);
    w.u16(0);
    w.bytes(std::span(header.source.bytes).first(4));
    w.bytes(std::span(header.destination.bytes).first(4));
    checksum sum;
    sum.add({out, 20});
    sum.store(out + 10);
}

}  // namespace tandem::tcp
