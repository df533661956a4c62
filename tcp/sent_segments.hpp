// Which transmissions carry which bytes: the way from an acknowledgment, which names bytes, to transmission numbers, which is
// what loss recovery understands.
#pragma once

#include <cstdint>
#include <limits>

#include <tandem/bytes/front_vector.hpp>
#include <tandem/bytes/range_set.hpp>

namespace tandem::tcp {

constexpr std::uint64_t no_transmission = std::numeric_limits<std::uint64_t>::max();

// What loss recovery keeps for us with each transmission.
struct sent_segment {
    std::uint64_t begin = 0;  // sequence numbers [begin, end); SYN and FIN count one each
    std::uint64_t end = 0;
    std::uint64_t previous = no_transmission;  // the transmission of the same bytes before this one
    std::uint32_t timestamp = 0;               // TSval
    std::uint32_t mtu_probe = 0;               // bytes of the IP packet, if it was one to find out whether the path carries it
};

// One entry per segment that is not acknowledged cumulatively, ascending and without gaps but where bytes went out untracked
// (window probes). A retransmission repeats a whole entry or its unacknowledged rest, so its entry only learns a newer number.
class sent_segments {
public:
    // Retransmitted segments remembered after they were acknowledged, for a DSACK that comes a round trip later.
    static constexpr std::size_t max_remembered = 64;

    struct entry {
        std::uint64_t begin = 0;
        std::uint64_t end = 0;
        std::uint64_t newest = no_transmission;
        bool retransmitted = false;
        bool settled = false;  // acknowledged; its numbers were reported
    };

    // Returns the transmission of these bytes before this one.
    std::uint64_t on_sent(range sequences, std::uint64_t number);

    const entry* holding(std::uint64_t sequence) const;
    const entry* last() const { return entries_.empty() ? nullptr : &entries_.back(); }
    bool empty() const { return entries_.empty(); }
    std::size_t size() const { return entries_.size(); }
    // The MSS shrank: the entry that holds `at` becomes two, which share its transmissions.
    void split(std::uint64_t at);

    // Calls f(entry) for each entry below `acknowledged` that is not settled, and forgets them.
    template <class F>
    void acknowledge_below(std::uint64_t acknowledged, F f);
    // Calls f(entry) for each entry that is not settled, overlaps `newly` and is covered(range).
    template <class Covered, class F>
    void acknowledge(range newly, Covered covered, F f);
    template <class F>
    void for_each(F f) const {
        for (const auto& e : entries_) f(e);
    }
    // Calls f(entry) for every entry that is not settled.
    template <class F>
    void for_each_unsettled(F f) const;
    // Settles the first entry that is not and ends above `sequence`, and calls f(entry). For peers without SACK.
    template <class F>
    void assume_one_delivered_above(std::uint64_t sequence, F f);
    // The entry that holds `sequence` is not delivered after all. False if it was not settled.
    bool unsettle(std::uint64_t sequence);
    // The peer took back what it had acknowledged selectively: calls f(entry) for all settled entries, which no longer are.
    template <class F>
    void unsettle_all(F f);
    // Calls f(entry) for the retransmitted entries, recent or remembered, that lie within a duplicate the peer reports.
    template <class F>
    void for_each_duplicate(range sequences, F f) const;

    void clear() { entries_.clear(); }
    // Gives back all memory if nothing is outstanding.
    void shrink() {
        if (!entries_.empty()) return;
        entries_.shrink();
        remembered_ = {};
    }

private:
    entry* lower(std::uint64_t sequence);  // first entry that ends above it

    front_vector<entry> entries_;
    front_vector<entry> remembered_;
};

template <class F>
void sent_segments::acknowledge_below(std::uint64_t acknowledged, F f) {
    while (!entries_.empty() && entries_.front().end <= acknowledged) {
        auto& e = entries_.front();
        if (!e.settled) f(e);
        if (e.retransmitted) {
            if (remembered_.size() == max_remembered) remembered_.pop_front();
            remembered_.push_back(e);
        }
        entries_.pop_front();
    }
}

template <class Covered, class F>
void sent_segments::acknowledge(range newly, Covered covered, F f) {
    for (auto* e = lower(newly.begin); e != entries_.end() && e->begin < newly.end; ++e) {
        if (e->settled || !covered(range{e->begin, e->end})) continue;
        e->settled = true;
        f(*e);
    }
}

template <class F>
void sent_segments::assume_one_delivered_above(std::uint64_t sequence, F f) {
    for (auto* e = lower(sequence); e != entries_.end(); ++e) {
        if (e->settled) continue;
        e->settled = true;
        f(*e);
        return;
    }
}

template <class F>
void sent_segments::for_each_unsettled(F f) const {
    for (const auto& e : entries_) {
        if (!e.settled) f(e);
    }
}

template <class F>
void sent_segments::unsettle_all(F f) {
    for (auto& e : entries_) {
        if (!e.settled) continue;
        e.settled = false;
        f(e);
    }
}

template <class F>
void sent_segments::for_each_duplicate(range sequences, F f) const {
    const auto within = [&](const entry& e) { return e.retransmitted && e.begin < sequences.end && sequences.begin < e.end; };
    for (const auto& e : remembered_) {
        if (within(e)) f(e);
    }
    for (const auto* e = const_cast<sent_segments*>(this)->lower(sequences.begin);
         e != entries_.end() && e->begin < sequences.end; ++e) {
        if (within(*e)) f(*e);
    }
}

}  // namespace tandem::tcp
