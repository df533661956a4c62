#include <tandem/http/http3_datagrams.hpp>

#include <utility>

#include <tandem/bytes/reader.hpp>
#include <tandem/bytes/writer.hpp>

namespace tandem::http {
namespace {

constexpr std::uint64_t max_quarter_stream_id = (std::uint64_t{1} << 60) - 1;  // RFC 9297 2.1
constexpr std::size_t cost = 64;                                               // of one that is held, besides its payload

}  // namespace

std::optional<http3_datagram> parse_http3_datagram(std::span<const std::uint8_t> bytes) {
    reader in(bytes);
    const auto quarter = in.varint();
    if (!in.ok() || quarter > max_quarter_stream_id) return std::nullopt;
    return http3_datagram{quic::stream_id{quarter * 4}, in.rest()};
}

std::vector<std::uint8_t> make_http3_datagram(quic::stream_id stream, std::span<const std::uint8_t> payload) {
    std::vector<std::uint8_t> out(http3_datagram_overhead(stream) + payload.size());
    writer w(out);
    w.varint(stream.value / 4);
    w.bytes(payload);
    return out;
}

std::size_t http3_datagram_overhead(quic::stream_id stream) { return varint_size(stream.value / 4); }

std::size_t early_datagrams::drop_front() {
    bytes_ -= held_.front().payload.size() + cost;
    held_.pop_front();
    return 1;
}

std::size_t early_datagrams::expire(time_point now) {
    std::size_t dropped = 0;
    while (!held_.empty() && now - held_.front().since > kept_for) dropped += drop_front();
    return dropped;
}

std::size_t early_datagrams::hold(const http3_datagram& datagram, time_point now) {
    auto dropped = expire(now);
    const auto size = datagram.payload.size() + cost;
    if (size > max_bytes) return dropped + 1;
    while (bytes_ + size > max_bytes) dropped += drop_front();
    held_.push_back({datagram.stream, {datagram.payload.begin(), datagram.payload.end()}, now});
    bytes_ += size;
    return dropped;
}

std::vector<std::vector<std::uint8_t>> early_datagrams::take(quic::stream_id stream, time_point now) {
    expire(now);
    std::vector<std::vector<std::uint8_t>> out;
    for (auto* e = held_.begin(); e != held_.end();) {
        if (e->stream != stream) {
            ++e;
            continue;
        }
        bytes_ -= e->payload.size() + cost;
        out.push_back(std::move(e->payload));
        const auto at = e - held_.begin();
        held_.erase(e, e + 1);
        e = held_.begin() + (held_.empty() ? 0 : at);
    }
    return out;
}

}  // namespace tandem::http
