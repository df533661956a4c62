// What can be said of a connection, its path and its streams alike whether it is QUIC's or TCP's. What only one of them has is in
// quic/statistics.hpp and tcp/connection.hpp.
#pragma once

#include <cstdint>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/recovery/limits.hpp>
#include <tandem/recovery/sender.hpp>

namespace tandem::recovery {

struct path_statistics {
    ip_path addresses;
    bool validated = false;  // the peer was shown to receive there
    duration latest_rtt{};   // all four zero before the first sample
    duration minimum_rtt{};
    duration smoothed_rtt{};
    duration rtt_variation{};
    std::uint64_t congestion_window = 0;  // bytes
    std::uint64_t ssthresh = 0;           // bytes; UINT64_MAX while unknown
    std::uint64_t bytes_in_flight = 0;
    std::uint64_t pacing_rate = 0;        // bytes per second; 0: nothing is held back
    std::uint64_t max_datagram_size = 0;  // bytes of a UDP payload, or what takes as much room on the wire
};

struct stream_statistics {
    std::uint64_t id = 0;             // TCP: 0
    std::uint64_t written = 0;        // bytes that the application wrote
    std::uint64_t unsent = 0;         // of these, never sent
    std::uint64_t acknowledged = 0;   // of these, arrived: all before are
    std::uint64_t send_limit = 0;     // bytes that the peer lets us send in all
    std::uint64_t received = 0;       // bytes up to the first that is missing
    std::uint64_t read = 0;           // of these, taken by the application
    std::uint64_t receive_limit = 0;  // bytes that we let the peer send in all
};

struct connection_statistics {
    duration age{};                  // since it began
    std::uint64_t packets_sent = 0;  // TCP: segments
    std::uint64_t packets_received = 0;
    std::uint64_t packets_lost = 0;      // declared lost
    std::uint64_t packets_spurious = 0;  // of these, arrived after all
    std::uint64_t timeouts = 0;          // QUIC: probe timeouts; TCP: tail loss probes and retransmission timeouts
    std::uint64_t bytes_sent = 0;        // of UDP payload, or of TCP payload
    std::uint64_t bytes_received = 0;
    path_statistics path;  // the present one
    limited_by limited = limited_by::application;
    limit_times limits;
};

inline path_statistics describe(const sender& s, const ip_path& addresses, bool validated) {
    path_statistics p{.addresses = addresses, .validated = validated};
    const auto& rtt = s.rtt();
    if (rtt.has_sample()) {
        p.latest_rtt = rtt.latest();
        p.minimum_rtt = rtt.minimum();
        p.smoothed_rtt = rtt.smoothed();
        p.rtt_variation = rtt.variation();
    }
    p.congestion_window = s.congestion_window();
    p.ssthresh = s.ssthresh();
    p.bytes_in_flight = s.bytes_in_flight();
    p.pacing_rate = s.pacing_rate();
    p.max_datagram_size = s.max_datagram_size();
    return p;
}

}  // namespace tandem::recovery
