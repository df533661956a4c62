#include <tandem/http/body_buffer.hpp>

#include <algorithm>

namespace tandem::http {

void body_buffer::append(std::span<const std::uint8_t> data, time_point now) {
    if (data.empty()) return;
    if (at_ == bytes_.size()) {
        bytes_.clear();
        at_ = 0;
    } else if (at_ > bytes_.size() / 2) {  // so that each byte is moved at most once on average
        bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(at_));
        at_ = 0;
    }
    bytes_.insert(bytes_.end(), data.begin(), data.end());
    if (!runs_.empty() && runs_.back().since == now) {
        runs_.back().bytes += data.size();
    } else {
        runs_.push_back({data.size(), now});
    }
}

std::size_t body_buffer::read(std::span<std::uint8_t> out, time_point now, wait_ledger& ledger) {
    auto count = std::min(out.size(), size());
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at_), count, out.begin());
    at_ += count;
    for (auto left = count; left > 0;) {
        auto& first = runs_.front();
        auto n = std::min(left, first.bytes);
        ledger.add(wait_cause::application, n, first.since, now);
        ledger.add_total(n, now - first.since);
        left -= n;
        first.bytes -= n;
        if (first.bytes == 0) runs_.pop_front();
    }
    return count;
}

void body_buffer::clear() {
    bytes_.clear();
    at_ = 0;
    runs_.clear();
}

}  // namespace tandem::http
