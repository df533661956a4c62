#include <tandem/recovery/reordering.hpp>

#include <algorithm>

namespace tandem::recovery {

namespace {

duration longest_rtt(const rtt_estimator& rtt) { return std::max(rtt.latest(), rtt.smoothed()); }

// RFC 8985 6.2 step 4: the window grows in quarters of the minimum RTT.
duration step(const rtt_estimator& rtt) { return std::max(rtt.minimum() / 4, duration(1)); }

}  // namespace

std::uint64_t reordering_tolerance::packets() const { return packets_; }

duration reordering_tolerance::time(const rtt_estimator& rtt) const {
    if (kind_ == reordering_kind::packets) return std::chrono::hours(24 * 365);
    const duration round_trip = longest_rtt(rtt);
    duration window = round_trip / 8;  // RFC 9002 6.1.2: kTimeThreshold is 9/8
    if (time_steps_ > 0) window += static_cast<duration::rep>(time_steps_) * step(rtt);
    window = std::min(window, round_trip);  // RFC 8985 3.3.2: bounded by the smoothed RTT
    return std::max(round_trip + window, rtt_estimator::granularity);
}

void reordering_tolerance::on_late_arrival(std::uint64_t behind, duration late, const rtt_estimator& rtt, time_point) {
    if (kind_ == reordering_kind::fixed) return;
    recoveries_left_ = recoveries_kept;
    if (behind >= packets_) packets_ = behind < max_packets ? behind + 1 : time_only;
    if (late > duration::zero()) widen_time(static_cast<std::uint64_t>((late + step(rtt) - duration(1)) / step(rtt)), rtt);
}

// RFC 8985 6.2 step 4: one step for every round trip that saw a DSACK.
void reordering_tolerance::on_dsack(const rtt_estimator& rtt, time_point now) {
    if (kind_ == reordering_kind::fixed) return;
    recoveries_left_ = recoveries_kept;
    packets_ = time_only;  // a DSACK does not say how far behind it was
    if (last_dsack_step_ && now - *last_dsack_step_ < rtt.smoothed()) return;
    last_dsack_step_ = now;
    widen_time(1, rtt);
}

void reordering_tolerance::on_recovery_end(const rtt_estimator&) {
    if (recoveries_left_ == 0 || --recoveries_left_ > 0) return;
    packets_ = initial_packets;
    time_steps_ = 0;
}

void reordering_tolerance::widen_time(std::uint64_t steps, const rtt_estimator& rtt) {
    // More steps than make up a round trip have no effect but to be in the way of a later, longer step.
    const auto useful = static_cast<std::uint64_t>(longest_rtt(rtt) / step(rtt)) + 1;
    time_steps_ = std::min(time_steps_ + steps, useful);
}

}  // namespace tandem::recovery
