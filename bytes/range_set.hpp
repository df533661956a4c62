// A set of half-open ranges [begin, end) of 64-bit numbers, kept sorted, disjoint and not touching.
#pragma once

#include <cstddef>
#include <cstdint>

#include <tandem/bytes/front_vector.hpp>

namespace tandem {

struct range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;

    std::uint64_t size() const { return end - begin; }
    bool empty() const { return begin >= end; }
    friend bool operator==(const range&, const range&) = default;
};

// Adding at the back, extending the last range and removing from the front are O(1) and, once warm, without allocation: an
// in-order stream's set is one range. Elsewhere O(ranges), of 16 bytes each; owners cap how many there are.
class range_set {
public:
    // Adds a range; returns how many numbers of it were not in the set before.
    std::uint64_t insert(range r);
    // Removes a range; returns how many numbers of it were in the set.
    std::uint64_t erase(range r);

    bool contains(std::uint64_t n) const;
    bool contains(range r) const;
    bool touches(range r) const;                    // overlaps or adjoins a range of the set
    std::uint64_t count() const { return count_; }  // numbers in the set
    bool empty() const { return ranges_.empty(); }
    std::size_t size() const { return ranges_.size(); }  // ranges in the set
    const range& front() const { return ranges_.front(); }
    const range& back() const { return ranges_.back(); }
    const range* begin() const { return ranges_.begin(); }
    const range* end() const { return ranges_.end(); }
    void pop_front();
    void clear();

    // Calls f(range) for each part of r that is not in the set, in ascending order, before changing anything.
    template <class F>
    void for_each_missing(range r, F f) const;

    void shrink() { ranges_.shrink(); }  // gives back the memory of an empty set

private:
    const range* first_ending_at_or_after(std::uint64_t n) const;

    front_vector<range> ranges_;
    std::uint64_t count_ = 0;
};

template <class F>
void range_set::for_each_missing(range r, F f) const {
    for (const range* it = first_ending_at_or_after(r.begin); it != ranges_.end() && it->begin < r.end; ++it) {
        if (r.begin < it->begin) f(range{r.begin, it->begin});
        if (r.begin < it->end) r.begin = it->end;
    }
    if (!r.empty()) f(r);
}

}  // namespace tandem
