// Gives out packet numbers and leaves one out now and then: a peer that acknowledges a number never used acknowledges packets
// that it did not receive (RFC 9000 21.4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <tandem/bytes/random.hpp>
#include <tandem/bytes/range_set.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

class packet_number_source {
public:
    // The number that the next packet will have. Stays the same until take().
    packet_number next() const { return next_; }
    // The next packet was sent. `random` null: no number is ever skipped.
    void take(random_source* random);

    // Whether any of the ranges names a number that was not sent.
    bool names_unsent(std::span<const range> ranges) const;

private:
    static constexpr std::uint64_t first_period = 64;    // packets between two skips, on average: small downloads are covered too
    static constexpr std::uint64_t last_period = 16384;  // the period doubles until here: long ones cost nothing

    packet_number next_ = 0;
    std::optional<packet_number> skip_at_;
    std::uint64_t period_ = first_period;
    // The newest skipped numbers. Older ones are forgotten: whoever still acknowledges those gains nothing.
    std::array<packet_number, 8> skipped_{};
    std::size_t skipped_count_ = 0;
};

}  // namespace tandem::quic
