#include <tandem/bytes/receive_buffer.hpp>

#include <algorithm>

namespace tandem {

std::optional<std::uint64_t> receive_buffer::insert(std::uint64_t offset, std::span<const std::uint8_t> data, time_point now) {
    range r{offset, offset + data.size()};
    if (r.end <= readable_end_) return 0;
    if (r.begin < readable_end_) {
        data = data.subspan(static_cast<std::size_t>(readable_end_ - r.begin));
        r.begin = readable_end_;
    }
    if (r.empty()) return 0;

    if (r.begin == readable_end_ && early_runs_.empty()) {
        blocks_.write(r.begin, data);
        add_readable(r.size(), now, now);
        received_.insert(r);
        readable_end_ = highest_ = r.end;
        return r.size();
    }

    const bool from_zero = readable_end_ > 0;
    const std::size_t gaps = received_.size() - (from_zero ? 1 : 0);
    if (gaps >= max_gaps && !received_.touches(r)) return std::nullopt;

    received_.for_each_missing(r, [&](range part) {
        blocks_.write(part.begin,
                      data.subspan(static_cast<std::size_t>(part.begin - r.begin), static_cast<std::size_t>(part.size())));
        if (part.begin == readable_end_) {
            add_readable(part.size(), now, now);
            readable_end_ = part.end;
            promote_early(now);
        } else {
            add_early(part, now);
        }
    });
    highest_ = std::max(highest_, r.end);
    return received_.insert(r);
}

// A hole was filled: what lies right behind it becomes readable.
void receive_buffer::promote_early(time_point now) {
    while (!early_runs_.empty() && early_runs_.front().bytes.begin == readable_end_) {
        const auto& run = early_runs_.front();
        add_readable(run.bytes.size(), run.arrived, now);
        readable_end_ = run.bytes.end;
        early_runs_.pop_front();
    }
}

void receive_buffer::add_readable(std::uint64_t bytes, time_point arrived, time_point readable) {
    if (!readable_runs_.empty()) {
        auto& last = readable_runs_.back();
        if ((last.arrived == arrived && last.readable == readable) || readable_runs_.size() >= max_time_runs) {
            last.bytes += bytes;
            return;
        }
    }
    readable_runs_.push_back({bytes, arrived, readable});
}

void receive_buffer::add_early(range bytes, time_point arrived) {
    auto* at = early_runs_.end();
    if (!early_runs_.empty() && bytes.begin < early_runs_.back().bytes.begin) {
        at = std::lower_bound(early_runs_.begin(), early_runs_.end(), bytes.begin,
                              [](const early_run& run, std::uint64_t offset) { return run.bytes.begin < offset; });
    }
    const bool full = early_runs_.size() >= max_time_runs;
    if (at != early_runs_.begin()) {
        auto& before = *(at - 1);
        if (before.bytes.end == bytes.begin && (before.arrived == arrived || full)) {
            before.bytes.end = bytes.end;
            return;
        }
    }
    if (at != early_runs_.end() && at->bytes.begin == bytes.end && (at->arrived == arrived || full)) {
        at->bytes.begin = bytes.begin;
        return;
    }
    early_runs_.insert(at, {bytes, arrived});  // bounded even when full: what touches nothing is one of max_gaps
}

std::span<const std::uint8_t> receive_buffer::front() const { return blocks_.piece(read_offset_, readable()); }

void receive_buffer::consume(std::size_t n, byte_time_runs* times) {
    read_offset_ += n;
    std::uint64_t left = n;
    while (left > 0) {
        auto& run = readable_runs_.front();
        const auto part = std::min(left, run.bytes);
        if (times) {
            if (!times->empty() && times->back().arrived == run.arrived && times->back().readable == run.readable) {
                times->back().bytes += part;
            } else {
                times->push_back({part, run.arrived, run.readable});
            }
        }
        left -= part;
        run.bytes -= part;
        if (run.bytes == 0) readable_runs_.pop_front();
    }
    blocks_.release_below(read_offset_);
}

std::size_t receive_buffer::read(std::span<std::uint8_t> out, byte_time_runs* times) {
    const auto n = std::min(out.size(), readable());
    blocks_.read(read_offset_, out.first(n));
    consume(n, times);
    return n;
}

void receive_buffer::clear() {
    read_offset_ = readable_end_;
    received_.erase({readable_end_, highest_});
    readable_runs_.clear();
    early_runs_.clear();
    blocks_.clear();
}

void receive_buffer::shrink() {
    if (read_offset_ != highest_) return;
    blocks_.clear();
    readable_runs_.shrink();
    early_runs_.shrink();
}

}  // namespace tandem
