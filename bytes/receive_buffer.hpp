// Reassembly of one stream: bytes come in any order and more than once, and are read in order. Serves QUIC streams,
// CRYPTO streams and TCP's out-of-order queue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <tandem/bytes/block_list.hpp>
#include <tandem/bytes/byte_times.hpp>
#include <tandem/bytes/front_vector.hpp>
#include <tandem/bytes/range_set.hpp>

namespace tandem {

// Holds bytes [read_offset, highest received). Memory is bounded by the window that the owner enforces before it calls
// insert (flow control), in blocks that are allocated only where bytes came, so a single byte at a high offset costs one block.
// Of overlapping bytes the first copy wins. Steady in-order traffic allocates nothing.
class receive_buffer {
public:
    static constexpr std::size_t max_gaps = 1024;  // holes at one time; a peer that makes more is refused

    // Runs of bytes with one arrival time, at one time, for each of: readable bytes, bytes above a hole. Past it neighbours
    // share a time: the ledger gets coarser, memory does not grow.
    static constexpr std::size_t max_time_runs = 4096;

    // Inserts bytes at a stream offset. Returns how many were new, or nothing if there would be too many gaps.
    std::optional<std::uint64_t> insert(std::uint64_t offset, std::span<const std::uint8_t> data, time_point now);

    std::uint64_t read_offset() const { return read_offset_; }    // bytes consumed so far
    std::uint64_t readable_end() const { return readable_end_; }  // end of what is contiguous
    std::uint64_t highest_received() const { return highest_; }   // end of the highest byte seen
    std::size_t readable() const { return static_cast<std::size_t>(readable_end() - read_offset()); }
    // All that was received; the first range is [0, readable_end()), unless that is empty, the others lie beyond holes (for
    // SACK).
    const range_set& received() const { return received_; }

    // The first contiguous piece (may be less than readable(): blocks are not contiguous with each other).
    std::span<const std::uint8_t> front() const;
    // Copies the first out.size() <= readable() bytes, which stay.
    void peek(std::span<std::uint8_t> out) const { blocks_.read(read_offset_, out); }
    // Drops n <= readable() bytes from the front; appends their times to *times if given.
    void consume(std::size_t n, byte_time_runs* times = nullptr);
    // Copies and consumes up to out.size() bytes; returns how many.
    std::size_t read(std::span<std::uint8_t> out, byte_time_runs* times = nullptr);

    std::size_t allocated() const { return blocks_.allocated(); }  // bytes of heap held for data
    // Drops everything held (the stream was reset): what was readable counts as read, what lay beyond a hole as never received.
    void clear();
    // Gives back all memory if no bytes are held: for streams that rest.
    void shrink();

private:
    struct early_run {  // bytes beyond a hole: not readable yet
        range bytes;
        time_point arrived;
    };

    void add_readable(std::uint64_t bytes, time_point arrived, time_point readable);
    void add_early(range bytes, time_point arrived);
    void promote_early(time_point now);

    std::uint64_t read_offset_ = 0;
    std::uint64_t readable_end_ = 0;
    std::uint64_t highest_ = 0;
    block_list blocks_;
    range_set received_;
    front_vector<byte_times> readable_runs_;  // cover [read_offset_, readable_end_) in order
    front_vector<early_run> early_runs_;      // ascending, cover what was received beyond readable_end_
};

}  // namespace tandem
