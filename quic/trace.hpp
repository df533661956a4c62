// What an observer may see of a connection as it happens: for the simulator and for logs. Costs nothing when there is none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <tandem/bytes/time.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

// A run of one stream's bytes that a packet carries.
struct traced_stream_data {
    stream_id id;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    bool fin = false;
};

struct traced_packet {
    time_point now;
    packet_space_id space{};
    std::uint64_t number = 0;
    std::size_t size = 0;  // bytes of the packet, protection included
    bool ack_eliciting = false;
    bool in_flight = false;
    std::span<const traced_stream_data> stream_data;  // valid during the call
};

enum class sample_cause : std::uint8_t { sent, acknowledged, lost };

// Taken upon every packet sent, acknowledgment and loss, after it took effect.
struct congestion_sample {
    time_point now;
    sample_cause cause{};
    std::uint64_t congestion_window = 0;  // bytes
    std::uint64_t bytes_in_flight = 0;    // bytes
    std::uint64_t ssthresh = 0;           // bytes; UINT64_MAX while unknown
    duration smoothed_rtt{};
};

class connection_trace {
public:
    virtual ~connection_trace() = default;
    virtual void on_packet_sent(const traced_packet&) {}
    virtual void on_congestion_sample(const congestion_sample&) {}
};

}  // namespace tandem::quic
