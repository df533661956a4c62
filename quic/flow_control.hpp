// Flow control (RFC 9000 4): the credit we give and the credit we were given, for a stream or for the whole connection.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include <tandem/bytes/time.hpp>

namespace tandem::quic {

// Credit that we give to the peer. Offsets count from the start of the stream (or sum over all streams).
class receive_credit {
public:
    // window: bytes beyond what was consumed that the peer may send, now and at most.
    receive_credit(std::uint64_t window, std::uint64_t max_window)
        : limit_(window), announced_(window), window_(window), max_window_(std::max(window, max_window)) {}

    std::uint64_t limit() const { return limit_; }  // the peer may send bytes below this
    std::uint64_t consumed() const { return consumed_; }
    std::uint64_t window() const { return window_; }

    // The application took n bytes (or they were thrown away). Doubles the window, up to its maximum, if half of it was consumed
    // within one round trip: the peer is then likely to wait for credit. rtt zero: unknown, the window stays.
    void consume(std::uint64_t n, time_point now, duration rtt);
    // At least this much window (the connection's must not be less than 1.5 of a stream's), up to the maximum.
    void widen(std::uint64_t window) { window_ = std::max(window_, std::min(window, max_window_)); }

    // A MAX_DATA or MAX_STREAM_DATA is due: half of the window is used up (RFC 9000 4.2), or the last announcement was lost.
    bool announcement_due() const { return lost_ || consumed_ + window_ - limit_ >= (window_ + 1) / 2; }
    // The limit to announce now; it is in force from here on.
    std::uint64_t announce();
    // The announcement of `limit` was lost; matters only if it was the last one.
    void on_lost(std::uint64_t limit) { lost_ = lost_ || limit == announced_; }

private:
    std::uint64_t limit_;
    std::uint64_t announced_;
    std::uint64_t window_;
    std::uint64_t max_window_;
    std::uint64_t consumed_ = 0;
    std::uint64_t round_consumed_ = 0;  // consumed since round_start_
    std::optional<time_point> round_start_;
    bool lost_ = false;
};

// Credit that the peer gives to us.
class send_credit {
public:
    std::uint64_t limit() const { return limit_; }
    std::uint64_t used() const { return used_; }
    std::uint64_t available() const { return limit_ - used_; }

    // Smaller limits than the present one are ignored (RFC 9000 4.1). True if it grew.
    bool raise(std::uint64_t limit);
    void use(std::uint64_t n) { used_ += n; }

    // Notes that there is more to send than the limit allows. A BLOCKED frame is due once per limit.
    void block() { blocked_due_ = blocked_due_ || announced_ != limit_; }
    bool blocked_due() const { return blocked_due_; }
    std::uint64_t announce_blocked();
    void on_blocked_lost(std::uint64_t limit) { blocked_due_ = blocked_due_ || (limit == limit_ && available() == 0); }
    void stop() { blocked_due_ = false; }

private:
    std::uint64_t limit_ = 0;
    std::uint64_t used_ = 0;
    std::optional<std::uint64_t> announced_;
    bool blocked_due_ = false;
};

}  // namespace tandem::quic
