// The window we offer: silly-window avoidance (RFC 9293 3.8.6.2.2), scaling (RFC 7323 2), auto-tuning. All numbers are stream
// offsets.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include <tandem/bytes/time.hpp>

namespace tandem::tcp {

class receive_window {
public:
    static constexpr std::uint8_t max_scale = 14;  // RFC 7323 2.3

    receive_window(std::uint64_t window, std::uint64_t max_window, bool offer_scale);

    // The shift to announce in our SYN; none: the option is not offered.
    std::optional<std::uint8_t> offered_scale() const { return offered_ ? std::optional(scale_) : std::nullopt; }
    // The peer's SYN had no window scale option: ours counts for nothing (RFC 7323 2.2).
    void disable_scale();

    // The window field of a SYN (never scaled) and of any other segment.
    std::uint16_t announce_unscaled(std::uint64_t next, std::uint64_t consumed, std::uint16_t mss) {
        return announce(next, consumed, mss, 0);
    }
    std::uint16_t announce(std::uint64_t next, std::uint64_t consumed, std::uint16_t mss) {
        return announce(next, consumed, mss, scale_);
    }

    // Bytes at and above it were never allowed: the highest right edge ever announced (the window is not shrunk).
    std::uint64_t edge() const { return edge_; }
    // Half of the window is used up and could be given back: worth a segment of its own, as MAX_DATA is in QUIC.
    bool update_due(std::uint64_t consumed) const { return consumed + window_ >= limit_ + (window_ + 1) / 2; }
    // The application took bytes, `consumed` in all. Doubles the window, up to its maximum, if half of it was consumed within one
    // round trip: the peer is then likely to wait for it. rtt zero: unknown, the window stays.
    void on_consumed(std::uint64_t consumed, time_point now, duration rtt);
    std::uint64_t window() const { return window_; }

private:
    std::uint16_t announce(std::uint64_t next, std::uint64_t consumed, std::uint16_t mss, std::uint8_t scale);

    std::uint64_t window_;
    std::uint64_t max_window_;
    std::uint64_t limit_ = 0;  // the right edge before rounding to the scale
    std::uint64_t edge_ = 0;
    std::uint64_t round_consumed_ = 0;  // `consumed` at round_start_
    std::optional<time_point> round_start_;
    std::uint8_t scale_ = 0;
    bool offered_;
};

}  // namespace tandem::tcp
