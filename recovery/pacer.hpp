// Spreads what the congestion window allows over the round trip (RFC 9002 7.7).
#pragma once

#include <cstdint>
#include <optional>

#include <tandem/bytes/time.hpp>

namespace tandem::recovery {

// A leaky bucket. It lets go bursts, not datagrams: at low rates one datagram at a time, at high rates what a millisecond carries
// (at most 64 KiB, which UDP GSO sends at once), because a system call for each datagram would cost more than the burst does
// harm.
class pacer {
public:
    static constexpr std::uint64_t burst_datagrams = 10;  // RFC 9002 7.7: bursts up to the initial window
    static constexpr duration burst_time = std::chrono::milliseconds(2);
    static constexpr duration quantum_time = std::chrono::milliseconds(1);
    static constexpr std::uint64_t max_quantum = 65536;
    static constexpr std::uint64_t max_rate = 1'000'000'000'000;  // bytes per second: beyond any link

    explicit pacer(std::uint64_t max_datagram_size) : datagram_(max_datagram_size) {}

    // Bytes per second; what was saved up at the old rate stays.
    void set_rate(std::uint64_t bytes_per_second, time_point now);
    void set_max_datagram_size(std::uint64_t bytes) { datagram_ = bytes; }

    std::uint64_t allowance(time_point now) const;  // bytes that may leave now; 0 or at least one datagram
    time_point release(time_point now) const;       // when allowance becomes positive: now if it is
    void on_sent(time_point now, std::uint64_t bytes);
    std::uint64_t rate() const { return rate_; }

private:
    std::uint64_t capacity() const;
    std::uint64_t quantum() const;
    std::int64_t level(time_point now) const;

    std::uint64_t datagram_;
    std::uint64_t rate_ = 0;             // 0: not known yet, nothing is held back
    std::int64_t level_ = 0;             // bytes that may leave at updated_; negative after probes, which nothing holds back
    std::optional<time_point> updated_;  // empty: the bucket is full
};

}  // namespace tandem::recovery
