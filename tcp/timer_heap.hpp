// Which of many connections has the next timeout. Deadlines that move later cost nothing until they would have been due.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include <tandem/bytes/time.hpp>

namespace tandem::tcp {

class timer_heap {
public:
    // Deadline, below, is how a slot's deadline is asked for: f(slot) -> optional<time_point>.
    void grow(std::size_t slots) { queued_.resize(slots); }

    // The slot's deadline may have changed. Only an earlier one takes work.
    void update(std::uint32_t slot, std::optional<time_point> deadline) {
        if (!deadline || (queued_[slot] && *queued_[slot] <= *deadline)) return;
        queued_[slot] = deadline;
        push({*deadline, slot});
    }
    void remove(std::uint32_t slot) { queued_[slot].reset(); }

    template <class Deadline>
    std::optional<time_point> next(Deadline deadline_of) {
        settle(deadline_of);
        return heap_.empty() ? std::nullopt : std::optional(heap_.front().at);
    }

    // The slot whose deadline has passed, one at a time.
    template <class Deadline>
    std::optional<std::uint32_t> pop_due(time_point now, Deadline deadline_of) {
        settle(deadline_of);
        if (heap_.empty() || heap_.front().at > now) return std::nullopt;
        const auto slot = heap_.front().slot;
        pop();
        queued_[slot].reset();
        return slot;
    }

private:
    struct entry {
        time_point at;
        std::uint32_t slot;
        bool operator<(const entry& other) const { return at > other.at; }  // the standard heap has the greatest first
    };

    // Makes the first entry true: drops those that were replaced, puts back those whose deadline moved.
    template <class Deadline>
    void settle(Deadline deadline_of) {
        while (!heap_.empty()) {
            const auto first = heap_.front();
            if (queued_[first.slot] != first.at) {
                pop();
                continue;
            }
            const auto deadline = deadline_of(first.slot);
            if (deadline == first.at) return;
            pop();
            queued_[first.slot].reset();
            update(first.slot, deadline);
        }
    }
    void push(entry e) {
        heap_.push_back(e);
        std::push_heap(heap_.begin(), heap_.end());
    }
    void pop() {
        std::pop_heap(heap_.begin(), heap_.end());
        heap_.pop_back();
    }

    std::vector<entry> heap_;
    std::vector<std::optional<time_point>> queued_;  // per slot: the entry that counts
};

}  // namespace tandem::tcp
