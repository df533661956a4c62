// The timers of many objects: the earliest in constant time, changes in logarithmic time, nothing allocated in steady state.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <tandem/bytes/time.hpp>

namespace tandem::quic {

struct timer_hook {
    static constexpr std::size_t unarmed = static_cast<std::size_t>(-1);
    std::size_t index = unarmed;
    time_point at;
};

// A binary heap whose entries know their place, so that a changed timer moves instead of leaving a stale entry behind.
template <class T, timer_hook T::*Hook>
class timer_heap {
public:
    // Arms, moves or (with nothing) disarms the timer of an object.
    void set(T& item, std::optional<time_point> at) {
        auto& hook = item.*Hook;
        if (!at) {
            remove(item);
        } else if (hook.index == timer_hook::unarmed) {
            hook = {entries_.size(), *at};
            entries_.push_back(&item);
            sift_up(hook.index);
        } else if (*at != hook.at) {
            hook.at = *at;
            restore(hook.index);
        }
    }
    void remove(T& item) {
        const auto index = (item.*Hook).index;
        if (index == timer_hook::unarmed) return;
        (item.*Hook).index = timer_hook::unarmed;
        T* last = entries_.back();
        entries_.pop_back();
        if (index == entries_.size()) return;
        place(index, last);
        restore(index);
    }

    std::optional<time_point> earliest() const {
        if (entries_.empty()) return std::nullopt;
        return at(0);
    }
    // The object whose timer is the earliest; there must be one.
    T& front() const { return *entries_.front(); }
    std::size_t size() const { return entries_.size(); }

private:
    time_point at(std::size_t i) const { return (entries_[i]->*Hook).at; }
    void place(std::size_t i, T* item) {
        entries_[i] = item;
        (item->*Hook).index = i;
    }
    void restore(std::size_t i) {
        if (i > 0 && at(i) < at((i - 1) / 2))
            sift_up(i);
        else
            sift_down(i);
    }
    void sift_up(std::size_t i) {
        T* item = entries_[i];
        for (; i > 0 && (item->*Hook).at < at((i - 1) / 2); i = (i - 1) / 2) place(i, entries_[(i - 1) / 2]);
        place(i, item);
    }
    void sift_down(std::size_t i) {
        T* item = entries_[i];
        for (auto child = 2 * i + 1; child < entries_.size(); child = 2 * i + 1) {
            if (child + 1 < entries_.size() && at(child + 1) < at(child)) ++child;
            if (!(at(child) < (item->*Hook).at)) break;
            place(i, entries_[child]);
            i = child;
        }
        place(i, item);
    }

    std::vector<T*> entries_;
};

}  // namespace tandem::quic
