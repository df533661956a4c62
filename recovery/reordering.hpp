// How much reordering is normal on a path before a transmission counts as lost.
#pragma once

#include <cstdint>
#include <optional>

#include <tandem/bytes/time.hpp>
#include <tandem/recovery/rtt_estimator.hpp>

namespace tandem::recovery {

enum class reordering_kind : std::uint8_t {
    adaptive,  // starts at 3 packets and 9/8 RTT, widens when losses prove spurious (RFC 8985 6.2), relaxes again
    fixed,     // RFC 9002 6.1.1 and 6.1.2: 3 packets, 9/8 RTT
    packets,   // only they count, however long ago they left: TCP without SACK (RFC 5681 3.2)
};

// The same object for QUIC and for TCP, or a comparison measures reordering instead of transport.
class reordering_tolerance {
public:
    static constexpr std::uint64_t initial_packets = 3;  // RFC 9002 6.1.1 kPacketThreshold
    static constexpr std::uint64_t max_packets = 64;     // reordering further than this is left to time alone
    static constexpr int recoveries_kept = 16;           // RFC 8985 6.2: how long a wider window persists
    static constexpr std::uint64_t time_only = UINT64_MAX;

    explicit reordering_tolerance(reordering_kind kind = reordering_kind::adaptive) : kind_(kind) {}

    // Transmissions this many or more behind the largest acknowledged are lost (UINT64_MAX: only time counts).
    std::uint64_t packets() const;
    // Transmissions sent this much or longer ago, and before the largest acknowledged, are lost.
    duration time(const rtt_estimator&) const;

    // A transmission declared lost arrived after all: `behind` is how far below the largest acknowledged it was, `late` how long
    // ago time() would have declared it lost (not positive: it was the packet threshold alone that was too small).
    void on_late_arrival(std::uint64_t behind, duration late, const rtt_estimator&, time_point now);
    void on_dsack(const rtt_estimator&, time_point now);  // TCP: RFC 8985 6.2 step 4
    void on_recovery_end(const rtt_estimator&);           // one more recovery without spurious loss: relax after 16 (RFC 8985)

private:
    void widen_time(std::uint64_t steps, const rtt_estimator&);

    reordering_kind kind_;
    std::uint64_t packets_ = initial_packets;
    std::uint64_t time_steps_ = 0;  // of a quarter of the minimum RTT, beyond 9/8 RTT
    int recoveries_left_ = 0;       // until the tolerance relaxes
    std::optional<time_point> last_dsack_step_;
};

}  // namespace tandem::recovery
