// A TCP segment (RFC 9293 3.1) and the IP packet around it, as values: parsing keeps no state, and parse -> write -> parse is the
// identity on what it accepts. Sequence numbers are the wire's 32 bits here; the connection unwraps them (tcp/sequence.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/datagram.hpp>
#include <tandem/tcp/ip.hpp>

namespace tandem::tcp {

namespace flag {
constexpr std::uint8_t fin = 0x01, syn = 0x02, rst = 0x04, psh = 0x08, ack = 0x10, urg = 0x20, ece = 0x40, cwr = 0x80;
}

struct timestamp_option {  // RFC 7323 3.2
    std::uint32_t value = 0;
    std::uint32_t echo = 0;
    friend bool operator==(const timestamp_option&, const timestamp_option&) = default;
};

struct sack_block {  // RFC 2018 3: [begin, end)
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    friend bool operator==(const sack_block&, const sack_block&) = default;
};

constexpr std::size_t max_sack_blocks = 4;    // what 40 bytes of options hold
constexpr std::size_t max_options_size = 40;  // RFC 9293 3.1: the data offset counts to 15 words

// The options we know; unknown ones are skipped (RFC 9293 MUST-6). An illegal length ends the list (MUST-7).
struct segment_options {
    std::optional<std::uint16_t> mss;
    std::optional<std::uint8_t> window_scale;  // as received, so possibly above 14 (RFC 7323 2.3)
    bool sack_permitted = false;
    std::optional<std::uint16_t> user_timeout;  // RFC 5482: the highest bit means minutes, else seconds
    std::optional<timestamp_option> timestamps;
    std::array<sack_block, max_sack_blocks> sack{};
    std::uint8_t sack_count = 0;

    std::span<const sack_block> sack_blocks() const { return {sack.data(), sack_count}; }
    void add_sack(sack_block b) {
        if (sack_count < max_sack_blocks) sack[sack_count++] = b;
    }
    friend bool operator==(const segment_options&, const segment_options&) = default;
};

struct segment {
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint32_t sequence = 0;
    std::uint32_t acknowledgment = 0;
    std::uint8_t flags = 0;
    std::uint16_t window = 0;          // as on the wire, not scaled
    std::uint16_t urgent_pointer = 0;  // accepted and not acted on: urgent data stay in line (RFC 6093)
    segment_options options;
    std::span<const std::uint8_t> payload;

    bool has(std::uint8_t f) const { return (flags & f) != 0; }
    // SEG.LEN: octets of sequence space.
    std::uint32_t length() const {
        return static_cast<std::uint32_t>(payload.size()) + (has(flag::syn) ? 1 : 0) + (has(flag::fin) ? 1 : 0);
    }
};

// An IP packet with a TCP segment in it. Both addresses are of one family.
struct packet {
    ip_address source;
    ip_address destination;
    std::uint8_t hop_limit = 64;
    std::uint8_t dscp = 0;
    ecn mark = ecn::not_ect;
    segment tcp;
};

// What a carrier with offloads knows beside the bytes (a TUN device's virtio header; plain carriers leave it as it is).
struct offload {
    bool checksum_pending = false;  // received: it was verified or never left the machine; sent: only the pseudo header is summed
    std::uint16_t gso_size = 0;     // payload bytes per segment of a super-segment; 0: one segment
};

// Parses a whole IPv4 or IPv6 packet; out.tcp.payload points into `bytes`. Verifies both checksums, refuses fragments,
// skips IPv4 options and IPv6 hop-by-hop and destination options, cuts link-layer padding.
drop_reason parse_packet(std::span<const std::uint8_t> bytes, packet& out, offload how = {});

// Only the TCP part, without a checksum.
std::optional<segment> parse_segment(std::span<const std::uint8_t> bytes);

// Bytes of the options, padded to four.
std::size_t options_size(const segment_options& options);
// Bytes of the whole packet.
std::size_t packet_size(const packet& p);
// Writes the packet with its checksums; returns its size, or 0 if it does not fit (nothing useful is written then).
// A payload that already lies where it belongs in `out` is not copied.
std::size_t write_packet(const packet& p, std::span<std::uint8_t> out, offload how = {});

// Whether `next`, with its checksum pending, differs from `first` in nothing but sequence number, flags and the payload's bytes.
bool same_but_sequence(const packet& first, const packet& next);
// Then this is the cheap way to write it: `written` is what write_packet made of the first.
std::size_t write_next_packet(std::span<const std::uint8_t> written, const packet& next, std::span<std::uint8_t> out);

}  // namespace tandem::tcp
