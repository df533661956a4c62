#include <tandem/tls/detail/record_map.hpp>

#include <algorithm>

namespace tandem::tls::detail {

void record_map::add(std::span<const std::uint8_t> ciphertext, std::span<const byte_times> times) {
    find_records(ciphertext);
    auto end = received_ + ciphertext.size();
    for (const auto& t : times) {
        if (received_ == end) break;
        received_ += std::min(t.bytes, end - received_);
        if (!runs_.empty() && runs_.back().arrived == t.arrived && runs_.back().readable == t.readable) {
            runs_.back().end = received_;
        } else {
            runs_.push_back({received_, t.arrived, t.readable});
        }
    }
    // Times for fewer bytes than came: the last one stands for the rest.
    received_ = end;
    if (!runs_.empty()) runs_.back().end = end;
}

void record_map::find_records(std::span<const std::uint8_t> ciphertext) {
    auto at = received_;
    auto end = received_ + ciphertext.size();
    while (at < end) {
        auto wanted = next_record_ + header_size_;
        if (wanted >= end) return;
        at = wanted;
        header_[header_size_++] = ciphertext[static_cast<std::size_t>(at - received_)];
        ++at;
        if (header_size_ < record_header_size) continue;
        auto length = static_cast<std::uint64_t>(header_[3] << 8 | header_[4]);
        records_.push_back({next_record_, next_record_ + record_header_size + length});
        next_record_ = records_.back().end;
        header_size_ = 0;
    }
}

std::optional<range> record_map::record_ending_at(std::uint64_t offset) {
    while (!records_.empty() && records_.front().end < offset) records_.pop_front();
    if (records_.empty() || records_.front().end != offset) return std::nullopt;
    auto record = records_.front();
    while (!runs_.empty() && runs_.front().end <= record.begin) runs_.pop_front();
    return record;
}

std::deque<record_map::run>::const_iterator record_map::run_at(std::uint64_t offset) const {
    return std::upper_bound(runs_.begin(), runs_.end(), offset, [](std::uint64_t o, const run& r) { return o < r.end; });
}

void record_map::times_of(std::uint64_t offset, std::uint64_t bytes, std::uint64_t record_end,
                          std::vector<record_times>& out) const {
    auto last = run_at(record_end - 1);
    if (last == runs_.end()) return;
    auto complete = last->readable;
    for (auto it = run_at(offset); bytes > 0 && it != runs_.end(); ++it) {
        auto n = std::min(bytes, it->end - offset);
        out.push_back({n, it->arrived, it->readable, complete});
        offset += n;
        bytes -= n;
    }
}

}  // namespace tandem::tls::detail
