#include <tandem/tcp/sack_report.hpp>

#include <algorithm>

#include <tandem/tcp/sequence.hpp>

namespace tandem::tcp {

void sack_report::on_out_of_order(std::uint64_t offset) {
    const auto end = recent_.begin() + static_cast<std::ptrdiff_t>(recent_count_);
    auto at = std::find(recent_.begin(), end, offset);
    if (at == end) {
        if (recent_count_ < recent_.size()) ++recent_count_;
        at = recent_.begin() + static_cast<std::ptrdiff_t>(recent_count_) - 1;
    }
    std::copy_backward(recent_.begin(), at, at + 1);
    recent_.front() = offset;
}

void sack_report::write(segment_options& options, const range_set& received, std::uint64_t next, std::uint64_t base,
                        std::size_t max_blocks) const {
    options.sack_count = 0;
    const auto add = [&](range r) {
        const sack_block block{on_wire(base + r.begin), on_wire(base + r.end)};
        const auto known = options.sack_blocks().subspan(duplicate_ && options.sack_count > 0 ? 1 : 0);
        if (options.sack_count < max_blocks && std::find(known.begin(), known.end(), block) == known.end())
            options.add_sack(block);
    };
    if (duplicate_) add(*duplicate_);
    if (received.empty() || received.back().end <= next) return;

    for (std::size_t i = 0; i < recent_count_ && options.sack_count < max_blocks; ++i) {
        const auto* block = std::upper_bound(received.begin(), received.end(), recent_[i],
                                             [](std::uint64_t offset, const range& r) { return offset < r.end; });
        if (block != received.end() && block->begin <= recent_[i] && block->begin > next) add(*block);
    }
    // Blocks that nothing new joined for a while are told again while there is room: an ACK may have been lost.
    for (const auto* block = received.end(); block != received.begin() && options.sack_count < max_blocks;) {
        --block;
        if (block->begin <= next) break;
        add(*block);
    }
}

}  // namespace tandem::tcp
