#include <tandem/http/datagram_engine.hpp>

#include <algorithm>
#include <utility>

namespace tandem::http {

std::size_t datagram_engine::receive(std::span<const std::uint8_t> bytes) {
    std::size_t taken = 0;
    while (taken < bytes.size() && wants_to_receive()) {
        auto got = reader_.receive(bytes.subspan(taken));
        taken += got.taken;
        if (got.datagram) incoming_.append(std::move(*got.datagram));
    }
    return taken;
}

bool datagram_engine::send(std::span<const std::uint8_t> datagram) {
    constexpr std::size_t head = 16;  // at most
    if (datagram.size() > limits_.size || outgoing_.size() - sent_ + datagram.size() + head > limits_.send_buffer) return false;
    if (sent_ > outgoing_.size() / 2) {
        outgoing_.erase(outgoing_.begin(), outgoing_.begin() + static_cast<std::ptrdiff_t>(sent_));
        sent_ = 0;
    }
    append_capsule(outgoing_, capsule_type::datagram, datagram);
    return true;
}

std::size_t datagram_engine::transmit(std::span<std::uint8_t> out) {
    const auto n = std::min(out.size(), outgoing_.size() - sent_);
    std::copy_n(outgoing_.begin() + static_cast<std::ptrdiff_t>(sent_), n, out.begin());
    sent_ += n;
    if (sent_ == outgoing_.size()) {
        outgoing_ = {};  // a quiet tunnel holds nothing
        sent_ = 0;
    }
    return n;
}

}  // namespace tandem::http
