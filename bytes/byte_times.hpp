// When bytes arrived and when they could be read: what the head-of-line ledger is made of.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include <tandem/bytes/time.hpp>

namespace tandem {

// A run of consecutive bytes of one stream that share both times. arrived <= readable.
struct byte_times {
    std::uint64_t bytes = 0;
    time_point arrived;   // came from the network
    time_point readable;  // nothing before it in the stream was missing any more
    friend bool operator==(const byte_times&, const byte_times&) = default;
};

using byte_time_runs = std::vector<byte_times>;

}  // namespace tandem
