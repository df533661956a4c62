// HTTP datagrams of transfers under way, where QUIC carries them.
#include <utility>

#include <tandem/net/clock.hpp>
#include <tandem/net/http_origin.hpp>

namespace tandem::net {

void http_origin::read_datagrams(link& l, http::request_id id) {
    auto* session = l.connection->session();
    for (;;) {
        const auto it = l.active.find(id);  // looked up each time: the sink may have cancelled it
        auto datagram = it != l.active.end() && session != nullptr ? session->receive_datagram(id) : std::nullopt;
        if (!datagram) return;
        it->second->sink->on_datagram(std::move(*datagram));
    }
}

std::pair<const http_origin::link*, http::request_id> http_origin::under_way(std::uint64_t handle) const {
    for (const auto& l : links_) {
        for (const auto& [id, transfer] : l.active) {
            if (transfer->handle == handle && l.connection->session() != nullptr) return {&l, id};
        }
    }
    return {};
}

std::optional<http::datagram_result> http_origin::send_datagram(std::uint64_t handle, std::span<const std::uint8_t> datagram) {
    const auto [l, id] = under_way(handle);
    if (l == nullptr) return std::nullopt;
    const auto result = l->connection->session()->send_datagram(id, datagram, now());
    if (result == http::datagram_result::queued) l->connection->wake();
    return result;
}

std::optional<std::size_t> http_origin::max_datagram(std::uint64_t handle) const {
    const auto [l, id] = under_way(handle);
    if (l == nullptr) return std::nullopt;
    return l->connection->session()->max_datagram(id);
}

}  // namespace tandem::net
