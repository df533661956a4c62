// The one timer for what is not acknowledged: a tail loss probe, then the retransmission timeout, or a window probe (RFC 8985 8).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include <tandem/bytes/time.hpp>
#include <tandem/recovery/rtt_estimator.hpp>

namespace tandem::tcp {

class retransmission_timer {
public:
    enum class kind : std::uint8_t { none, tail_loss_probe, retransmission, window_probe };

    struct situation {                // what the timer is armed for
        bool outstanding = false;     // sent and not acknowledged
        bool window_blocked = false;  // something waits for the peer's window, and nothing that is outstanding will open it
        bool probe_allowed = false;   // RFC 8985 7.2, 7.3
        bool one_segment = false;     // the peer may delay the acknowledgment of a single segment
    };

    retransmission_timer(duration minimum, duration maximum, duration peer_ack_delay, duration minimum_variation = {})
        : minimum_(minimum),
          maximum_(std::max(maximum, minimum)),
          peer_ack_delay_(peer_ack_delay),
          minimum_variation_(minimum_variation) {}

    kind armed() const { return kind_; }
    std::optional<time_point> deadline() const { return kind_ == kind::none ? std::nullopt : std::optional(deadline_); }
    unsigned backoff() const { return backoff_; }

    // RFC 6298 2, 5.5: doubled for each expiry, within bounds.
    duration interval(const recovery::rtt_estimator& rtt) const;

    // RFC 6298 5.7: a SYN was lost and there is no RTT sample yet.
    void start_conservatively() {
        unsampled_minimum_ = std::chrono::seconds(3);
        backoff_ = 0;
    }

    void on_progress(time_point now);  // new data acknowledged: RFC 6298 5.3
    void on_sample() {
        backoff_ = 0;
    }  // only a valid RTT sample ends the backoff (RFC 6298 5.7): it tells that the RTO is long enough
    void on_sent(time_point now);                  // RFC 8985 7.2: a probe is due this long after the last new data
    void on_expired(time_point now);               // RFC 6298 5.5, 5.6
    void restart(time_point now) { base_ = now; }  // after a probe: RFC 8985 7.3
    void arm(const situation& s, const recovery::rtt_estimator& rtt, time_point now);
    void stop() { kind_ = kind::none; }

private:
    static constexpr unsigned max_backoff = 16;

    duration minimum_;
    duration maximum_;
    duration peer_ack_delay_;
    duration minimum_variation_;
    duration unsampled_minimum_ = std::chrono::seconds(1);  // RFC 6298 2.1
    time_point base_;                                       // what the RTO counts from
    time_point last_sent_;                                  // what a tail loss probe counts from
    time_point deadline_;
    kind kind_ = kind::none;
    unsigned backoff_ = 0;
};

}  // namespace tandem::tcp
