#include <tandem/tcp/segment.hpp>

#include <cstring>

#include <tandem/bytes/reader.hpp>
#include <tandem/bytes/writer.hpp>
#include <tandem/tcp/checksum.hpp>

namespace tandem::tcp {
namespace {

namespace kind {
constexpr std::uint8_t end = 0, no_operation = 1, mss = 2, window_scale = 3, sack_permitted = 4, sack = 5, timestamps = 8,
                       user_timeout = 28;
}

constexpr std::size_t header_size = 20;

void parse_option(std::uint8_t k, reader value, segment_options& out) {
    const auto size = value.remaining();
    if (k == kind::mss && size == 2) {
        out.mss = value.u16();
    } else if (k == kind::window_scale && size == 1) {
        out.window_scale = value.u8();
    } else if (k == kind::sack_permitted && size == 0) {
        out.sack_permitted = true;
    } else if (k == kind::timestamps && size == 8) {
        const auto v = value.u32();
        out.timestamps = timestamp_option{v, value.u32()};
    } else if (k == kind::user_timeout && size == 2) {
        out.user_timeout = value.u16();
    } else if (k == kind::sack && size % 8 == 0) {
        out.sack = {};
        out.sack_count = 0;
        while (!value.empty()) {
            const auto begin = value.u32();
            out.add_sack({begin, value.u32()});
        }
    }
}

segment_options parse_options(reader in) {
    segment_options out;
    while (!in.empty()) {
        const auto k = in.u8();
        if (k == kind::end) break;
        if (k == kind::no_operation) continue;
        const auto length = in.u8();
        if (!in.ok() || length < 2 || length - 2u > in.remaining()) break;  // RFC 9293 MUST-7
        parse_option(k, reader(in.bytes(length - 2u)), out);
    }
    return out;
}

struct layout {
    std::size_t size = 0;
    bool aligned = true;
};

// Numbers of four bytes lie on multiples of four, as everybody sends them, unless that is more than 40 bytes.
layout lay_out(const segment_options& o) {
    const std::size_t sack = o.sack_count == 0 ? 0 : 2 + std::size_t{o.sack_count} * 8;
    std::size_t aligned = (o.mss ? 4 : 0) + (o.window_scale ? 4 : 0) + (o.timestamps ? 12 : o.sack_permitted ? 4 : 0);
    aligned += (sack == 0 ? 0 : sack + 2) + (o.user_timeout ? 4 : 0);
    if (aligned <= max_options_size) return {aligned, true};
    const auto packed = (o.mss ? 4 : 0) + (o.window_scale ? 3 : 0) + (o.timestamps ? 10 : 0) + (o.sack_permitted ? 2 : 0) + sack +
                        (o.user_timeout ? 4 : 0);
    return {(packed + 3) / 4 * 4, false};
}

void write_options(const segment_options& o, const layout& how, writer& w) {
    const auto align = [&](std::size_t n) {
        for (; how.aligned && n > 0; --n) w.u8(kind::no_operation);
    };
    const auto end = w.size() + how.size;
    if (o.mss) {
        w.u8(kind::mss);
        w.u8(4);
        w.u16(*o.mss);
    }
    if (o.sack_permitted || o.timestamps) align(o.sack_permitted && o.timestamps ? 0 : 2);
    if (o.sack_permitted) {
        w.u8(kind::sack_permitted);
        w.u8(2);
    }
    if (o.timestamps) {
        w.u8(kind::timestamps);
        w.u8(10);
        w.u32(o.timestamps->value);
        w.u32(o.timestamps->echo);
    }
    if (o.window_scale) {
        align(1);
        w.u8(kind::window_scale);
        w.u8(3);
        w.u8(*o.window_scale);
    }
    if (o.user_timeout) {
        w.u8(kind::user_timeout);
        w.u8(4);
        w.u16(*o.user_timeout);
    }
    if (o.sack_count > 0) {
        align(2);
        w.u8(kind::sack);
        w.u8(static_cast<std::uint8_t>(2 + o.sack_count * 8));
        for (const auto& block : o.sack_blocks()) {
            w.u32(block.begin);
            w.u32(block.end);
        }
    }
    while (w.ok() && w.size() < end) w.u8(kind::end);  // RFC 9293 MUST-69
}

void write_header(const segment& s, const layout& options, writer& w) {
    w.u16(s.source_port);
    w.u16(s.destination_port);
    w.u32(s.sequence);
    w.u32(s.acknowledgment);
    w.u8(static_cast<std::uint8_t>((header_size + options.size) / 4 << 4));
    w.u8(s.flags);
    w.u16(s.window);
    w.u16(0);  // checksum, stored when the payload is there
    w.u16(s.urgent_pointer);
    write_options(s.options, options, w);
}

}  // namespace

std::optional<segment> parse_segment(std::span<const std::uint8_t> bytes) {
    reader in(bytes);
    segment s;
    s.source_port = in.u16();
    s.destination_port = in.u16();
    s.sequence = in.u32();
    s.acknowledgment = in.u32();
    const std::size_t data_offset = std::size_t{in.u8()} >> 4 << 2;
    s.flags = in.u8();
    s.window = in.u16();
    in.skip(2);  // checksum
    s.urgent_pointer = in.u16();
    if (!in.ok() || data_offset < header_size) return std::nullopt;
    s.options = parse_options(reader(in.bytes(data_offset - header_size)));
    s.payload = in.rest();
    if (!in.ok()) return std::nullopt;
    return s;
}

drop_reason parse_packet(std::span<const std::uint8_t> bytes, packet& out, offload how) {
    ip_header ip;
    if (const auto why = parse_ip(bytes, ip); why != drop_reason::none) return why;
    if (ip.protocol != protocol::tcp) return drop_reason::not_tcp;
    const auto parsed = parse_segment(ip.payload);
    if (!parsed) return drop_reason::bad_header;
    if (!how.checksum_pending) {  // RFC 9293 MUST-3
        checksum sum;
        sum.add_pseudo_header(ip.source, ip.destination, protocol::tcp, ip.payload.size());
        sum.add(ip.payload);
        if (!sum.verifies()) return drop_reason::bad_checksum;
    }
    out = {ip.source, ip.destination, ip.hop_limit, ip.dscp, ip.mark, *parsed};
    return drop_reason::none;
}

std::size_t options_size(const segment_options& options) { return lay_out(options).size; }

std::size_t packet_size(const packet& p) {
    return ip_header_size(p.source.is_v6) + header_size + options_size(p.tcp.options) + p.tcp.payload.size();
}

std::size_t write_packet(const packet& p, std::span<std::uint8_t> out, offload how) {
    const auto options = lay_out(p.tcp.options);
    const auto ip_size = ip_header_size(p.source.is_v6);
    const auto tcp_size = header_size + options.size + p.tcp.payload.size();
    // IPv4's total length and IPv6's payload length have 16 bits.
    if (options.size > max_options_size || ip_size + tcp_size > out.size() || ip_size + tcp_size > 65535) return 0;

    write_ip_header({p.source, p.destination, protocol::tcp, p.hop_limit, p.dscp, p.mark, {}}, tcp_size, out.data());
    const auto tcp = out.subspan(ip_size, tcp_size);
    writer w(tcp);
    write_header(p.tcp, options, w);
    if (const auto room = w.unwritten(); !room.empty() && room.data() != p.tcp.payload.data()) {
        std::memmove(room.data(), p.tcp.payload.data(), room.size());
    }
    checksum sum;
    sum.add_pseudo_header(p.source, p.destination, protocol::tcp, tcp_size);
    if (how.checksum_pending) {
        sum.store_partial(tcp.data() + 16);
    } else {
        sum.add(tcp);
        sum.store(tcp.data() + 16);
    }
    return ip_size + tcp_size;
}

bool same_but_sequence(const packet& first, const packet& next) {
    const auto &a = first.tcp, &b = next.tcp;
    return a.payload.size() == b.payload.size() && a.acknowledgment == b.acknowledgment && a.window == b.window &&
           a.source_port == b.source_port && a.destination_port == b.destination_port && a.urgent_pointer == b.urgent_pointer &&
           first.mark == next.mark && first.hop_limit == next.hop_limit && first.dscp == next.dscp &&
           first.source == next.source && first.destination == next.destination && a.options == b.options;
}

// A pending checksum covers addresses and length only, so that it is the same, too.
std::size_t write_next_packet(std::span<const std::uint8_t> written, const packet& next, std::span<std::uint8_t> out) {
    if (written.size() > out.size()) return 0;
    const auto header = written.size() - next.tcp.payload.size();
    std::memcpy(out.data(), written.data(), header);
    writer w(out.subspan(ip_header_size(next.source.is_v6) + 4, 4));
    w.u32(next.tcp.sequence);
    out[ip_header_size(next.source.is_v6) + 13] = next.tcp.flags;
    const auto room = out.subspan(header, next.tcp.payload.size());
    if (room.data() != next.tcp.payload.data() && !room.empty()) std::memmove(room.data(), next.tcp.payload.data(), room.size());
    return written.size();
}

}  // namespace tandem::tcp
