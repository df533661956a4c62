#include <tandem/recovery/hystart.hpp>

#include <algorithm>

namespace tandem::recovery {

// RFC 9406 4.2
bool hystart::on_ack(time_point now, time_point newest_sent, std::optional<duration> rtt) {
    if (!round_began_ || newest_sent >= *round_began_) {
        if (start_round(now)) return true;
    }
    if (!rtt) return false;
    round_minimum_ = round_minimum_ ? std::min(*round_minimum_, *rtt) : *rtt;
    if (++round_samples_ < rtt_samples) return false;

    if (css_baseline_) {
        if (*round_minimum_ < *css_baseline_) css_baseline_.reset();  // the rise was spurious: back to slow start
        return false;
    }
    if (!last_round_minimum_) return false;
    const auto threshold = std::clamp(*last_round_minimum_ / min_rtt_divisor, min_rtt_threshold, max_rtt_threshold);
    if (*round_minimum_ >= *last_round_minimum_ + threshold) {
        css_baseline_ = round_minimum_;
        css_rounds_done_ = 0;
    }
    return false;
}

// The round in which Conservative Slow Start began counts, though it was a partial one.
bool hystart::start_round(time_point now) {
    const bool first = !round_began_;
    round_began_ = now;
    last_round_minimum_ = round_minimum_;
    round_minimum_.reset();
    round_samples_ = 0;
    return !first && in_css() && ++css_rounds_done_ >= css_rounds;
}

}  // namespace tandem::recovery
