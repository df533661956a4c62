// The interface of a congestion controller, and the events it is told. It knows bytes and times, no numbers, no protocol.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include <tandem/bytes/time.hpp>
#include <tandem/recovery/rtt_estimator.hpp>

namespace tandem::recovery {

struct rate_sample {                 // draft-cheng-iccrg-delivery-rate-estimation
    std::uint64_t delivered = 0;     // bytes over the interval
    duration interval{};             // zero: no valid sample
    bool app_limited = false;
};

struct ack_event {                   // what a controller may know of one acknowledgment
    time_point now;
    std::uint64_t acknowledged = 0;      // bytes newly acknowledged by this ACK
    std::uint64_t delivered = 0;         // bytes acknowledged on this path so far
    std::uint64_t bytes_in_flight = 0;   // after this ACK
    time_point newest_sent;              // when the newest acknowledged transmission was sent
    const rtt_estimator& rtt;
    rate_sample rate;
    bool window_limited = false;         // the sender was using the whole window (RFC 9002 7.8)
};

struct congestion_event {
    time_point now;
    time_point newest_sent;              // of the lost or CE-marked
    std::uint64_t bytes_lost = 0;        // zero for CE
    std::uint64_t bytes_in_flight = 0;
    bool ecn = false;
};

class congestion_controller {
public:
    virtual ~congestion_controller() = default;
    virtual std::string_view name() const = 0;
    virtual void on_sent(time_point, std::uint64_t /*bytes*/, std::uint64_t /*bytes_in_flight*/) {}
    virtual void on_ack(const ack_event&) = 0;
    virtual void on_congestion(const congestion_event&) = 0;  // at most once a round trip: `sender` sees to that
    virtual void on_persistent_congestion(time_point) = 0;    // QUIC: RFC 9002 7.6; TCP: a retransmission timeout
    virtual void on_spurious_congestion() {}                  // the last on_congestion was a mistake: undo
    virtual void on_max_datagram_size(std::uint64_t bytes) = 0;
    virtual std::uint64_t window() const = 0;                 // bytes
    virtual std::uint64_t ssthresh() const = 0;               // bytes; UINT64_MAX while unknown
    virtual std::optional<std::uint64_t> pacing_rate() const { return std::nullopt; }  // bytes per second; none: derived from window and RTT
};

enum class controller_kind : std::uint8_t { new_reno, cubic, fixed_window };

struct controller_config {
    controller_kind kind = controller_kind::cubic;
    std::uint64_t max_datagram_size = 1200;           // bytes
    std::uint64_t initial_window = 0;                 // bytes; 0: RFC 9002 7.2 (ten datagrams, at most 14720 or two)
    std::uint64_t fixed_window = 0;                   // bytes, for controller_kind::fixed_window; 0: a generous default
    bool hystart = true;                              // HyStart++ (RFC 9406), for new_reno and cubic
};

std::unique_ptr<congestion_controller> make_controller(const controller_config&);
// "newreno", "cubic", "fixed"
std::optional<controller_kind> parse_controller(std::string_view name);

}  // namespace tandem::recovery
