#include <tandem/recovery/pacer.hpp>

#include <algorithm>
#include <limits>

namespace tandem::recovery {

namespace {

constexpr std::uint64_t nanoseconds_per_second = 1'000'000'000;

// At most 18 GB, which is more than any bucket holds (max_rate): so a product beyond 64 bits need not be exact, and no wider
// division is made for each datagram.
std::uint64_t bytes_in(std::uint64_t rate, duration time) {
    std::uint64_t product = 0;
    if (__builtin_mul_overflow(rate, static_cast<std::uint64_t>(time.count()), &product)) product = UINT64_MAX;
    return product / nanoseconds_per_second;
}

}  // namespace

std::uint64_t pacer::capacity() const { return std::max(burst_datagrams * datagram_, bytes_in(rate_, burst_time)); }

std::uint64_t pacer::quantum() const {
    return std::clamp(bytes_in(rate_, quantum_time), datagram_, std::max(max_quantum, datagram_));
}

std::int64_t pacer::level(time_point now) const {
    const auto full = static_cast<std::int64_t>(capacity());
    if (!updated_) return full;
    const duration elapsed = std::max(now - *updated_, duration::zero());
    return std::min(level_ + static_cast<std::int64_t>(bytes_in(rate_, elapsed)), full);
}

void pacer::set_rate(std::uint64_t bytes_per_second, time_point now) {
    bytes_per_second = std::min(bytes_per_second, max_rate);
    if (bytes_per_second == rate_) return;
    if (updated_) {
        level_ = level(now);
        updated_ = std::max(now, *updated_);
    }
    rate_ = bytes_per_second;
}

std::uint64_t pacer::allowance(time_point now) const {
    if (rate_ == 0) return std::numeric_limits<std::uint64_t>::max();
    const auto bytes = level(now);
    return bytes >= static_cast<std::int64_t>(quantum()) ? static_cast<std::uint64_t>(bytes) : 0;
}

time_point pacer::release(time_point now) const {
    if (allowance(now) > 0) return now;
    // Rounded up, so that the level is really there at the time given.
    const auto missing = static_cast<std::uint64_t>(static_cast<std::int64_t>(quantum()) - level_);
    const auto wait = (missing * nanoseconds_per_second + rate_ - 1) / rate_;
    return *updated_ + duration(static_cast<duration::rep>(wait));
}

void pacer::on_sent(time_point now, std::uint64_t bytes) {
    if (rate_ == 0) return;
    level_ = level(now) - static_cast<std::int64_t>(bytes);
    updated_ = updated_ ? std::max(now, *updated_) : now;
}

}  // namespace tandem::recovery
