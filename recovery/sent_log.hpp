// Everything sent and not yet done with, by transmission number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <tandem/recovery/transmission.hpp>

namespace tandem::recovery {

// A ring indexed by number: O(1) for everything, no allocation once it has the size of a window. Numbers that were skipped take
// an empty place. References stay valid until the next push.
template <class Contents>
class sent_log {
public:
    bool empty() const { return first_ == next_; }
    std::uint64_t first() const { return first_; }  // lowest number held
    std::uint64_t next() const { return next_; }    // one past the highest number held
    std::uint64_t size() const { return next_ - first_; }
    std::size_t capacity() const { return slots_.size(); }

    // t.number >= next().
    transmission<Contents>& push(transmission<Contents> t) {
        if (empty()) first_ = next_ = t.number;
        make_room(t.number + 1 - first_);
        for (; next_ < t.number; ++next_) slot(next_).state = fate::forgotten;
        auto& place = slot(next_++);
        place = std::move(t);
        return place;
    }

    // Nothing if the number is not held or was skipped; forgotten ones are as good as never sent.
    transmission<Contents>* find(std::uint64_t number) {
        if (number < first_ || number >= next_) return nullptr;
        auto& t = slot(number);
        return t.state == fate::forgotten ? nullptr : &t;
    }

    const transmission<Contents>* find(std::uint64_t number) const { return const_cast<sent_log*>(this)->find(number); }

    transmission<Contents>& operator[](std::uint64_t number) { return slot(number); }  // first() <= number < next()
    const transmission<Contents>& operator[](std::uint64_t number) const { return slots_[number & (slots_.size() - 1)]; }

    void pop_front() { ++first_; }
    // Forgets everything, and gives back the memory.
    void release() {
        first_ = next_;
        slots_ = std::vector<transmission<Contents>>();  // "= {}" would keep the memory
    }

private:
    transmission<Contents>& slot(std::uint64_t number) { return slots_[number & (slots_.size() - 1)]; }

    void make_room(std::uint64_t span) {
        if (span <= slots_.size()) return;
        std::size_t capacity = slots_.empty() ? 4 : slots_.size();
        while (capacity < span) capacity *= 2;
        std::vector<transmission<Contents>> larger(capacity);
        for (auto n = first_; n < next_; ++n) larger[n & (capacity - 1)] = std::move(slot(n));
        slots_ = std::move(larger);
    }

    std::vector<transmission<Contents>> slots_;  // a power of two
    std::uint64_t first_ = 0;
    std::uint64_t next_ = 0;
};

}  // namespace tandem::recovery
