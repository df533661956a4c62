// Counters of a connection and of an endpoint, as plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <tandem/bytes/time.hpp>

namespace tandem::quic {

// Why a datagram or a packet of it was dropped without an answer.
enum class drop_reason : std::uint8_t {
    malformed,            // no QUIC packet, or one whose header does not parse
    too_small,            // an Initial in a datagram below 1200 bytes (RFC 9000 14.1)
    wrong_connection_id,  // a coalesced packet for another connection (RFC 9000 12.2)
    unknown_connection,   // no connection has this ID, and nothing could be started or reset
    unexpected_version,   // long header of a version that the connection does not use
    unexpected_packet,    // Retry, Version Negotiation or 0-RTT where it has no meaning
    integrity,            // a Retry whose tag is wrong
    no_keys,              // no keys yet and the queue is full, or not any more
    undecryptable,        // authentication failed
    duplicate,            // packet number seen before
    unknown_path,         // from an address other than the one of the handshake
    closed,               // the connection is closing or draining
    refused,              // over a cap of the endpoint
    count_,
};

std::string_view to_string(drop_reason);

struct drop_counters {
    std::array<std::uint64_t, static_cast<std::size_t>(drop_reason::count_)> by_reason{};

    void add(drop_reason r) { ++by_reason[static_cast<std::size_t>(r)]; }
    std::uint64_t operator[](drop_reason r) const { return by_reason[static_cast<std::size_t>(r)]; }
    std::uint64_t total() const {
        std::uint64_t sum = 0;
        for (auto n : by_reason) sum += n;
        return sum;
    }
};

struct connection_statistics {
    std::uint64_t packets_sent = 0;
    std::uint64_t packets_received = 0;      // authenticated, not duplicates
    std::uint64_t packets_lost = 0;          // declared lost
    std::uint64_t packets_acknowledged = 0;  // 0-RTT and 1-RTT packets
    std::uint64_t packets_spurious = 0;      // of those, acknowledged later
    std::uint64_t datagrams_sent = 0;
    std::uint64_t datagrams_received = 0;
    std::uint64_t bytes_sent = 0;  // UDP payload
    std::uint64_t bytes_received = 0;
    std::uint64_t acks_sent = 0;    // packets with an ACK frame
    std::uint64_t probes_sent = 0;  // by probe timeouts
    std::uint64_t key_updates = 0;  // by either side (RFC 9001 6)
    std::uint64_t congestion_window = 0;
    std::uint64_t ssthresh = 0;  // UINT64_MAX while unknown
    std::uint64_t bytes_in_flight = 0;
    duration latest_rtt{};  // zero before the first sample
    duration minimum_rtt{};
    duration smoothed_rtt{};
    duration rtt_variation{};
    duration handshake_duration{};  // start to handshake complete; zero before
    bool ecn_capable = false;       // the path passed ECN validation (RFC 9000 13.4.2.1)
    drop_counters dropped;
};

struct endpoint_statistics {
    std::uint64_t connections = 0;  // present now, closing ones included
    std::uint64_t half_open = 0;    // accepted, handshake under way
    std::uint64_t accepted = 0;
    std::uint64_t retries_sent = 0;
    std::uint64_t version_negotiations_sent = 0;
    std::uint64_t stateless_resets_sent = 0;
    drop_counters dropped;  // before any connection was found
};

}  // namespace tandem::quic
