// The bytes of one stream that its peer has not acknowledged yet: unsent, in flight, lost, acknowledged. Serves QUIC streams,
// CRYPTO streams and TCP (where the acknowledged ranges are the SACK scoreboard).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <tandem/bytes/range_set.hpp>

namespace tandem {

// Steady traffic allocates nothing: blocks are recycled. The owner bounds it by asking size() before it appends.
class send_buffer {
public:
    void append(std::span<const std::uint8_t> data);  // copies

    std::uint64_t begin_offset() const;  // everything below is acknowledged and gone
    std::uint64_t end_offset() const;    // one past the last byte appended
    std::uint64_t next_unsent() const;   // lowest offset never sent
    std::size_t size() const { return static_cast<std::size_t>(end_offset() - begin_offset()); }
    std::uint64_t unsent() const { return end_offset() - next_unsent(); }
    bool has_lost() const;
    std::uint64_t lost_bytes() const;
    bool all_acknowledged() const;       // begin_offset() == end_offset()

    // What to send next: the lowest lost range, else unsent bytes below `limit` (flow control; lost bytes were within it already).
    // At most max_bytes long; empty if there is nothing.
    range next(std::uint64_t max_bytes, std::uint64_t limit) const;
    // Copies bytes that are held to out (r.size() bytes).
    void copy(range r, std::uint8_t* out) const;

    void sent(range r);                    // they are in flight now (again)
    std::uint64_t acknowledged(range r);   // returns how many were newly acknowledged; unknown offsets are ignored
    void lost(range r);                    // to be sent again, unless acknowledged meanwhile
    const range_set& acknowledged() const; // above begin_offset()
    void clear();                          // drops all bytes held (the stream was reset)
};

}  // namespace tandem
