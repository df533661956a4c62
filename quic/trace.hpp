// What an observer may see of a connection as it happens: for logs (quic/qlog.hpp), the simulator and plots. Without one an event
// costs the test of one pointer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/datagram.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/quic/error.hpp>
#include <tandem/quic/packet_header.hpp>
#include <tandem/quic/statistics.hpp>
#include <tandem/quic/types.hpp>
#include <tandem/recovery/limits.hpp>

namespace tandem::quic {

struct transport_parameters;
struct sent_frames;
struct config;
enum class close_cause : std::uint8_t;
enum class stream_side : std::uint8_t;

// A run of one stream's bytes that a packet carries.
struct traced_stream_data {
    stream_id id;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    bool fin = false;
};

// A packet sent or received. Spans are valid during the call.
struct traced_packet {
    time_point now;
    packet_space_id space{};
    std::uint64_t number = 0;
    std::size_t size = 0;  // bytes of the packet, protection included
    bool ack_eliciting = false;
    bool in_flight = false;
    std::span<const traced_stream_data> stream_data;  // sent: at most 16 runs

    packet_type type{};
    quic::version version{};  // long headers
    connection_id destination;
    connection_id source;                    // long headers
    std::span<const std::uint8_t> token;     // Initial and Retry
    std::span<const std::uint8_t> payload;   // the frames, in the clear
    std::span<const std::uint8_t> versions;  // Version Negotiation: four bytes each
    std::uint64_t key_phase = 0;             // 1-RTT: key updates before it
    std::uint64_t datagram = 0;              // counts the datagrams of this direction, from 0
    bool mtu_probe = false;                  // sent: RFC 9000 14.4
    bool probe = false;                      // sent: for a probe timeout (RFC 9002 6.2.4)
    bool was_buffered = false;               // received: it waited for its keys
};

// Datagrams of one size, the last perhaps smaller, that were sent or received at once.
struct traced_datagrams {
    time_point now;
    std::uint64_t first = 0;  // as traced_packet::datagram
    std::size_t size = 0;     // bytes in all
    std::size_t segment = 0;  // bytes of each but the last
    ecn mark = ecn::not_ect;
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
    duration latest_rtt{};  // zero before the first sample, as are the next two
    duration minimum_rtt{};
    duration rtt_variation{};
    std::uint64_t pacing_rate = 0;  // bytes per second; 0: nothing is held back
    unsigned probe_timeouts = 0;    // since the last acknowledgment
    bool recovering = false;        // in a recovery period (RFC 9002 7.3.2)
};

enum class loss_cause : std::uint8_t { packets, time };  // RFC 9002 6.1.1, 6.1.2

struct traced_loss {
    time_point now;
    packet_space_id space{};
    std::uint64_t number = 0;
    loss_cause cause{};
    bool mtu_probe = false;
};

enum class key_event : std::uint8_t { installed, updated_here, updated_by_peer, discarded };

struct traced_key {
    time_point now;
    key_event what{};
    encryption_level level{};
    perspective owner{};          // who seals with it
    std::uint64_t key_phase = 0;  // 1-RTT
};

// What is known when a connection begins.
struct trace_start {
    time_point now;
    perspective side{};
    quic::version version{};
    ip_path path;
    connection_id local;
    connection_id destination;
    connection_id original_destination;  // of the client's very first Initial: names the connection at both ends
};

enum class path_event : std::uint8_t {
    assigned,   // the present path at the begin
    started,    // goes on here, before it is known whether the peer receives here
    completed,  // the peer answered here
    abandoned,  // it did not: back to the path before
};

class connection_trace {
public:
    virtual ~connection_trace() = default;
    virtual void on_packet_sent(const traced_packet&) {}
    virtual void on_packet_received(const traced_packet&) {
    }  // authentic and new, or Retry or Version Negotiation that was heeded
    // `header`: if it could be parsed; bytes of the packet, or of what is left of the datagram.
    virtual void on_packet_dropped(time_point, drop_reason, const packet_header* /*header*/, std::size_t /*bytes*/,
                                   std::uint64_t /*datagram*/) {}
    virtual void on_packet_buffered(time_point, const packet_header&, std::uint64_t /*datagram*/) {}
    virtual void on_datagrams_sent(const traced_datagrams&) {}
    virtual void on_datagram_received(const traced_datagrams&) {}
    virtual void on_congestion_sample(const congestion_sample&) {}
    virtual void on_packet_lost(const traced_loss&) {}
    // What a packet carried is to be sent again.
    virtual void on_marked_for_retransmit(time_point, const sent_frames&) {}

    virtual void on_closed(time_point, close_cause, const connection_error&) {}
    virtual void on_state(time_point, std::string_view /*state*/) {}  // a ConnectionState of qlog
    virtual void on_alpn(time_point, std::string_view /*chosen*/) {}
    // `declared_by`: whose they are. restored: a client's memory of an earlier connection (RFC 9000 7.4.1).
    virtual void on_parameters(time_point, perspective /*declared_by*/, const transport_parameters&) {}
    virtual void on_parameters_restored(time_point, const transport_parameters&) {}
    virtual void on_key(const traced_key&) {}
    virtual void on_stream(time_point, stream_id, stream_side, bool /*open*/) {}
    virtual void on_path(time_point, path_event, const ip_path&) {}
    virtual void on_mtu(time_point, std::size_t /*old*/, std::size_t /*now*/) {}
    virtual void on_ecn(time_point, std::string_view /*old*/, std::string_view /*now*/) {}
    virtual void on_limit(time_point, recovery::limited_by /*old*/, recovery::limited_by /*now*/) {}

private:
    friend class connection;
    connection_trace* next_ = nullptr;  // the connection's own log, behind the application's observer
};

// Makes an observer for each connection; part of quic::config.
class connection_tracer {
public:
    virtual ~connection_tracer() = default;
    // Null: this one is not observed. A server asks when the client's first packet proved authentic.
    virtual std::unique_ptr<connection_trace> observe(const trace_start&, const config&) = 0;
};

}  // namespace tandem::quic
