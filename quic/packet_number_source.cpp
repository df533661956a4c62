#include <algorithm>

#include <tandem/quic/packet_number_source.hpp>

namespace tandem::quic {

void packet_number_source::take(random_source* random) {
    ++next_;
    if (random == nullptr) return;
    if (!skip_at_) skip_at_ = next_ + random->below(2 * period_);
    if (next_ < *skip_at_) return;
    skipped_[skipped_count_++ % skipped_.size()] = next_;
    ++next_;
    period_ = std::min(period_ * 2, last_period);
    skip_at_ = next_ + 1 + random->below(2 * period_);
}

bool packet_number_source::names_unsent(std::span<const range> ranges) const {
    const auto known = std::min(skipped_count_, skipped_.size());
    return std::any_of(ranges.begin(), ranges.end(), [&](const range& r) {
        if (r.end > next_) return true;
        return std::any_of(skipped_.begin(), skipped_.begin() + known,
                           [&](packet_number n) { return r.begin <= n && n < r.end; });
    });
}

}  // namespace tandem::quic
