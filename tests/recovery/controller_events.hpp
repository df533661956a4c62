// Literal events for tests of controllers.
#pragma once

#include <tandem/recovery/congestion_controller.hpp>

namespace tandem::recovery::test {

inline rtt_estimator steady(duration rtt) {
    rtt_estimator e;
    for (int i = 0; i < 100; ++i) e.update(rtt, duration{});
    return e;
}

// A window-limited acknowledgment of so many bytes.
inline ack_event acked(time_point now, std::uint64_t bytes, const rtt_estimator& rtt) {
    return {.now = now, .acknowledged = bytes, .newest_sent = now - rtt.latest(), .rtt = rtt, .window_limited = true};
}

}  // namespace tandem::recovery::test
