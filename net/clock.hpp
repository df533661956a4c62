// The one place where tandem reads a clock.
#pragma once

#include <chrono>
#include <cstdint>

#include <tandem/bytes/time.hpp>

namespace tandem::net {

// The steady clock's reading as the time that sans-IO code is told.
inline time_point now() {
    return time_point(std::chrono::duration_cast<duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

// Seconds since 1970, for what outlives the process.
inline std::int64_t wall_seconds() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The steady clock's time point of a time that sans-IO code asked for.
inline std::chrono::steady_clock::time_point to_steady(time_point t) {
    return std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(t.time_since_epoch()));
}

}  // namespace tandem::net
