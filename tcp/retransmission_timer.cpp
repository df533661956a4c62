#include <tandem/tcp/retransmission_timer.hpp>

namespace tandem::tcp {

duration retransmission_timer::interval(const recovery::rtt_estimator& rtt) const {
    const auto sampled = std::max(rtt.timeout(), rtt.smoothed() + minimum_variation_);
    auto out = std::clamp(rtt.has_sample() ? sampled : std::max(rtt.timeout(), unsampled_minimum_), minimum_, maximum_);
    for (unsigned i = 0; i < backoff_ && out < maximum_; ++i) out *= 2;
    return std::min(out, maximum_);
}

void retransmission_timer::on_progress(time_point now) { base_ = last_sent_ = now; }

void retransmission_timer::on_sent(time_point now) {
    last_sent_ = now;
    if (kind_ == kind::none || kind_ == kind::window_probe) {  // RFC 6298 5.1: it was not running
        if (kind_ == kind::window_probe) backoff_ = 0;
        base_ = now;
        kind_ = kind::retransmission;
    }
}

void retransmission_timer::on_expired(time_point now) {
    if (backoff_ < max_backoff) ++backoff_;
    base_ = now;
}

void retransmission_timer::arm(const situation& s, const recovery::rtt_estimator& rtt, time_point now) {
    if (s.window_blocked) {
        if (kind_ != kind::window_probe) {  // RFC 9293 SHLD-29: the first probe after a retransmission timeout
            if (kind_ == kind::none) backoff_ = 0;
            base_ = now;
        }
        kind_ = kind::window_probe;
        deadline_ = base_ + interval(rtt);
        return;
    }
    if (!s.outstanding) {
        kind_ = kind::none;
        return;
    }
    if (kind_ == kind::none || kind_ == kind::window_probe) base_ = now;
    kind_ = kind::retransmission;
    deadline_ = base_ + interval(rtt);
    if (!s.probe_allowed) return;
    // RFC 8985 7.2
    auto wait = rtt.has_sample() ? 2 * rtt.smoothed() : duration(std::chrono::seconds(1));
    if (rtt.has_sample() && s.one_segment) wait += peer_ack_delay_;
    kind_ = kind::tail_loss_probe;
    deadline_ = std::min(std::max(last_sent_ + wait, now), deadline_);
}

}  // namespace tandem::tcp
