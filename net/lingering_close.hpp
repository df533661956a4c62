// How long the end of a TCP connection waits for its peer: closing with unread data, or before data that still comes, makes TCP
// reset the connection, and what the peer has not received yet is lost.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include <tandem/bytes/time.hpp>

namespace tandem::net {

// nginx has both, by these names and with these values.
struct lingering_limits {
    duration timeout = std::chrono::seconds(5);  // nothing moves: no byte came, and none of ours was acknowledged
    duration time = std::chrono::seconds(30);    // in all after our FIN; but what is still being acknowledged is waited for
};

class lingering_close {
public:
    explicit lingering_close(const lingering_limits& limits) : limits_(limits) {}

    // Our FIN was given to TCP, behind so many bytes that the peer has not acknowledged.
    void begin(time_point now, std::uint64_t unacknowledged) {
        begun_ = moved_ = now;
        unacknowledged_ = unacknowledged;
    }
    bool begun() const { return begun_.has_value(); }
    // The peer sent something, which is thrown away.
    void received(time_point now) { moved_ = now; }
    // To be asked when something happened, and at the deadline. A peer that goes on acknowledging is a slow reader, as slow as it
    // may have been before our FIN too.
    bool over(time_point now, std::uint64_t unacknowledged) {
        if (unacknowledged < unacknowledged_) moved_ = now;
        unacknowledged_ = unacknowledged;
        return now >= deadline();
    }
    time_point deadline() const {
        const auto quiet = moved_ + limits_.timeout;
        return unacknowledged_ == 0 ? std::min(quiet, *begun_ + limits_.time) : quiet;
    }

private:
    lingering_limits limits_;
    std::optional<time_point> begun_;
    time_point moved_;
    std::uint64_t unacknowledged_ = 0;
};

}  // namespace tandem::net
