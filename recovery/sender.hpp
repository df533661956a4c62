// The sending half of one path: RTT, bytes in flight, congestion controller, pacer, delivery rate, recovery period.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <tandem/bytes/time.hpp>
#include <tandem/recovery/congestion_controller.hpp>
#include <tandem/recovery/delivery_rate.hpp>
#include <tandem/recovery/pacer.hpp>
#include <tandem/recovery/rtt_estimator.hpp>
#include <tandem/recovery/transmission.hpp>

namespace tandem::recovery {

struct sender_config {
    controller_config controller;
    duration initial_rtt = std::chrono::milliseconds(333);
    bool pacing = true;
};

// What one acknowledgment delivered in all; built by loss_recovery::on_ack, told once.
struct ack_summary {
    std::uint64_t acknowledged_bytes = 0;   // in flight until now
    std::uint64_t late_bytes = 0;           // declared lost before, so no longer in flight
    time_point newest_sent;                 // of the newest acknowledged transmission
    const delivery_snapshot* newest = nullptr;
    std::optional<duration> rtt_sample;     // the protocol decides whether there is one
    duration ack_delay{};
};

class sender {
public:
    explicit sender(const sender_config&);

    // Bytes that may leave now: the lesser of congestion window room and the pacer's burst (0: none). Probes ignore it.
    std::uint64_t allowance(time_point now) const;
    bool window_blocked() const;                          // no room in the window
    std::optional<time_point> pacer_release(time_point now) const;  // when the pacer lets the next datagram go, if only the pacer blocks
    // The protocol had nothing to send while there was room: rate samples and window growth know of it.
    void on_app_limited();

    delivery_snapshot on_sent(time_point now, std::uint64_t bytes);
    void on_ack(time_point now, const ack_summary&);      // one virtual call
    // Losses found at once. Opens a recovery period and tells the controller unless newest_sent lies in the present one.
    void on_lost(time_point now, std::uint64_t bytes, time_point newest_sent);
    void on_ecn_ce(time_point now, time_point newest_sent);
    // All losses of the present recovery period proved wrong: undo (the caller counts; see loss_recovery).
    void on_spurious(time_point now);
    void on_persistent_congestion(time_point now);        // RFC 9002 7.6; TCP's RTO
    void forget(std::uint64_t bytes);                     // leaves flight without ACK or loss (keys discarded, RFC 9002 6.4)
    void set_max_datagram_size(std::uint64_t bytes);

    rtt_estimator& rtt();
    const rtt_estimator& rtt() const;
    std::uint64_t bytes_in_flight() const;
    std::uint64_t congestion_window() const;
    std::uint64_t ssthresh() const;
    std::uint64_t delivered() const;
    bool in_recovery(time_point sent) const;              // RFC 9002 7.3.2: was it sent before the period began
    const congestion_controller& controller() const;
};

}  // namespace tandem::recovery
