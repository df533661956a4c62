// The interface of a congestion controller, and the events it is told. It knows bytes and times, no numbers, no protocol.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include <tandem/bytes/time.hpp>
#include <tandem/recovery/rtt_estimator.hpp>

namespace tandem::recovery {

struct rate_sample {              // draft-ietf-ccwg-bbr 4.1.2.1.3 (RS), of the newest transmission that an ACK names
    std::uint64_t delivered = 0;  // bytes over the interval
    duration interval{};          // zero: too short to tell a rate from
    bool app_limited = false;
    bool has_data = false;              // the ACK delivered something that counts; if not, all the rest is zero
    std::uint64_t prior_delivered = 0;  // bytes delivered on this path when it was sent
    std::uint64_t in_flight = 0;        // bytes in flight when it was sent, itself included
    std::uint64_t lost = 0;             // bytes declared lost between its sending and its acknowledgment

    std::uint64_t bytes_per_second() const {
        if (interval <= duration::zero()) return 0;
        return static_cast<std::uint64_t>(static_cast<double>(delivered) * 1e9 / static_cast<double>(interval.count()));
    }
};

struct ack_event {  // what a controller may know of one acknowledgment
    time_point now;
    std::uint64_t acknowledged = 0;     // bytes newly acknowledged by this ACK, but for those sent before or at the start of the
                                        // recovery period, which must not grow the window (RFC 9002 7.3.2)
    std::uint64_t delivered = 0;        // bytes acknowledged on this path so far
    std::uint64_t bytes_in_flight = 0;  // after this ACK
    time_point newest_sent;             // when the newest acknowledged transmission was sent
    const rtt_estimator& rtt;
    bool rtt_sampled = false;  // this ACK gave an RTT sample: rtt.latest() is new
    rate_sample rate;
    bool window_limited = false;  // the sender was using the whole window (RFC 9002 7.8); if not, the window must not grow
};

struct loss_event {  // one transmission declared lost: draft-ietf-ccwg-bbr 5.5.10.2
    time_point now;
    std::uint64_t bytes = 0;
    std::uint64_t in_flight = 0;  // when it was sent, itself included
    std::uint64_t lost = 0;       // bytes declared lost since it was sent, itself included
    bool app_limited = false;
};

struct congestion_event {
    time_point now;
    time_point newest_sent;        // of the lost or CE-marked
    std::uint64_t bytes_lost = 0;  // zero for CE
    std::uint64_t bytes_in_flight = 0;
    bool ecn = false;
};

// What a controller decides (window, threshold, rate) is held here, so that asking for it is no virtual call: one per ACK is all.
class congestion_controller {
public:
    static constexpr std::uint64_t unknown_ssthresh = UINT64_MAX;

    virtual ~congestion_controller() = default;
    congestion_controller(const congestion_controller&) = delete;
    congestion_controller& operator=(const congestion_controller&) = delete;

    virtual std::string_view name() const = 0;
    // Something is sent and nothing was in flight before. app_limited: for want of data, not of permission.
    virtual void on_restart(time_point, bool /*app_limited*/) {}
    virtual void on_ack(const ack_event&) = 0;
    virtual void on_congestion(const congestion_event&) = 0;  // at most once a round trip: `sender` sees to that
    virtual void on_loss(const loss_event&) {}                // each transmission, after on_congestion if there is one
    virtual void on_persistent_congestion(time_point) = 0;    // QUIC: RFC 9002 7.6; TCP: a retransmission timeout
    virtual void on_spurious_congestion() {}                  // the last on_congestion was a mistake: undo
    virtual void on_max_datagram_size(std::uint64_t bytes) = 0;

    std::uint64_t window() const { return window_; }      // bytes
    std::uint64_t ssthresh() const { return ssthresh_; }  // bytes; UINT64_MAX while unknown
    std::optional<std::uint64_t> pacing_rate() const {
        return pacing_rate_;
    }                                                      // bytes per second; none: derived from window and RTT
    bool limits_itself() const { return limits_itself_; }  // sends less than it could: rate samples say nothing of the path
    // Its reductions are spread over a round trip by Proportional Rate Reduction (RFC 9937), towards window().
    bool reduces_proportionally() const { return reduces_proportionally_; }

protected:
    congestion_controller() = default;

    std::uint64_t window_ = 0;
    std::uint64_t ssthresh_ = unknown_ssthresh;
    std::optional<std::uint64_t> pacing_rate_;
    bool limits_itself_ = false;
    bool reduces_proportionally_ = false;
};

enum class controller_kind : std::uint8_t { new_reno, cubic, fixed_window, bbr };

struct controller_config {
    controller_kind kind = controller_kind::cubic;
    std::uint64_t max_datagram_size = 1200;  // bytes
    std::uint64_t initial_window = 0;        // bytes; 0: RFC 9002 7.2 (ten datagrams, at most 14720 or two)
    std::uint64_t loss_window = 2;           // datagrams after persistent congestion: 2 (RFC 9002 7.2, kMinimumWindow);
                                             // TCP after a timeout: 1 (RFC 5681 3.1)
    std::uint64_t fixed_window = 0;          // bytes, for controller_kind::fixed_window; 0: 256 KiB
    bool hystart = true;                     // HyStart++ (RFC 9406), for new_reno and cubic
    bool prr = true;                         // Proportional Rate Reduction (RFC 9937), for new_reno and cubic
    std::uint64_t seed = 0;                  // of the waits that bbr draws, which keep flows from probing in step
};

// RFC 9002 7.2: ten datagrams, at most 14720 bytes or two datagrams.
constexpr std::uint64_t default_initial_window(std::uint64_t max_datagram_size) {
    const std::uint64_t limit = 14720 > 2 * max_datagram_size ? 14720 : 2 * max_datagram_size;
    return 10 * max_datagram_size < limit ? 10 * max_datagram_size : limit;
}

std::unique_ptr<congestion_controller> make_controller(const controller_config&);
// "newreno", "cubic", "bbr", "fixed"
std::optional<controller_kind> parse_controller(std::string_view name);
std::string_view to_string(controller_kind);

}  // namespace tandem::recovery
