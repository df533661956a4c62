// The timestamps option: our clock, the value to echo, and protection against wrapped sequence numbers (RFC 7323 4, 5).
#pragma once

#include <cstdint>

#include <tandem/bytes/time.hpp>

namespace tandem::tcp {

class timestamps {
public:
    static constexpr duration tick = std::chrono::milliseconds(1);           // RFC 7323 5.4: 1 ms to 1 s
    static constexpr duration max_recent_age = std::chrono::hours(24) * 24;  // RFC 7323 5.5

    timestamps(bool offered, std::uint32_t offset) : offset_(offset), enabled_(offered) {}

    bool enabled() const { return enabled_; }
    void disable() { enabled_ = false; }  // the peer does not do it

    std::uint32_t value(time_point now) const { return static_cast<std::uint32_t>(now.time_since_epoch() / tick) + offset_; }
    std::uint32_t echo() const { return recent_; }

    std::uint32_t recent() const { return recent_; }

    // The peer's first timestamp, from its SYN.
    void start(std::uint32_t peer_value, time_point now) { set(peer_value, now); }

    // RFC 7323 5.3 R1: the segment is older than one we have, so its sequence number may be of another turn.
    bool is_old(std::uint32_t peer_value, time_point now) const {
        return has_recent_ && before(peer_value, recent_) && now - recent_at_ < max_recent_age;
    }
    // RFC 7323 4.3: call for acceptable segments; only one that spans the last acknowledgment sent is echoed, so that a delayed
    // ACK echoes the first of the segments it answers, and an out-of-order segment is not echoed.
    void update(std::uint32_t peer_value, bool spans_last_ack, time_point now) {
        if (spans_last_ack && (!before(peer_value, recent_) || !has_recent_ || now - recent_at_ >= max_recent_age))
            set(peer_value, now);
    }

    static constexpr bool before(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }

private:
    void set(std::uint32_t peer_value, time_point now) {
        recent_ = peer_value;
        recent_at_ = now;
        has_recent_ = true;
    }

    std::uint32_t offset_;
    std::uint32_t recent_ = 0;  // TS.Recent
    time_point recent_at_;
    bool has_recent_ = false;
    bool enabled_;
};

}  // namespace tandem::tcp
