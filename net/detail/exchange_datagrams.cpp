// The HTTP datagrams of an exchange, where QUIC carries them.
#include <tandem/net/clock.hpp>
#include <tandem/net/detail/exchange.hpp>

namespace tandem::net::detail {

std::size_t exchange::max_datagram() const { return host_ != nullptr ? host_->session().max_datagram(id_) : 0; }

http::datagram_result exchange::send_datagram(std::span<const std::uint8_t> datagram) {
    if (host_ == nullptr) return http::datagram_result::unavailable;
    const auto result = host_->session().send_datagram(id_, datagram, now());
    if (result == http::datagram_result::queued) host_->wake();
    return result;
}

std::optional<std::vector<std::uint8_t>> exchange::receive_datagram() {
    return host_ != nullptr ? host_->session().receive_datagram(id_) : std::nullopt;
}

void exchange::datagrams_available() {
    if (on_datagrams_) on_datagrams_();
}

}  // namespace tandem::net::detail
