#include <tandem/quic/stream_scheduler.hpp>

#include <bit>
#include <utility>

namespace tandem::quic {

void stream_list::insert_after(stream* where, stream& s) {
    auto& hook = s.*hook_;
    hook.list = this;
    hook.previous = where;
    hook.next = where ? (where->*hook_).next : first_;
    (where ? (where->*hook_).next : first_) = &s;
    (hook.next ? (hook.next->*hook_).previous : last_) = &s;
}

void stream_list::insert_by_id(stream& s) {
    stream* where = last_;
    while (where && where->id > s.id) where = (where->*hook_).previous;
    insert_after(where, s);
}

void stream_list::erase(stream& s) {
    auto& hook = s.*hook_;
    (hook.previous ? (hook.previous->*hook_).next : first_) = hook.next;
    (hook.next ? (hook.next->*hook_).previous : last_) = hook.previous;
    hook = {};
}

namespace {

// Lists cannot be copied or moved: streams point at them.
template <std::size_t... I>
std::array<stream_list, sizeof...(I)> make_lists(std::index_sequence<I...>) {
    return {{(static_cast<void>(I), stream_list(&stream::sending))...}};
}

}  // namespace

stream_scheduler::stream_scheduler()
    : incremental_(make_lists(std::make_index_sequence<urgencies>{})),
      sequential_(make_lists(std::make_index_sequence<urgencies>{})) {}

bool stream_scheduler::contains(const stream& s) const {
    return s.sending.list == &sequential_[s.urgency] || s.sending.list == &incremental_[s.urgency];
}

void stream_scheduler::add(stream& s) {
    if (contains(s)) return;
    auto& list = list_of(s);
    if (s.incremental) {
        list.push_back(s);
    } else {
        list.insert_by_id(s);
    }
    nonempty_ |= 1U << (2 * s.urgency + (s.incremental ? 1 : 0));
}

void stream_scheduler::erase(stream& s) {
    if (!contains(s)) return;
    auto& list = list_of(s);
    list.erase(s);
    if (list.empty()) nonempty_ &= ~(1U << (2 * s.urgency + (s.incremental ? 1 : 0)));
}

stream* stream_scheduler::front() const {
    if (nonempty_ == 0) return nullptr;
    const auto first = static_cast<std::size_t>(std::countr_zero(nonempty_));
    return (first % 2 ? incremental_ : sequential_)[first / 2].front();
}

void stream_scheduler::end_turn(stream& s) {
    if (!s.incremental || !contains(s)) return;
    auto& list = incremental_[s.urgency];
    list.erase(s);
    list.push_back(s);
}

}  // namespace tandem::quic
