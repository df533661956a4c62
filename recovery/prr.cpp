#include <tandem/recovery/prr.hpp>

#include <algorithm>

namespace tandem::recovery {

namespace {

std::uint64_t less(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

}  // namespace

// RFC 9937 6.2
void prr::on_ack(std::uint64_t delivered, std::uint64_t in_flight, bool safe) {
    delivered_ += delivered;
    std::uint64_t out = 0;
    if (in_flight > target_) {
        // Rounded up. A flight of 2^32 bytes does not overflow: both factors are bounded by what is in flight.
        out = less((delivered_ * target_ + flight_ - 1) / flight_, out_);
    } else {
        auto limit = std::max(less(delivered_, out_), delivered);
        if (safe) limit += datagram_;
        out = std::min(target_ - in_flight, limit);
    }
    // A fast retransmission at once, whatever the rest says; and while nothing is in flight, no ACK would ever ask again.
    if (out_ == 0 || in_flight == 0) out = std::max(out, datagram_);
    window_ = in_flight + out;
}

}  // namespace tandem::recovery
