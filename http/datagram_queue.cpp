#include <tandem/http/datagram_queue.hpp>

#include <utility>

namespace tandem::http {

void datagram_queue::push(std::vector<std::uint8_t> datagram) {
    const auto size = datagram.size() + cost;
    if (size > capacity_) {
        ++dropped_;
        return;
    }
    for (; bytes_ + size > capacity_; ++dropped_) pop();
    append(std::move(datagram));
}

void datagram_queue::append(std::vector<std::uint8_t> datagram) {
    bytes_ += datagram.size() + cost;
    held_.push_back(std::move(datagram));
}

std::optional<std::vector<std::uint8_t>> datagram_queue::pop() {
    if (held_.empty()) return std::nullopt;
    auto out = std::move(held_.front());
    held_.pop_front();
    bytes_ -= out.size() + cost;
    return out;
}

void datagram_queue::clear() {
    while (pop()) {
    }
}

}  // namespace tandem::http
