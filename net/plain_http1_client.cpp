#include <tandem/net/plain_http1_client.hpp>

namespace tandem::net {

void plain_http1_client::receive(std::span<const std::uint8_t> bytes, std::span<const byte_times>, time_point now) {
    if (held_.empty()) bytes = bytes.subspan(http_->receive(bytes, {}, now));
    held_.insert(held_.end(), bytes.begin(), bytes.end());
}

void plain_http1_client::receive_end(time_point now) {
    ended_ = true;
    offer(now);
}

void plain_http1_client::offer(time_point now) {
    if (!held_.empty()) {
        auto taken = http_->receive(held_, {}, now);
        held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(taken));
    }
    if (ended_ && held_.empty()) {
        ended_ = false;
        http_->receive_end(true, now);  // without TLS a FIN is all that a server can say
    }
}

std::size_t plain_http1_client::transmit(std::span<std::uint8_t> out, time_point now) {
    offer(now);  // the application may have read since
    return http_->transmit(out, now);
}

}  // namespace tandem::net
