// Bytes of a stream in blocks, held only where the stream has bytes. What send_buffer and receive_buffer keep their bytes in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tandem/bytes/front_vector.hpp>
#include <tandem/bytes/recycled.hpp>

namespace tandem {

// Blocks are aligned to multiples of block_size in the stream, and sorted, so memory follows the bytes that came and not the span
// of their offsets. A block whose bytes all lie near its beginning is small, so that a thousand short streams stay cheap.
// Released blocks are kept for reuse, so that steady traffic allocates nothing.
class block_list {
public:
    static constexpr std::size_t block_size = 16384;
    static constexpr std::size_t small_block_size = 512;
    static constexpr std::size_t max_spares = 64;  // 1 MiB kept for reuse covers the burst one acknowledgment or read releases

    // Copies data to where `offset` is, making blocks as needed.
    void write(std::uint64_t offset, std::span<const std::uint8_t> data);
    // Copies out bytes that were written.
    void read(std::uint64_t offset, std::span<std::uint8_t> out) const;
    // The bytes from `offset` to the end of its block, at most `size`; they were written.
    std::span<const std::uint8_t> piece(std::uint64_t offset, std::uint64_t size) const;
    // Forgets all blocks that end at or below `offset`.
    void release_below(std::uint64_t offset);
    void clear();  // gives back all memory, spares too

    std::size_t allocated() const { return allocated_; }  // bytes of heap, spares included

private:
    struct block {
        std::uint64_t index = 0;  // of block_size bytes each
        recycled::bytes bytes;
    };

    block& at_least(std::uint64_t index, std::size_t capacity);
    const block& find(std::uint64_t index) const;
    std::size_t position(std::uint64_t index) const;  // of the first block at or above
    void take_memory(block& b, std::size_t capacity);
    void give_back(block& b);

    front_vector<block> blocks_;
    std::size_t allocated_ = 0;
    std::vector<recycled::bytes> spares_;  // of block_size each
};

}  // namespace tandem
