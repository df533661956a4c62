// What holds a connection's sending back, and for how long: the same question, asked in the same words, of QUIC and of TCP.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <tandem/bytes/time.hpp>

namespace tandem::recovery {

// Why nothing more leaves at this moment. One reason at a time: the one that would have to go first.
enum class limited_by : std::uint8_t {
    application,        // nothing to send
    flow_control,       // QUIC: the peer's credit, of the streams or of the connection
    receive_window,     // TCP: the peer's receive window
    congestion_window,  // as much is in flight as the network is trusted with
    pacing,             // the window has room; the pacer spreads it
    amplification,      // QUIC: three times what came from an unproven address has been sent (RFC 9000 8.1)
    nagle,              // TCP: a small segment waits for an acknowledgment, or for more to go with it
    count_,
};
constexpr std::size_t limit_count = static_cast<std::size_t>(limited_by::count_);

constexpr std::string_view to_string(limited_by why) {
    constexpr std::array<std::string_view, limit_count> names = {
        "application", "flow control", "receive window", "congestion window", "pacing", "amplification", "nagle"};
    return static_cast<std::size_t>(why) < limit_count ? names[static_cast<std::size_t>(why)] : "unknown";
}

// The time spent in each: the sum is the time since the connection began.
struct limit_times {
    std::array<duration, limit_count> spent{};

    duration operator[](limited_by why) const { return spent[static_cast<std::size_t>(why)]; }
    duration total() const {
        duration sum{};
        for (const auto each : spent) sum += each;
        return sum;
    }
    // With something to send.
    duration busy() const { return total() - (*this)[limited_by::application]; }
};

class limit_clock {
public:
    explicit limit_clock(time_point start) : since_(start) {}

    limited_by current() const { return current_; }
    // True if the reason is another one now.
    bool set(limited_by why, time_point now) {
        if (now > since_) {
            times_.spent[static_cast<std::size_t>(current_)] += now - since_;
            since_ = now;
        }
        const bool changed = why != current_;
        current_ = why;
        return changed;
    }
    limit_times at(time_point now) const {
        auto times = times_;
        if (now > since_) times.spent[static_cast<std::size_t>(current_)] += now - since_;
        return times;
    }

private:
    limited_by current_ = limited_by::application;
    time_point since_;
    limit_times times_;
};

}  // namespace tandem::recovery
