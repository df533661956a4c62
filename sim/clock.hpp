// Virtual time: a queue of events that are due at times, and a clock that jumps from one to the next.
#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

#include <tandem/bytes/time.hpp>

namespace tandem::sim {

// Something that events happen to. The argument is whatever it gave when it scheduled the event.
class event_target {
public:
    virtual ~event_target() = default;
    virtual void on_event(std::uint64_t argument) = 0;
};

// Events at one time happen in the order in which they were scheduled, so a run is the same every time. Scheduling allocates
// nothing once the queue has grown to its working size. An event cannot be taken back: a target that changed its mind ignores it.
class event_queue {
public:
    // Virtual time starts at one second rather than zero, so that a default-constructed time_point never looks like a real one.
    static constexpr time_point start = time_point{std::chrono::seconds{1}};

    time_point now() const { return now_; }
    duration elapsed() const { return now_ - start; }

    // Times in the past count as now. The target must outlive the event.
    void schedule(time_point at, event_target& target, std::uint64_t argument);

    bool empty() const { return events_.empty(); }
    std::optional<time_point> next_time() const;

    // Moves to the time of the next event and lets every event happen that was due then when the call began; events that these
    // schedule for the same time happen in the next step. False if there was none.
    bool step();

private:
    struct event {
        time_point at;
        std::uint64_t order;
        event_target* target;
        std::uint64_t argument;
    };
    struct later {
        bool operator()(const event& a, const event& b) const { return a.at != b.at ? a.at > b.at : a.order > b.order; }
    };

    std::priority_queue<event, std::vector<event>, later> events_;
    time_point now_ = start;
    std::uint64_t order_ = 0;
};

}  // namespace tandem::sim
