#include <tandem/recovery/rtt_estimator.hpp>

#include <algorithm>

namespace tandem::recovery {

// RFC 9002 5.3 and A.7; RFC 6298 2.3 with alpha = 1/8, beta = 1/4 is the same.
void rtt_estimator::update(duration sample, duration ack_delay) {
    latest_ = sample;
    if (!has_sample_) {
        has_sample_ = true;
        minimum_ = smoothed_ = sample;
        variation_ = sample / 2;
        return;
    }
    minimum_ = minimum_restarts_ ? sample : std::min(minimum_, sample);  // RFC 9002 5.2: without the delay
    minimum_restarts_ = false;
    // A reported delay that would lead below the minimum is not believed.
    const duration adjusted = sample >= minimum_ + ack_delay ? sample - ack_delay : sample;
    variation_ = (3 * variation_ + std::chrono::abs(smoothed_ - adjusted)) / 4;  // before smoothed_ changes (RFC 6298 2.3)
    smoothed_ = (7 * smoothed_ + adjusted) / 8;
}

duration rtt_estimator::timeout() const { return smoothed_ + std::max(4 * variation_, granularity); }

}  // namespace tandem::recovery
