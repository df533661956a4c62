#include <tandem/sim/clock.hpp>

namespace tandem::sim {

void event_queue::schedule(time_point at, event_target& target, std::uint64_t argument) {
    events_.push({at < now_ ? now_ : at, order_++, &target, argument});
}

std::optional<time_point> event_queue::next_time() const {
    if (events_.empty()) return std::nullopt;
    return events_.top().at;
}

bool event_queue::step() {
    if (events_.empty()) return false;
    now_ = events_.top().at;
    const auto newest = order_;
    while (!events_.empty() && events_.top().at == now_ && events_.top().order < newest) {
        const auto e = events_.top();
        events_.pop();
        e.target->on_event(e.argument);
    }
    return true;
}

}  // namespace tandem::sim
