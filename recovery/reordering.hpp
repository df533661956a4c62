// How much reordering is normal on a path before a transmission counts as lost.
#pragma once

#include <cstdint>

#include <tandem/bytes/time.hpp>
#include <tandem/recovery/rtt_estimator.hpp>

namespace tandem::recovery {

enum class reordering_kind : std::uint8_t {
    adaptive,  // starts at 3 packets and 9/8 RTT, widens when losses prove spurious (RFC 8985 6.2), relaxes again
    fixed,     // RFC 9002 6.1.1 and 6.1.2: 3 packets, 9/8 RTT
};

// The same object for QUIC and for TCP, or a comparison measures reordering instead of transport.
class reordering_tolerance {
public:
    explicit reordering_tolerance(reordering_kind kind = reordering_kind::adaptive) : kind_(kind) {}

    // Transmissions this many or more behind the largest acknowledged are lost (UINT64_MAX: only time counts).
    std::uint64_t packets() const;
    // Transmissions sent this much or longer ago, and before the largest acknowledged, are lost.
    duration time(const rtt_estimator&) const;

    // A transmission arrived after `behind` later ones were acknowledged, `late` after it would have counted as lost or after it was.
    void on_late_arrival(std::uint64_t behind, duration late, const rtt_estimator&, time_point now);
    void on_dsack(const rtt_estimator&, time_point now);   // TCP: RFC 8985 6.2 step 4
    void on_recovery_end(const rtt_estimator&);            // one more recovery without spurious loss: relax after 16 (RFC 8985)

private:
    reordering_kind kind_;
};

}  // namespace tandem::recovery
