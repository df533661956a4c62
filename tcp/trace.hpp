// What an observer may see of a connection as it happens: for logs (tcp/qlog.hpp), the simulator and plots. Without one an event
// costs the test of one pointer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/recovery/limits.hpp>

namespace tandem::tcp {

struct segment;
struct config;

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
    duration latest_rtt{};  // zero before the first sample, as are the next two
    duration minimum_rtt{};
    duration rtt_variation{};
    std::uint64_t pacing_rate = 0;  // bytes per second; 0: nothing is held back
    unsigned backoff = 0;           // retransmission timeouts in a row
    bool recovering = false;        // in a recovery period
};

// Why a segment of a connection, or a part of it, had no effect but perhaps an acknowledgment.
enum class segment_drop : std::uint8_t {
    old_timestamp,       // PAWS (RFC 7323 5), or no timestamp where there must be one
    out_of_window,       // RFC 9293 3.10.7.4, first
    bad_acknowledgment,  // of what was never sent, or long ago (RFC 5961 5.2)
    bad_reset,           // a RST, but not with the number that is expected next (RFC 5961 3.2); or in TIME-WAIT (RFC 1337)
    unexpected_syn,      // RFC 5961 4.2
    no_acknowledgment,   // without the ACK flag
    too_many_holes,      // the receive buffer remembers no more
    count_,
};
constexpr std::size_t segment_drop_count = static_cast<std::size_t>(segment_drop::count_);
std::string_view to_string(segment_drop);

// A segment sent or received.
struct traced_segment {
    time_point now;
    const segment& tcp;           // valid during the call
    bool retransmission = false;  // sent
    unsigned count = 1;           // received: how many segments the network merged into it
};

// What one side said in its SYN.
struct traced_parameters {
    std::uint16_t mss = 0;
    std::optional<std::uint8_t> window_scale;
    bool sack = false;
    bool timestamps = false;
};

// What is known when a log begins: of a connection made here its SYN; of one accepted, that the handshake is complete.
struct trace_start {
    time_point now;
    bool active = false;
    ip_path path;
    std::uint32_t initial_sequence = 0;
};

class trace_sink {
public:
    virtual ~trace_sink() = default;
    virtual void on_segment_sent(const segment_trace&) {}           // segments that are counted: data, SYN, FIN
    virtual void on_congestion_sample(const congestion_sample&) {}  // after every acknowledgment that delivered, and every loss
    virtual void on_sent(const traced_segment&) {}                  // every segment
    virtual void on_received(const traced_segment&) {}
    virtual void on_dropped(time_point, segment_drop, const segment&) {}
    virtual void on_lost(time_point, std::uint64_t /*begin*/, std::uint64_t /*end*/) {
    }  // stream offsets of what will be sent again
    virtual void on_state(time_point, std::string_view /*old*/, std::string_view /*now*/) {}
    virtual void on_closed(time_point, std::string_view /*event*/) {}  // to_string of the final event
    virtual void on_parameters(time_point, bool /*ours*/, const traced_parameters&) {}
    virtual void on_mtu(time_point, std::uint16_t /*old*/, std::uint16_t /*now*/) {}
    virtual void on_limit(time_point, recovery::limited_by /*old*/, recovery::limited_by /*now*/) {}

private:
    friend class connection;
    trace_sink* next_ = nullptr;  // the connection's own log, behind the application's observer
};

// Makes an observer for each connection; part of tcp::config.
class connection_tracer {
public:
    virtual ~connection_tracer() = default;
    // Null: this one is not observed. Of accepted connections only those are asked for whose handshake is complete: a SYN leaves
    // no trace.
    virtual std::unique_ptr<trace_sink> observe(const trace_start&, const config&) = 0;
};

}  // namespace tandem::tcp
