#include <tandem/net/detail/super_segment.hpp>

#include <algorithm>
#include <cstring>

#include <tandem/tcp/checksum.hpp>
#include <tandem/tcp/ip.hpp>
#include <tandem/tcp/segment.hpp>

namespace tandem::net::detail {

namespace {

// virtio 5.1.6; <linux/virtio_net.h> is not for C++.
struct virtio_net_hdr {
    std::uint8_t flags;
    std::uint8_t gso_type;
    std::uint16_t hdr_len;  // the machine's own byte order, as all that follows
    std::uint16_t gso_size;
    std::uint16_t csum_start;
    std::uint16_t csum_offset;
};
static_assert(sizeof(virtio_net_hdr) == virtio_header_size);

constexpr std::uint8_t needs_checksum = 1, checksum_valid = 2;                        // flags
constexpr std::uint8_t gso_none = 0, gso_tcp_v4 = 1, gso_tcp_v6 = 4, gso_ecn = 0x80;  // gso_type

constexpr std::size_t sequence_at = 4, flags_at = 13, checksum_at = 16;  // in the TCP header

// The parts of a packet that we wrote ourselves, so no check of lengths is needed beyond the first.
struct parts {
    std::size_t ip = 0;   // bytes of the IP header
    std::size_t tcp = 0;  // bytes of the TCP header
    std::size_t header() const { return ip + tcp; }
};

// Nothing useful in `out` if it is not TCP with a payload.
bool split(std::span<const std::uint8_t> packet, parts& out) {
    if (packet.size() < 40) return false;
    const bool v6 = packet[0] >> 4 == 6;
    out.ip = tcp::ip_header_size(v6);
    if (packet[v6 ? 6 : 9] != tcp::protocol::tcp || packet.size() < out.ip + 20) return false;
    out.tcp = static_cast<std::size_t>(packet[out.ip + 12] >> 4) * 4;
    return packet.size() > out.header();
}

std::uint32_t sequence_of(const std::uint8_t* tcp) {
    return std::uint32_t{tcp[sequence_at]} << 24 | std::uint32_t{tcp[sequence_at + 1]} << 16 |
           std::uint32_t{tcp[sequence_at + 2]} << 8 | tcp[sequence_at + 3];
}

// Acknowledgment, window and options must agree, and the traffic class (ECN) and hop limit; ports and addresses do, in a train.
bool same_headers(const std::uint8_t* a, const std::uint8_t* b, std::size_t ip_size, std::size_t tcp_size) {
    const auto *ip_a = a - ip_size, *ip_b = b - ip_size;
    const std::size_t hop_limit_at = ip_size == 20 ? 8 : 7;
    return std::equal(ip_a, ip_a + 2, ip_b) && ip_a[hop_limit_at] == ip_b[hop_limit_at] &&
           std::equal(a + 8, a + flags_at, b + 8) && std::equal(a + 14, a + checksum_at, b + 14) &&
           std::equal(a + 18, a + tcp_size, b + 18);
}

// FIN, SYN, RST and URG do not go into the middle of a super-segment; PSH and FIN may be on its last.
constexpr std::uint8_t never = tcp::flag::syn | tcp::flag::rst | tcp::flag::urg | tcp::flag::cwr;
constexpr std::uint8_t last_only = tcp::flag::fin | tcp::flag::psh;

}  // namespace

virtio_offload read_virtio_header(std::span<const std::uint8_t> header) {
    virtio_net_hdr h;
    std::memcpy(&h, header.data(), sizeof h);
    virtio_offload out;
    out.checksum_pending = (h.flags & (needs_checksum | checksum_valid)) != 0;
    if ((h.gso_type & ~gso_ecn) != gso_none) out.gso_size = h.gso_size;
    return out;
}

std::size_t super_segment::gather(const train& t, std::size_t begin, bool segmentation, bool checksum) {
    const auto first = t.buffer.subspan(begin, std::min(t.segment_size, t.size - begin));
    parts p;
    const bool data = split(first, p);
    const bool is_tcp = data || (first.size() >= 40 && first[first[0] >> 4 == 6 ? 6 : 9] == tcp::protocol::tcp);
    const bool v6 = first[0] >> 4 == 6;
    pieces_[0] = {header_.data(), virtio_header_size};
    packets_ = 1;
    count_ = 2;
    const auto* tcp = first.data() + p.ip;
    std::size_t end = begin + first.size();
    std::size_t payload = first.size() - (data ? p.header() : 0);
    auto last = first;
    if (data && segmentation && checksum && (tcp[flags_at] & (never | last_only)) == 0) {
        const auto gso_size = payload;
        pieces_[1] = {first.data() + p.header(), payload};
        while (end < t.size && packets_ < max_packets) {
            const auto next = t.buffer.subspan(end, std::min(t.segment_size, t.size - end));
            if (next.size() <= p.header() || payload + p.header() + next.size() - p.header() > max_super_segment) break;
            const auto* h = next.data() + p.ip;
            if (sequence_of(h) != sequence_of(tcp) + payload || !same_headers(tcp, h, p.ip, p.tcp)) break;
            if ((h[flags_at] & never) != 0 || ((h[flags_at] ^ tcp[flags_at]) & ~last_only) != 0) break;
            pieces_[count_++] = {next.data() + p.header(), next.size() - p.header()};
            payload += next.size() - p.header();
            end += next.size();
            ++packets_;
            last = next;
            if ((h[flags_at] & last_only) != 0 || next.size() - p.header() < gso_size) break;
        }
        if (packets_ > 1) {
            std::copy_n(first.data(), p.header(), header_.data() + virtio_header_size);
            write_virtio_header(p.header(), p.ip, gso_size, v6, true);
            patch(last, p.ip, p.tcp + payload, v6);
            pieces_[0].iov_len += p.header();
            return end - begin;
        }
        count_ = 2;
    }
    pieces_[1] = {first.data(), first.size()};
    write_virtio_header(0, tcp::ip_header_size(v6), 0, v6, checksum && is_tcp);
    return first.size();
}

void super_segment::write_virtio_header(std::size_t header_size, std::size_t ip_size, std::size_t gso_size, bool v6,
                                        bool checksum) {
    virtio_net_hdr h{};
    if (checksum) {
        h.flags = needs_checksum;
        h.csum_start = static_cast<std::uint16_t>(ip_size);
        h.csum_offset = checksum_at;
    }
    if (gso_size > 0) {
        h.gso_type = v6 ? gso_tcp_v6 : gso_tcp_v4;
        h.gso_size = static_cast<std::uint16_t>(gso_size);
        h.hdr_len = static_cast<std::uint16_t>(header_size);
    }
    std::memcpy(header_.data(), &h, sizeof h);
}

// The copied header, made that of the whole: lengths, checksums, and the flags that its last segment shall have.
void super_segment::patch(std::span<const std::uint8_t> last, std::size_t ip_size, std::size_t tcp_size, bool v6) {
    auto* ip = header_.data() + virtio_header_size;
    tcp::ip_header h;
    h.source.is_v6 = h.destination.is_v6 = v6;
    std::copy_n(ip + (v6 ? 8 : 12), h.source.size(), h.source.bytes.begin());
    std::copy_n(ip + (v6 ? 24 : 16), h.destination.size(), h.destination.bytes.begin());
    const auto length = v6 ? tcp_size : ip_size + tcp_size;
    auto* length_field = ip + (v6 ? 4 : 2);
    length_field[0] = static_cast<std::uint8_t>(length >> 8);
    length_field[1] = static_cast<std::uint8_t>(length);
    if (!v6) {
        ip[10] = ip[11] = 0;
        tcp::checksum sum;
        sum.add({ip, ip_size});
        sum.store(ip + 10);
    }
    auto* tcp = ip + ip_size;
    tcp[flags_at] = last[ip_size + flags_at];
    tcp::checksum sum;
    sum.add_pseudo_header(h.source, h.destination, tcp::protocol::tcp, tcp_size);
    sum.store_partial(tcp + checksum_at);
}

}  // namespace tandem::net::detail
