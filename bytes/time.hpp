// Time as the sans-IO folders know it: a value that somebody else read from a clock.
#pragma once

#include <chrono>

namespace tandem {

using duration = std::chrono::nanoseconds;

// A clock without a reading function: nothing in bytes, recovery, tls, quic, tcp, http or sim can ask what time it is.
// The drivers make time_points (net from the steady clock, sim from virtual time); only differences have a meaning.
struct clock {
    using duration = tandem::duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<clock, duration>;
    static constexpr bool is_steady = true;
};

using time_point = clock::time_point;

}  // namespace tandem
