// Proportional Rate Reduction: how much may leave during fast recovery (RFC 9937).
#pragma once

#include <cstdint>

namespace tandem::recovery {

// One recovery period. Instead of a silence of half a round trip and a burst after it, something is sent for each part of what is
// delivered, so that what is in flight comes down to the controller's new window just as the period ends. If losses took more
// than that, it comes up again no faster than slow start would (PRR-SSRB), or not at all while more losses appear (PRR-CRB).
class prr {
public:
    // flight: bytes in flight before the ACK that began recovery (RecoverFS). target: the controller's new window (ssthresh).
    prr(std::uint64_t flight, std::uint64_t target, std::uint64_t max_datagram_size)
        : flight_(flight > 0 ? flight : 1), target_(target), datagram_(max_datagram_size) {}

    // After each ACK, the one that begins the period included, when its losses are no longer in flight. safe: it brought progress
    // and no news of further loss.
    void on_ack(std::uint64_t delivered, std::uint64_t in_flight, bool safe);
    void on_sent(std::uint64_t bytes) { out_ += bytes; }

    std::uint64_t window() const { return window_; }  // bytes: what may be in flight until the next ACK

private:
    std::uint64_t flight_;
    std::uint64_t target_;
    std::uint64_t datagram_;
    std::uint64_t delivered_ = 0;  // prr_delivered
    std::uint64_t out_ = 0;        // prr_out
    std::uint64_t window_ = 0;
};

}  // namespace tandem::recovery
