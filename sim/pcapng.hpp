// Packet captures in pcapng (draft-ietf-opsawg-pcapng) that Wireshark opens and, with the key log inside, decrypts.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/bytes/time.hpp>
#include <tandem/sim/network.hpp>

namespace tandem::sim {

// The blocks of one file, appended to a vector of bytes. Little-endian, raw IP packets, nanosecond timestamps.
class pcapng_writer {
public:
    // Writes the section header and the interface description (timestamps in nanoseconds).
    pcapng_writer(std::vector<std::uint8_t>& out, std::string_view interface_name);

    // A decryption secrets block with lines of an SSLKEYLOGFILE. Must come before the packets it decrypts.
    void secrets(std::string_view key_log);
    // An IP packet; `at` counts from event_queue::start, which the file shows as the Unix epoch. An empty comment writes none.
    void packet(time_point at, std::span<const std::uint8_t> ip_packet, std::string_view comment = {});

private:
    std::vector<std::uint8_t>& out_;
};

// The IP packet that carries a UDP payload, headers and checksums (RFC 791, 768, 8200) included.
void append_udp_packet(std::vector<std::uint8_t>& out, const ip_endpoint& source, const ip_endpoint& destination, ecn mark,
                       std::span<const std::uint8_t> payload);

// Collects what a network's links carry, as a tap, with what became of each lost packet as its comment.
class packet_recorder {
public:
    void add(const packet_view& packet, const passage& fate);
    void add_secrets(std::string_view key_log_line);  // a line break is added if it has none
    std::vector<std::uint8_t> file(std::string_view interface_name) const;
    std::size_t packets() const { return packets_.size(); }

private:
    struct record {
        time_point at;
        std::size_t begin, end;
        verdict result;
    };
    std::vector<record> packets_;
    std::vector<std::uint8_t> bytes_;
    std::string secrets_;
};

}  // namespace tandem::sim
