// The bytes of one stream that its peer has not acknowledged yet: unsent, in flight, lost, acknowledged. Serves QUIC streams,
// CRYPTO streams and TCP (where the acknowledged ranges are the SACK scoreboard).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <tandem/bytes/block_list.hpp>
#include <tandem/bytes/range_set.hpp>

namespace tandem {

// Steady traffic allocates nothing: blocks are recycled. The owner bounds it by asking size() before it appends.
class send_buffer {
public:
    void append(std::span<const std::uint8_t> data);  // copies

    std::uint64_t begin_offset() const { return begin_; }       // everything below is acknowledged and gone
    std::uint64_t end_offset() const { return end_; }           // one past the last byte appended
    std::uint64_t next_unsent() const { return next_unsent_; }  // lowest offset never sent
    std::size_t size() const { return static_cast<std::size_t>(end_offset() - begin_offset()); }
    std::uint64_t unsent() const { return end_offset() - next_unsent(); }
    bool has_lost() const { return !lost_.empty(); }
    std::uint64_t lost_bytes() const { return lost_.count(); }
    bool all_acknowledged() const { return begin_ == end_; }
    std::size_t allocated() const { return blocks_.allocated(); }  // bytes of heap held for data

    // What to send next: the lowest lost range, else unsent bytes below `limit` (flow control; lost bytes were within it
    // already). At most max_bytes long; empty if there is nothing.
    range next(std::uint64_t max_bytes, std::uint64_t limit) const;
    // Copies bytes that are held to out (r.size() bytes).
    void copy(range r, std::uint8_t* out) const;

    void sent(range r);                   // they are in flight now (again)
    std::uint64_t acknowledged(range r);  // returns how many were newly acknowledged; offsets never sent are ignored
    void lost(range r);                   // to be sent again, unless acknowledged meanwhile
    // The peer took back what it had acknowledged above begin_offset() (TCP: RFC 2018 8): it is lost now.
    void reneged();
    const range_set& acknowledged() const { return acknowledged_; }  // above begin_offset()
    // Nothing of it was ever sent: the peer threw all of it away (QUIC: RFC 9001 4.6.2). Not after an acknowledgment.
    void rewind();
    // Bytes from `end` on that were never sent are dropped; those that were sent need not arrive any more.
    void abandon_from(std::uint64_t end);
    // Drops all bytes held (the stream was reset). What was never sent never existed: end_offset() becomes next_unsent().
    void clear();
    // Gives back all memory if no bytes are held: for streams that rest.
    void shrink();

private:
    std::uint64_t begin_ = 0;
    std::uint64_t next_unsent_ = 0;
    std::uint64_t end_ = 0;
    range_set lost_;          // within [begin_, next_unsent_), disjoint from acknowledged_
    range_set acknowledged_;  // above begin_, which moves past what is acknowledged in order
    block_list blocks_;
};

}  // namespace tandem
