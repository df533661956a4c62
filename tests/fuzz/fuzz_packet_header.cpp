// Packet headers: every packet of a datagram lies within it, and a header written from what was parsed parses to the same.
// The first byte is the size of the connection IDs that we issue.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "fuzz.hpp"

#include <tandem/quic/packet_header.hpp>

using namespace tandem;
using namespace tandem::quic;

namespace {

using octets = std::vector<std::uint8_t>;

void check_same(const packet_header& a, const packet_header& b) {
    FUZZ_CHECK(a.type == b.type && a.version == b.version && a.destination == b.destination && a.source == b.source);
    FUZZ_CHECK(std::ranges::equal(a.token, b.token) && std::ranges::equal(a.versions, b.versions));
}

// A long header with a packet number, and what is behind it.
octets rewrite_long(const packet_header& h, std::span<const std::uint8_t> packet) {
    octets out(packet.size() + 16);
    writer to(out);
    const auto parts = write_long_header(to, h.type, h.version, h.destination, h.source, h.token, 0, 1);
    FUZZ_CHECK(parts);
    const auto size = parts->number_offset + std::min<std::size_t>(packet.size() - h.number_offset, 16383);
    out.resize(size);
    set_packet_length(out, *parts);
    return out;
}

octets rewrite_short(const packet_header& h, std::span<const std::uint8_t> packet) {
    octets out(packet.size() + 16);
    writer to(out);
    FUZZ_CHECK(write_short_header(to, h.destination, 0, 1, false, false));
    out.resize(packet.size());
    return out;
}

octets rewrite_negotiation(const packet_header& h, std::span<const std::uint8_t> packet) {
    std::vector<std::uint32_t> versions;
    for (std::size_t i = 0; i < h.versions.size(); i += 4) {
        versions.push_back(static_cast<std::uint32_t>(h.versions[i]) << 24 | static_cast<std::uint32_t>(h.versions[i + 1]) << 16 |
                           static_cast<std::uint32_t>(h.versions[i + 2]) << 8 | h.versions[i + 3]);
    }
    octets out(packet.size());
    writer to(out);
    FUZZ_CHECK(write_version_negotiation(to, h.destination.bytes(), h.source.bytes(), versions, packet[0]));
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t id_size = data[0] % (connection_id::max_size + 1);
    const auto bit = data[0] >= 168 ? quic_bit::any : quic_bit::required;
    std::span datagram(data + 1, size - 1);
    if (const auto invariant = parse_invariant_header(datagram, id_size)) FUZZ_CHECK(invariant->size <= datagram.size());
    while (!datagram.empty()) {
        const auto parsed = parse_packet(datagram, id_size, bit);
        if (!parsed) break;
        const auto& h = parsed.header;
        FUZZ_CHECK(h.size > 0 && h.size <= datagram.size() && h.number_offset < h.size);
        const auto packet = datagram.first(h.size);
        octets again;
        switch (h.type) {
            case packet_type::one_rtt:
                again = rewrite_short(h, packet);
                break;
            case packet_type::version_negotiation:
                again = rewrite_negotiation(h, packet);
                break;
            case packet_type::retry:
                again.assign(packet.begin(), packet.end());
                break;  // needs the Initial it answers
            default:
                again = rewrite_long(h, packet);
                break;
        }
        const auto same = parse_packet(again, id_size, bit);
        FUZZ_CHECK(same);
        FUZZ_CHECK(same.header.size == again.size());
        check_same(h, same.header);
        datagram = datagram.subspan(h.size);
    }
    return 0;
}
