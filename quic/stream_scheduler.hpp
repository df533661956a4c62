// Whose turn it is to send: the streams that can send data, by urgency (RFC 9218).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <tandem/quic/stream.hpp>

namespace tandem::quic {

// A list of streams that allocates nothing; a stream is in at most one list per hook.
class stream_list {
public:
    explicit stream_list(stream_hook stream::*hook) : hook_(hook) {}
    stream_list(const stream_list&) = delete;
    stream_list& operator=(const stream_list&) = delete;

    bool empty() const { return first_ == nullptr; }
    stream* front() const { return first_; }
    stream* next(const stream& s) const { return (s.*hook_).next; }
    bool contains(const stream& s) const { return (s.*hook_).list == this; }
    void push_back(stream& s) { insert_after(last_, s); }
    void insert_by_id(stream& s);  // constant time where it is the highest
    void erase(stream& s);

private:
    void insert_after(stream* where, stream& s);

    stream_hook stream::*hook_;
    stream* first_ = nullptr;
    stream* last_ = nullptr;
};

class stream_scheduler {
public:
    static constexpr std::size_t urgencies = 8;

    stream_scheduler();

    bool empty() const { return nonempty_ == 0; }
    bool contains(const stream& s) const;
    void add(stream& s);  // at the end of its turn order; does nothing if it is in already
    void erase(stream& s);
    // Lowest urgency first; in it the sequential streams by ID, then the incremental ones in turn. Null if there is none.
    stream* front() const;
    // An incremental stream had its packet: the others of its urgency go first now.
    void end_turn(stream& s);
    // Visits all; f may erase the stream it is given.
    template <class F>
    void for_each(F f);

private:
    stream_list& list_of(const stream& s) { return s.incremental ? incremental_[s.urgency] : sequential_[s.urgency]; }

    std::uint32_t nonempty_ = 0;  // bit 2u: sequential_[u], bit 2u+1: incremental_[u]
    std::array<stream_list, urgencies> incremental_;
    std::array<stream_list, urgencies> sequential_;
};

template <class F>
void stream_scheduler::for_each(F f) {
    for (auto* lists : {&sequential_, &incremental_}) {
        for (auto& list : *lists) {
            for (stream* s = list.front(); s != nullptr;) {
                stream* after = list.next(*s);
                f(*s);
                s = after;
            }
        }
    }
}

}  // namespace tandem::quic
