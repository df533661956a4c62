#include <tandem/bytes/send_buffer.hpp>

#include <algorithm>

namespace tandem {

void send_buffer::append(std::span<const std::uint8_t> data) {
    blocks_.write(end_, data);
    end_ += data.size();
}

range send_buffer::next(std::uint64_t max_bytes, std::uint64_t limit) const {
    if (!lost_.empty()) {
        const auto& r = lost_.front();
        return {r.begin, r.begin + std::min(r.size(), max_bytes)};
    }
    const auto end = std::max(std::min(end_, limit), next_unsent_);
    return {next_unsent_, next_unsent_ + std::min(end - next_unsent_, max_bytes)};
}

void send_buffer::shrink() {
    if (begin_ != end_) return;
    blocks_.clear();
    acknowledged_.shrink();
    lost_.shrink();
}

void send_buffer::copy(range r, std::uint8_t* out) const { blocks_.read(r.begin, {out, static_cast<std::size_t>(r.size())}); }

void send_buffer::sent(range r) {
    if (!lost_.empty()) lost_.erase(r);
    next_unsent_ = std::max(next_unsent_, std::min(r.end, end_));
}

std::uint64_t send_buffer::acknowledged(range r) {
    r.begin = std::max(r.begin, begin_);
    r.end = std::min(r.end, next_unsent_);
    if (r.empty()) return 0;
    if (!lost_.empty()) lost_.erase(r);
    if (r.begin > begin_) return acknowledged_.insert(r);

    auto newly = r.size();
    begin_ = r.end;
    if (!acknowledged_.empty()) {
        newly -= acknowledged_.erase(r);
        if (!acknowledged_.empty() && acknowledged_.front().begin == begin_) {
            begin_ = acknowledged_.front().end;
            acknowledged_.pop_front();
        }
    }
    blocks_.release_below(begin_);
    return newly;
}

void send_buffer::lost(range r) {
    r.begin = std::max(r.begin, begin_);
    r.end = std::min(r.end, next_unsent_);
    if (r.empty()) return;
    acknowledged_.for_each_missing(r, [this](range part) { lost_.insert(part); });
}

void send_buffer::reneged() {
    for (const auto& r : acknowledged_) lost_.insert(r);
    acknowledged_.clear();
}

void send_buffer::rewind() {
    next_unsent_ = begin_;
    lost_.clear();
    acknowledged_.clear();
}

void send_buffer::abandon_from(std::uint64_t end) {
    end_ = std::max(next_unsent_, std::min(end_, end));
    acknowledged({end, next_unsent_});
}

void send_buffer::clear() {
    begin_ = end_ = next_unsent_;
    acknowledged_.clear();
    lost_.clear();
    blocks_.clear();
}

}  // namespace tandem
