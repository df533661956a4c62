// What a simulator or a plot wants to know of a connection while it runs.
#pragma once

#include <cstdint>

#include <tandem/bytes/time.hpp>

namespace tandem::tcp {

struct segment_trace {
    time_point now;
    std::uint64_t begin = 0;  // stream offsets of the data; equal for SYN, FIN
    std::uint64_t end = 0;
    std::uint32_t size = 0;         // bytes counted against the congestion window (see connection.hpp)
    std::uint32_t packet_size = 0;  // bytes of the IP packet
    bool retransmission = false;
};

struct congestion_sample {
    time_point now;
    std::uint64_t congestion_window = 0;  // bytes
    std::uint64_t bytes_in_flight = 0;
    std::uint64_t ssthresh = 0;  // UINT64_MAX while unknown
    duration smoothed_rtt{};
};

class trace_sink {
public:
    virtual ~trace_sink() = default;
    virtual void on_segment_sent(const segment_trace&) {}           // segments that are counted: data, SYN, FIN
    virtual void on_congestion_sample(const congestion_sample&) {}  // after every acknowledgment that delivered, and every loss
};

}  // namespace tandem::tcp
