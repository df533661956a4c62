#include <tandem/tcp/sent_segments.hpp>

#include <algorithm>
#include <utility>

namespace tandem::tcp {

sent_segments::entry* sent_segments::lower(std::uint64_t sequence) {
    return std::upper_bound(entries_.begin(), entries_.end(), sequence,
                            [](std::uint64_t s, const entry& e) { return s < e.end; });
}

const sent_segments::entry* sent_segments::holding(std::uint64_t sequence) const {
    const auto* e = const_cast<sent_segments*>(this)->lower(sequence);
    return e != entries_.end() && e->begin <= sequence ? e : nullptr;
}

std::uint64_t sent_segments::on_sent(range sequences, std::uint64_t number) {
    if (entries_.empty() || entries_.back().end <= sequences.begin) {
        entries_.push_back({sequences.begin, sequences.end, number});
        return no_transmission;
    }
    auto* e = lower(sequences.begin);
    if (e != entries_.end() && e->begin < sequences.end) {
        e->retransmitted = true;
        return std::exchange(e->newest, number);
    }
    entries_.insert(e, {sequences.begin, sequences.end, number});  // bytes of a window probe
    return no_transmission;
}

bool sent_segments::unsettle(std::uint64_t sequence) {
    auto* e = lower(sequence);
    return e != entries_.end() && e->begin <= sequence && std::exchange(e->settled, false);
}

void sent_segments::split(std::uint64_t at) {
    auto* e = lower(at);
    if (e == entries_.end() || e->begin >= at) return;
    auto rest = *e;
    e->end = at;
    rest.begin = at;
    entries_.insert(e + 1, rest);
}

}  // namespace tandem::tcp
