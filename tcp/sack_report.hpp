// What our SACK option says: a duplicate first (RFC 2883), then the block that grew last, then others (RFC 2018 4).
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <tandem/bytes/range_set.hpp>
#include <tandem/tcp/segment.hpp>

namespace tandem::tcp {

class sack_report {
public:
    // Bytes arrived beyond a hole, at this stream offset.
    void on_out_of_order(std::uint64_t offset);
    // Bytes arrived that we had already; reported once.
    void on_duplicate(range r) { duplicate_ = r; }

    bool pending_duplicate() const { return duplicate_.has_value(); }
    // Fills options.sack. received: as receive_buffer::received(); next: end of what is in order; base: sequence number of offset
    // 0. Reports at most max_blocks.
    void write(segment_options& options, const range_set& received, std::uint64_t next, std::uint64_t base,
               std::size_t max_blocks) const;
    void on_sent() { duplicate_.reset(); }

private:
    std::optional<range> duplicate_;
    std::array<std::uint64_t, max_sack_blocks> recent_{};  // offsets within blocks, newest first
    std::size_t recent_count_ = 0;
};

}  // namespace tandem::tcp
