// Remembers what was used within a window of time, in bounded memory: tickets and tokens that are good only once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_set>
#include <utility>

#include <tandem/bytes/time.hpp>

namespace tandem {

class single_use_filter {
public:
    // window: uses are remembered for at least so long, and at most twice. capacity: uses remembered of each window; the memory
    // is some 80 bytes for each.
    single_use_filter(duration window, std::size_t capacity) : window_(window), capacity_(capacity) {}

    // False if it was used before, or might have been: when more things come within a window than there is room for, no use is
    // good. `value`: a hash with a key, or a value that was authenticated, so that strangers cannot choose it.
    bool use(std::uint64_t value, time_point now) {
        rotate(now);
        if (current_.contains(value) || previous_.contains(value) || current_.size() >= capacity_) return false;
        current_.insert(value);
        return true;
    }
    std::size_t size() const { return current_.size() + previous_.size(); }

private:
    void rotate(time_point now) {
        if (now < started_ + window_) return;
        const bool recent = now < started_ + 2 * window_;
        previous_ = recent ? std::move(current_) : std::unordered_set<std::uint64_t>();
        current_ = {};
        started_ = now;
    }

    duration window_;
    std::size_t capacity_;
    time_point started_{};
    std::unordered_set<std::uint64_t> current_;
    std::unordered_set<std::uint64_t> previous_;
};

}  // namespace tandem
