// Round-trip time estimation: RFC 9002 5 (QUIC) and RFC 6298 2 (TCP), one arithmetic for both.
#pragma once

#include <tandem/bytes/time.hpp>

namespace tandem::recovery {

class rtt_estimator {
public:
    static constexpr duration granularity = std::chrono::milliseconds(1);  // RFC 9002 6.1.2 kGranularity

    explicit rtt_estimator(duration initial_rtt = std::chrono::milliseconds(333))  // RFC 9002 6.2.2
        : smoothed_(initial_rtt), variation_(initial_rtt / 2) {}

    // A sample and the delay the peer reported for its acknowledgment (already capped by its max_ack_delay; zero for TCP).
    void update(duration sample, duration ack_delay);

    // The path may have changed: the next sample becomes the minimum (RFC 9002 5.2, after persistent congestion).
    void restart_minimum() { minimum_restarts_ = true; }

    bool has_sample() const { return has_sample_; }
    duration latest() const { return latest_; }
    duration minimum() const { return minimum_; }
    duration smoothed() const { return smoothed_; }
    duration variation() const { return variation_; }
    // smoothed + max(4 * variation, granularity): what a PTO (RFC 9002 6.2.1) and an RTO (RFC 6298 2.3) are made of.
    duration timeout() const;

private:
    duration latest_{};
    duration minimum_{};
    duration smoothed_;
    duration variation_;
    bool has_sample_ = false;
    bool minimum_restarts_ = false;
};

}  // namespace tandem::recovery
