#include <tandem/bytes/block_list.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

namespace tandem {
namespace {

constexpr std::size_t medium_block_size = 4096;

// Of a block whose bytes all lie before `end`. Only a stream's first block grows in steps: of the later ones of a long stream
// each would begin anew with memory that is not kept.
constexpr std::size_t capacity_for(std::uint64_t index, std::size_t end) {
    if (end <= block_list::small_block_size) return block_list::small_block_size;
    if (index > 0 || end > medium_block_size) return block_list::block_size;
    return std::bit_ceil(end);
}

}  // namespace

void block_list::write(std::uint64_t offset, std::span<const std::uint8_t> data) {
    while (!data.empty()) {
        const auto within = static_cast<std::size_t>(offset % block_size);
        const auto n = std::min(block_size - within, data.size());
        auto& b = at_least(offset / block_size, within + n);
        std::memcpy(b.bytes.get() + within, data.data(), n);
        offset += n;
        data = data.subspan(n);
    }
}

void block_list::read(std::uint64_t offset, std::span<std::uint8_t> out) const {
    while (!out.empty()) {
        const auto from = piece(offset, out.size());
        std::memcpy(out.data(), from.data(), from.size());
        offset += from.size();
        out = out.subspan(from.size());
    }
}

std::span<const std::uint8_t> block_list::piece(std::uint64_t offset, std::uint64_t size) const {
    if (size == 0) return {};
    const auto within = static_cast<std::size_t>(offset % block_size);
    const auto n = std::min<std::uint64_t>(block_size - within, size);
    return {find(offset / block_size).bytes.get() + within, static_cast<std::size_t>(n)};
}

void block_list::release_below(std::uint64_t offset) {
    while (!blocks_.empty() && (blocks_.front().index + 1) * block_size <= offset) {
        give_back(blocks_.front());
        blocks_.pop_front();
    }
}

void block_list::clear() { *this = block_list(); }

std::size_t block_list::position(std::uint64_t index) const {
    if (blocks_.empty() || index <= blocks_.front().index) return 0;
    if (index > blocks_.back().index) return blocks_.size();
    const auto guess = static_cast<std::size_t>(index - blocks_.front().index);  // right where no block is missing
    if (guess < blocks_.size() && blocks_[guess].index == index) return guess;
    const auto* at =
        std::lower_bound(blocks_.begin(), blocks_.end(), index, [](const block& b, std::uint64_t i) { return b.index < i; });
    return static_cast<std::size_t>(at - blocks_.begin());
}

const block_list::block& block_list::find(std::uint64_t index) const { return blocks_[position(index)]; }

block_list::block& block_list::at_least(std::uint64_t index, std::size_t capacity) {
    const auto i = position(index);
    if (i == blocks_.size()) {
        blocks_.push_back({index, {}});
    } else if (blocks_[i].index != index) {
        blocks_.insert(blocks_.begin() + i, {index, {}});
    }
    auto& b = blocks_[i];
    if (b.bytes.size() < capacity) take_memory(b, capacity);
    return b;
}

void block_list::take_memory(block& b, std::size_t capacity) {
    recycled::bytes bytes;
    if (!spares_.empty()) {
        bytes = std::move(spares_.back());
        spares_.pop_back();
    } else {
        bytes = recycled::bytes(capacity_for(b.index, capacity));
        allocated_ += bytes.size();
    }
    if (b.bytes) std::memcpy(bytes.get(), b.bytes.get(), b.bytes.size());
    allocated_ -= b.bytes.size();
    b.bytes = std::move(bytes);
}

void block_list::give_back(block& b) {
    if (b.bytes.size() == block_size && spares_.size() < max_spares) {
        spares_.push_back(std::move(b.bytes));
    } else {
        allocated_ -= b.bytes.size();
        b.bytes = {};
    }
}

}  // namespace tandem
