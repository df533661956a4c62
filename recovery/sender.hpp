// The sending half of one path: RTT, bytes in flight, congestion controller, pacer, delivery rate, recovery period.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <tandem/bytes/time.hpp>
#include <tandem/recovery/congestion_controller.hpp>
#include <tandem/recovery/delivery_rate.hpp>
#include <tandem/recovery/pacer.hpp>
#include <tandem/recovery/prr.hpp>
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
    std::uint64_t acknowledged_bytes = 0;  // in flight until now
    std::uint64_t growth_bytes = 0;        // of these, sent outside the recovery period (see sender::in_recovery)
    std::uint64_t late_bytes = 0;          // declared lost before, so no longer in flight
    time_point newest_sent;                // of the newest acknowledged transmission
    const delivery_snapshot* newest = nullptr;
    bool advances = true;                // nothing before what it names is missing as far as it says (RFC 9937: SND.UNA advances)
    std::optional<duration> rtt_sample;  // the protocol decides whether there is one
    duration ack_delay{};
};

class sender {
public:
    explicit sender(const sender_config&);

    // Bytes that may leave now: the lesser of congestion window room and the pacer's burst (0: none). Probes ignore it.
    std::uint64_t allowance(time_point now) const;
    bool window_blocked() const { return window_room() < max_datagram_size_; }  // no room in the window for a datagram
    std::optional<time_point> pacer_release(
        time_point now) const;  // when the pacer lets the next datagram go, if only the pacer blocks
    // The protocol had nothing to send while there was room: rate samples know of it.
    void on_app_limited() { rate_.on_app_limited(bytes_in_flight_); }

    delivery_snapshot on_sent(time_point now, std::uint64_t bytes);
    void on_ack(time_point now, const ack_summary&);  // one virtual call
    // Losses found at once. Opens a recovery period and tells the controller unless newest_sent lies in the present one.
    void on_lost(time_point now, std::uint64_t bytes, time_point newest_sent);
    // Each of those losses, after on_lost.
    void on_packet_lost(time_point now, std::uint64_t bytes, const delivery_snapshot&);
    // The ACK told last, and the losses found with it, are dealt with: how much may leave in answer (RFC 9937).
    void on_ack_done(bool found_losses);
    void on_ecn_ce(time_point now, time_point newest_sent);
    // Bytes of the present recovery period's losses arrived late. Returns whether these were the last of them, and so the period
    // a mistake: then on_spurious is to be called.
    bool losses_disproved(std::uint64_t bytes);
    // All losses of the present recovery period proved wrong: undo (the caller counts; see loss_recovery).
    void on_spurious(time_point now);
    void on_persistent_congestion(time_point now);  // RFC 9002 7.6; TCP's RTO
    void forget(std::uint64_t bytes);               // leaves flight without ACK or loss (keys discarded, RFC 9002 6.4)
    void revive(std::uint64_t bytes) { bytes_in_flight_ += bytes; }  // declared lost, and in flight after all
    void set_max_datagram_size(std::uint64_t bytes);

    rtt_estimator& rtt() { return rtt_; }
    const rtt_estimator& rtt() const { return rtt_; }
    std::optional<time_point> first_rtt_sample() const { return first_rtt_sample_; }  // when there was one
    std::uint64_t bytes_in_flight() const { return bytes_in_flight_; }
    // What the controller decided. While a reduction is under way, more or less than it may be in flight (RFC 9937).
    std::uint64_t congestion_window() const { return controller_->window(); }
    std::uint64_t ssthresh() const { return controller_->ssthresh(); }
    std::uint64_t delivered() const { return rate_.delivered(); }
    std::uint64_t max_datagram_size() const { return max_datagram_size_; }
    bool in_recovery(time_point sent) const {  // RFC 9002 7.3.2: was it sent before the period began
        return recovery_began_ && sent <= *recovery_began_;
    }
    bool recovering() const { return recovery_began_.has_value(); }  // no newer transmission was acknowledged yet
    // Losses declared since then count for the present (or latest) recovery period.
    time_point period_began() const { return period_began_; }
    std::uint64_t pacing_rate() const { return pacing_ ? pacer_.rate() : 0; }  // bytes per second; 0: nothing is held back
    const congestion_controller& controller() const { return *controller_; }

private:
    std::uint64_t window() const { return prr_ ? prr_->window() : controller_->window(); }
    std::uint64_t window_room() const;
    void begin_recovery(const congestion_event&, std::uint64_t flight);
    void end_recovery();
    void update_pacing(time_point now);

    std::unique_ptr<congestion_controller> controller_;
    rtt_estimator rtt_;
    delivery_rate rate_;
    pacer pacer_;
    bool pacing_;
    std::uint64_t max_datagram_size_;
    std::uint64_t bytes_in_flight_ = 0;
    std::uint64_t window_filled_until_ = 0;  // count of delivered bytes up to which the window was full when they were in flight
    std::optional<prr> prr_;                 // while a reduction is under way
    std::uint64_t just_delivered_ = 0;       // bytes, by the ACK being dealt with
    bool just_advanced_ = false;             // ack_summary::advances of it
    std::optional<time_point> first_rtt_sample_;
    std::optional<time_point> recovery_began_;
    time_point answered_until_ = time_point::min();  // what was sent until then and is lost or marked has had its reduction
    time_point period_began_;                        // as recovery_began_, but stays when the period ends
    std::uint64_t period_lost_ = 0;                  // bytes declared lost in it and not arrived since
    bool period_has_ecn_ = false;                    // CE marks are never a mistake
};

}  // namespace tandem::recovery
