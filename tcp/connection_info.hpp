// What a connection tells about itself at one moment, for those who show it (as TCP_INFO does).
#pragma once

#include <cstdint>
#include <optional>

#include <tandem/bytes/time.hpp>

namespace tandem::tcp {

struct connection_info {
    // What both sides agreed on.
    bool timestamps = false;
    bool sack = false;
    std::optional<std::uint8_t> send_scale;     // the peer's window scale; none: no scaling in either direction
    std::optional<std::uint8_t> receive_scale;  // ours
    std::uint16_t mss = 0;                      // payload and options of a full segment we send
    std::uint16_t announced_mss = 0;            // in our SYN

    // Segments that are not acknowledged cumulatively, by what is known of them.
    std::uint64_t unacknowledged = 0;  // all
    std::uint64_t sacked = 0;          // arrived beyond a hole
    std::uint64_t lost = 0;            // declared lost and not sent again
    std::uint64_t retransmitted = 0;   // sent again and under way

    bool recovering = false;     // losses were found, and nothing sent since is acknowledged
    bool timed_out = false;      // a retransmission timeout expired, and what it gave up is not acknowledged
    unsigned backoff = 0;        // timeouts in a row (RFC 6298 5.5)
    unsigned window_probes = 0;  // the same of window probes
    unsigned keepalives = 0;     // unanswered
    duration retransmission_timeout{};

    std::uint64_t send_window = 0;     // bytes the peer's window holds
    std::uint64_t receive_window = 0;  // bytes of ours
};

}  // namespace tandem::tcp
