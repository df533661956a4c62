// HTTP datagrams in QUIC datagrams (RFC 9297 2.1): a quarter of the stream's ID, then the payload. A private part of the HTTP/3
// sessions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <tandem/bytes/front_vector.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::http {

struct http3_datagram {
    quic::stream_id stream;
    std::span<const std::uint8_t> payload;
};

// Nothing is H3_DATAGRAM_ERROR: too short for the number, or it is of no stream that there can be.
std::optional<http3_datagram> parse_http3_datagram(std::span<const std::uint8_t> bytes);
std::vector<std::uint8_t> make_http3_datagram(quic::stream_id stream, std::span<const std::uint8_t> payload);
// What stands before the payload.
std::size_t http3_datagram_overhead(quic::stream_id stream);

// Datagrams that came before their stream: a few, for about a round trip (RFC 9297 2.1).
class early_datagrams {
public:
    static constexpr std::size_t max_bytes = 16 * 1024;  // the oldest give way; each counts 64 besides its payload
    static constexpr duration kept_for = std::chrono::seconds(1);

    // Returns how many were dropped for it.
    std::size_t hold(const http3_datagram& datagram, time_point now);
    // Those of this stream, in the order they came.
    std::vector<std::vector<std::uint8_t>> take(quic::stream_id stream, time_point now);
    bool empty() const { return held_.empty(); }

private:
    struct entry {
        quic::stream_id stream;
        std::vector<std::uint8_t> payload;
        time_point since;
    };
    std::size_t drop_front();
    std::size_t expire(time_point now);

    front_vector<entry> held_;
    std::size_t bytes_ = 0;
};

}  // namespace tandem::http
