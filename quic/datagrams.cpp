#include <tandem/quic/datagrams.hpp>

#include <algorithm>
#include <utility>

#include <tandem/bytes/writer.hpp>

namespace tandem::quic {
namespace {

// What is held of each one besides its bytes, so that empty ones are not held without end.
constexpr std::size_t cost = 64;

}  // namespace

std::size_t datagrams::max_payload(std::size_t room) const {
    const auto size = std::min<std::uint64_t>(peer_limit_, room);
    constexpr std::uint64_t type = 1;
    if (size <= type) return 0;
    auto payload = size - type - 1;  // at least one byte of length
    while (payload > 0 && type + varint_size(payload) + payload > size) --payload;
    return static_cast<std::size_t>(payload);
}

datagram_result datagrams::send(std::span<const std::uint8_t> data, std::size_t room) {
    if (peer_limit_ == 0) return datagram_result::unsupported;
    if (data.size() > max_payload(room)) return datagram_result::too_large;
    if (outgoing_bytes_ + data.size() + cost > buffer_) return datagram_result::full;
    outgoing_.push_back({data.begin(), data.end()});
    outgoing_bytes_ += data.size() + cost;
    return datagram_result::queued;
}

void datagrams::write_frames(frame_writer& out) {
    while (!outgoing_.empty()) {
        const auto& next = outgoing_.front();
        const bool alone = out.written().empty();
        const bool written = out.write(datagram_frame{next});
        if (!written && !alone) return;  // the next packet has more room
        dropped_outgoing_ += written ? 0 : 1;
        outgoing_bytes_ -= next.size() + cost;
        outgoing_.pop_front();
    }
}

std::optional<connection_error> datagrams::receive(const datagram_frame& f, bool& first) {
    if (own_limit_ == 0) {
        return connection_error::transport(transport_error::protocol_violation, frame_type::datagram, "DATAGRAM was not offered");
    }
    if (f.header + f.data.size() > own_limit_) {
        return connection_error::transport(transport_error::protocol_violation, frame_type::datagram,
                                           "DATAGRAM larger than permitted");
    }
    first = incoming_.empty();
    const auto size = f.data.size() + cost;
    for (; !incoming_.empty() && incoming_bytes_ + size > buffer_; ++dropped_incoming_) {
        incoming_bytes_ -= incoming_.front().size() + cost;
        incoming_.pop_front();
    }
    incoming_.push_back({f.data.begin(), f.data.end()});
    incoming_bytes_ += size;
    return std::nullopt;
}

std::optional<std::vector<std::uint8_t>> datagrams::poll() {
    if (incoming_.empty()) return std::nullopt;
    auto out = std::move(incoming_.front());
    incoming_bytes_ -= out.size() + cost;
    incoming_.pop_front();
    return out;
}

}  // namespace tandem::quic
