#include <tandem/recovery/mtu_discovery.hpp>

#include <algorithm>

namespace tandem::recovery {

mtu_discovery::mtu_discovery(std::size_t base, std::size_t limit)
    : base_(base), fallback_(base), limit_(std::max(base, limit)), usual_(limit_), size_(base), too_large_(limit_ + 1) {}

void mtu_discovery::lower_limit(std::size_t limit) {
    limit_ = std::max(base_, std::min(limit_, limit));
    usual_ = std::min(usual_, limit_);
    size_ = std::min(size_, limit_);
    too_large_ = std::min(too_large_, limit_ + 1);
}

void mtu_discovery::raise_limit(std::size_t limit) {
    if (limit <= limit_) return;
    if (too_large_ > limit_) {  // nothing was too large so far
        too_large_ = limit + 1;
        not_before_.reset();
    }
    limit_ = limit;
}

void mtu_discovery::assume(std::size_t size) { size_ = std::clamp(size, base_, limit_); }

void mtu_discovery::on_too_large(std::size_t carried, time_point now) {
    size_ = std::min(size_, std::max(base_, carried));
    too_large_ = std::min(limit_, size_) + 1;
    losses_ = 0;
    probing_ = false;
    not_before_ = now + raise_timer;
}

// What most paths carry first, then the largest, then the middle of what is left.
std::size_t mtu_discovery::next_size() const {
    if (size_ < usual_ && usual_ < too_large_) return usual_;
    if (too_large_ > limit_) return limit_;
    return (size_ + too_large_) / 2;
}

std::optional<std::size_t> mtu_discovery::probe_due(time_point now) const {
    if (probing_ || (not_before_ && now < *not_before_)) return std::nullopt;
    if (size_ >= limit_) return std::nullopt;
    const bool searched = too_large_ - size_ <= precision;
    if (searched && !not_before_) return std::nullopt;
    return searched ? limit_ : next_size();
}

void mtu_discovery::on_probe_sent(std::size_t) {
    probing_ = true;
    not_before_.reset();
}

bool mtu_discovery::on_probe_acknowledged(std::size_t size, time_point now) {
    probing_ = false;
    losses_ = 0;
    if (size <= size_ || size > limit_) return false;
    size_ = size;
    if (too_large_ <= size) too_large_ = limit_ + 1;  // it was too large once; the path has changed
    if (too_large_ - size_ <= precision) not_before_ = now + raise_timer;
    return true;
}

void mtu_discovery::on_refused(std::size_t size, std::size_t floor, time_point now) {
    if (size <= floor) return;
    too_large_ = std::min(too_large_, size);
    if (base_ >= size) base_ = floor;
    if (size_ >= size) size_ = base_;
    if (probing_) refused_ = size;
    probing_ = false;
    losses_ = 0;
    if (too_large_ - size_ <= precision) not_before_ = now + raise_timer;
}

void mtu_discovery::on_probe_lost(std::size_t size, time_point now) {
    if (size == refused_) {
        refused_ = 0;
        return;
    }
    probing_ = false;
    if (++losses_ < max_probes) return;
    losses_ = 0;
    too_large_ = std::min(too_large_, std::max(size, size_ + 1));
    if (too_large_ - size_ <= precision) not_before_ = now + raise_timer;
}

bool mtu_discovery::on_timeouts(unsigned count, time_point now) {
    if (count < black_hole_timeouts || size_ == base_) return false;
    size_ = size_ > fallback_ ? fallback_ : base_;
    too_large_ = limit_ + 1;
    losses_ = 0;
    probing_ = false;
    not_before_ = now + black_hole_pause;
    return true;
}

}  // namespace tandem::recovery
