// The timers of many objects: the earliest in constant time, nothing allocated in steady state. A timer that moves later, as
// nearly all do with every packet, costs nothing but the note of it in its object.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <tandem/bytes/time.hpp>

namespace tandem::quic {

struct timer_hook {
    static constexpr std::size_t unlisted = static_cast<std::size_t>(-1);
    static constexpr time_point never = time_point::max();
    std::size_t index = unlisted;
    time_point at = never;      // when the timer is due
    time_point listed = never;  // the time it is listed with: that or an earlier one
};

// A binary heap of times, each with its object. An object whose timer moves later, or is disarmed, stays where it is, and is
// moved or taken out when it comes to the front.
template <class T, timer_hook T::*Hook>
class timer_heap {
public:
    // Arms, moves or (with nothing) disarms the timer of an object.
    void set(T& item, std::optional<time_point> at) {
        auto& hook = item.*Hook;
        hook.at = at.value_or(timer_hook::never);
        if (hook.index == timer_hook::unlisted) {
            if (!at) return;
            entries_.push_back({*at, &item});
            sift_up(entries_.size() - 1, {*at, &item});
        } else if (hook.at < hook.listed) {
            sift_up(hook.index, {hook.at, &item});
        } else {
            return;
        }
        hook.listed = hook.at;
    }
    // Disarms it, and forgets the object.
    void remove(T& item) {
        const auto index = (item.*Hook).index;
        item.*Hook = {};
        if (index == timer_hook::unlisted) return;
        const auto last = entries_.back();
        entries_.pop_back();
        if (index == entries_.size()) return;
        if (index > 0 && last.at < entries_[(index - 1) / 2].at)
            sift_up(index, last);
        else
            sift_down(index, last);
    }

    std::optional<time_point> earliest() {
        while (!entries_.empty()) {
            auto& [at, item] = entries_.front();
            auto& hook = item->*Hook;
            if (hook.at == at) return at;
            if (hook.at == timer_hook::never) {
                remove(*item);
            } else {
                hook.listed = hook.at;
                sift_down(0, {hook.at, item});
            }
        }
        return std::nullopt;
    }
    // The object whose timer is the earliest, which `earliest` told.
    T& front() const { return *entries_.front().item; }

private:
    struct entry {
        time_point at;
        T* item;
    };

    void place(std::size_t i, const entry& e) {
        entries_[i] = e;
        (e.item->*Hook).index = i;
    }
    void sift_up(std::size_t i, entry e) {
        for (; i > 0 && e.at < entries_[(i - 1) / 2].at; i = (i - 1) / 2) place(i, entries_[(i - 1) / 2]);
        place(i, e);
    }
    void sift_down(std::size_t i, entry e) {
        for (auto child = 2 * i + 1; child < entries_.size(); child = 2 * i + 1) {
            if (child + 1 < entries_.size() && entries_[child + 1].at < entries_[child].at) ++child;
            if (!(entries_[child].at < e.at)) break;
            place(i, entries_[child]);
            i = child;
        }
        place(i, e);
    }

    std::vector<entry> entries_;
};

}  // namespace tandem::quic
