// Reassembly of one stream: bytes come in any order and more than once, and are read in order. Serves QUIC streams,
// CRYPTO streams and TCP's out-of-order queue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <tandem/bytes/byte_times.hpp>
#include <tandem/bytes/range_set.hpp>

namespace tandem {

// Holds bytes [read_offset, highest received). Memory is bounded by the window that the owner enforces before it calls
// insert (flow control), in blocks that are allocated only where bytes came, so a single byte at a high offset costs one block.
// Of overlapping bytes the first copy wins. Steady in-order traffic allocates nothing.
class receive_buffer {
public:
    static constexpr std::size_t max_gaps = 1024;  // holes at one time; a peer that makes more is refused

    enum class insert_error : std::uint8_t { too_many_gaps };

    // Inserts bytes at a stream offset. Returns how many were new, or nothing if there would be too many gaps.
    std::optional<std::uint64_t> insert(std::uint64_t offset, std::span<const std::uint8_t> data, time_point now);

    std::uint64_t read_offset() const;      // bytes consumed so far
    std::uint64_t readable_end() const;     // end of what is contiguous
    std::uint64_t highest_received() const; // end of the highest byte seen
    std::size_t readable() const { return static_cast<std::size_t>(readable_end() - read_offset()); }
    const range_set& received() const;      // beyond and including the contiguous part (for SACK)

    // The first contiguous piece (may be less than readable(): blocks are not contiguous with each other).
    std::span<const std::uint8_t> front() const;
    // Drops n <= readable() bytes from the front; appends their times to *times if given.
    void consume(std::size_t n, byte_time_runs* times = nullptr);
    // Copies and consumes up to out.size() bytes; returns how many.
    std::size_t read(std::span<std::uint8_t> out, byte_time_runs* times = nullptr);

    std::size_t allocated() const;  // bytes of heap held for data
    void clear();                   // drops everything held, keeps the offsets
};

}  // namespace tandem
