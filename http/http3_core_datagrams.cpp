// HTTP datagrams in QUIC datagrams (RFC 9297 2.1): whose they are, and what becomes of those that are nobody's.
#include <algorithm>
#include <utility>

#include <tandem/http/http3_core.hpp>

namespace tandem::http {
namespace {

constexpr std::size_t requests_with_full_queues = 4;  // that a connection's datagrams may fill at once

}  // namespace

void http3_core::take_datagrams() {
    datagrams_wait_ = false;
    while (auto bytes = transport_.receive_datagram()) {
        if (!over_ && datagrams_offered_) on_datagram(*bytes);
    }
}

void http3_core::on_datagram(std::span<const std::uint8_t> bytes) {
    const auto datagram = parse_http3_datagram(bytes);
    if (!datagram) return fail(static_cast<std::uint64_t>(h3_error::datagram_error), "a datagram of no request stream");
    ++datagram_counts_.received;
    if (auto* e = find(datagram->stream)) return keep_datagram(*e, {datagram->payload.begin(), datagram->payload.end()});
    if (side_ == quic::perspective::client || datagram->stream.index() < streams_opened_) {
        ++datagram_counts_.unwanted;  // of a request that is over
        return;
    }
    if (!early_datagrams_) early_datagrams_ = std::make_unique<early_datagrams>();
    datagram_counts_.unwanted += early_datagrams_->hold(*datagram, now_);
}

void http3_core::release_early(quic::stream_id stream) {
    auto* e = find(stream);
    for (auto& payload : early_datagrams_->take(stream, now_)) {
        if (e) keep_datagram(*e, std::move(payload));
    }
    if (early_datagrams_->empty()) early_datagrams_.reset();
}

// Before a server knows what is asked for, and a client whether it gets that, they are kept as others are.
void http3_core::keep_datagram(http3_exchange& e, std::vector<std::uint8_t> payload) {
    const bool known = side_ == quic::perspective::client || e.head_told;
    if (known && !e.has_datagrams && !e.received) {  // RFC 9297 2
        reset_both(e, h3_error::datagram_error);
        return on_unexpected_datagram(e);
    }
    const bool refused = !e.tunnel && (side_ == quic::perspective::client ? e.head_told : e.answered);
    if (e.received || refused) {
        ++datagram_counts_.unwanted;
        return;
    }
    if (datagram_bytes_ + payload.size() + datagram_queue::cost > requests_with_full_queues * limit_.datagram_buffer) {
        ++datagram_counts_.unread;
        return;
    }
    if (!e.datagrams) e.datagrams = std::make_unique<datagram_queue>(limit_.datagram_buffer);
    auto& queue = *e.datagrams;
    datagram_bytes_ -= queue.bytes();
    const auto dropped = queue.dropped();
    queue.push(std::move(payload));
    datagram_counts_.unread += queue.dropped() - dropped;
    datagram_bytes_ += queue.bytes();
    if (e.head_told) tell_datagrams(e);
}

void http3_core::tell_datagrams(http3_exchange& e) {
    if (e.datagrams->empty() || std::exchange(e.datagrams_announced, true)) return;
    on_datagrams(e);
}

void http3_core::forget_datagrams(http3_exchange& e) {
    datagram_bytes_ -= e.datagrams->bytes();
    e.datagrams.reset();
}

std::optional<std::vector<std::uint8_t>> http3_core::receive_datagram(http3_exchange& e) {
    auto got = e.datagrams ? e.datagrams->pop() : std::nullopt;
    if (got)
        datagram_bytes_ -= got->size() + datagram_queue::cost;
    else
        e.datagrams_announced = false;
    return got;
}

// RFC 9297 2.1, 2.1.1: not before both sides have offered it, and only while the stream's sending side is open.
std::size_t http3_core::max_datagram(const http3_exchange& e) const {
    const bool refused = !e.tunnel && (side_ == quic::perspective::server || e.head_told);
    if (!datagrams_offered_ || !peer_takes_datagrams_ || !e.has_datagrams || e.sent || refused || over_) return 0;
    const auto room = transport_.max_datagram();
    return room - std::min(room, http3_datagram_overhead(e.stream));
}

datagram_result http3_core::send_datagram(http3_exchange& e, std::span<const std::uint8_t> payload) {
    const auto room = max_datagram(e);
    if (room == 0) return datagram_result::unavailable;
    if (payload.size() > room) return datagram_result::too_large;
    if (!transport_.send_datagram(make_http3_datagram(e.stream, payload))) return datagram_result::full;
    ++datagram_counts_.sent;
    return datagram_result::queued;
}

}  // namespace tandem::http
