#include <tandem/bytes/range_set.hpp>

#include <algorithm>

namespace tandem {

// Ranges do not touch each other, so at most one of them ends at n and none begins there too.
const range* range_set::first_ending_at_or_after(std::uint64_t n) const {
    if (ranges_.empty() || n > ranges_.back().end) return ranges_.end();
    if (n >= ranges_.back().begin) return ranges_.end() - 1;
    if (n <= ranges_.front().end) return ranges_.begin();
    return std::lower_bound(ranges_.begin(), ranges_.end(), n, [](const range& r, std::uint64_t v) { return r.end < v; });
}

std::uint64_t range_set::insert(range r) {
    if (r.empty()) return 0;
    if (ranges_.empty() || r.begin > ranges_.back().end) {
        ranges_.push_back(r);
        count_ += r.size();
        return r.size();
    }
    auto* first = const_cast<range*>(first_ending_at_or_after(r.begin));
    if (r.end < first->begin) {
        ranges_.insert(first, r);
        count_ += r.size();
        return r.size();
    }
    std::uint64_t had = 0;
    auto* last = first;  // one past the ranges that r overlaps or adjoins
    for (; last != ranges_.end() && last->begin <= r.end; ++last) {
        had += last->size();
        r.begin = std::min(r.begin, last->begin);
        r.end = std::max(r.end, last->end);
    }
    *first = r;
    ranges_.erase(first + 1, last);
    count_ += r.size() - had;
    return r.size() - had;
}

std::uint64_t range_set::erase(range r) {
    if (r.empty()) return 0;
    auto* first = const_cast<range*>(first_ending_at_or_after(r.begin));
    if (first == ranges_.end() || first->begin >= r.end) return 0;

    if (first->begin < r.begin && r.end < first->end) {
        const range rest{r.end, first->end};
        first->end = r.begin;
        ranges_.insert(first + 1, rest);
        count_ -= r.size();
        return r.size();
    }
    std::uint64_t removed = 0;
    if (first->begin < r.begin) {
        removed += first->end - r.begin;
        first->end = r.begin;
        ++first;
    }
    auto* last = first;
    for (; last != ranges_.end() && last->end <= r.end; ++last) removed += last->size();
    if (last != ranges_.end() && last->begin < r.end) {
        removed += r.end - last->begin;
        last->begin = r.end;
    }
    ranges_.erase(first, last);
    count_ -= removed;
    return removed;
}

bool range_set::contains(std::uint64_t n) const { return contains(range{n, n + 1}); }

bool range_set::contains(range r) const {
    if (r.empty()) return true;
    const auto* at = first_ending_at_or_after(r.end);
    return at != ranges_.end() && at->begin <= r.begin;
}

bool range_set::touches(range r) const {
    const auto* at = first_ending_at_or_after(r.begin);
    return at != ranges_.end() && at->begin <= r.end;
}

void range_set::pop_front() {
    count_ -= ranges_.front().size();
    ranges_.pop_front();
}

void range_set::clear() {
    ranges_.clear();
    count_ = 0;
}

}  // namespace tandem
