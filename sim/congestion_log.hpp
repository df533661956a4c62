// Congestion window and bytes in flight of a host over time.
#pragma once

#include <cstdint>
#include <vector>

#include <tandem/bytes/time.hpp>
#include <tandem/sim/clock.hpp>

namespace tandem::sim {

struct congestion_point {
    duration at{};                // since the start of virtual time
    std::uint64_t window = 0;     // bytes
    std::uint64_t in_flight = 0;  // bytes
    friend bool operator==(const congestion_point&, const congestion_point&) = default;
};

// Sums over the connections of a host (one sender each). Of several samples at one time the last counts.
class congestion_log {
public:
    void add(std::size_t connection, time_point now, std::uint64_t window, std::uint64_t in_flight) {
        if (connection >= latest_.size()) latest_.resize(connection + 1);
        sum_.window += window - latest_[connection].window;
        sum_.in_flight += in_flight - latest_[connection].in_flight;
        latest_[connection] = {{}, window, in_flight};
        sum_.at = now - event_queue::start;
        if (!points_.empty() && points_.back().at == sum_.at) points_.pop_back();
        points_.push_back(sum_);
    }
    const std::vector<congestion_point>& points() const { return points_; }

private:
    std::vector<congestion_point> latest_;  // by connection
    congestion_point sum_;
    std::vector<congestion_point> points_;
};

}  // namespace tandem::sim
