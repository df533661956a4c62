// Persistent congestion: everything sent over a long time was lost (RFC 9002 7.6). For one packet number space.
#pragma once

#include <optional>

#include <tandem/bytes/time.hpp>
#include <tandem/recovery/rtt_estimator.hpp>

namespace tandem::recovery {

class persistent_congestion {
public:
    static constexpr int threshold = 3;  // RFC 9002 7.6.1 kPersistentCongestionThreshold

    explicit persistent_congestion(duration max_ack_delay) : max_ack_delay_(max_ack_delay) {}

    // RFC 9002 7.6.1: irrespective of the space, with the peer's max_ack_delay.
    duration minimum(const rtt_estimator& rtt) const { return threshold * (rtt.timeout() + max_ack_delay_); }

    // Transmissions are reported in the order in which they were sent.
    void on_acknowledged() { oldest_.reset(); }

    // An ack-eliciting one was lost. Returns whether persistent congestion is established by it (RFC 9002 7.6.2): all since the
    // oldest were lost, for longer than the minimum, and all were sent after the first RTT sample.
    bool on_lost(time_point sent, const rtt_estimator& rtt, std::optional<time_point> first_rtt_sample) {
        if (!first_rtt_sample || sent <= *first_rtt_sample) return false;
        if (!oldest_) oldest_ = sent;
        if (sent - *oldest_ <= minimum(rtt)) return false;
        oldest_.reset();
        return true;
    }

private:
    duration max_ack_delay_;
    std::optional<time_point> oldest_;  // of the present unbroken run of losses
};

}  // namespace tandem::recovery
