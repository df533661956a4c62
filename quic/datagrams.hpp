// Unreliable datagrams beside the streams (RFC 9221): what waits to be sent, and what came and was not taken yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <tandem/bytes/front_vector.hpp>
#include <tandem/quic/error.hpp>
#include <tandem/quic/frame.hpp>
#include <tandem/quic/frame_writer.hpp>

namespace tandem::quic {

enum class datagram_result : std::uint8_t {
    queued,       // it goes out once, as soon as congestion control lets it; whether it arrives nobody tells
    unsupported,  // the peer takes none, or did not say yet
    too_large,    // for the peer or for the path as it is now: see connection::max_datagram_payload
    full,         // as many bytes wait already as config::datagram_buffer
};

class datagrams {
public:
    // own_limit: what we declare as max_datagram_frame_size; 0: the peer must send none. buffer: bytes held each way; of what
    // came the oldest make room for the newest.
    datagrams(std::uint64_t own_limit, std::size_t buffer) : own_limit_(own_limit), buffer_(buffer) {}

    bool taken() const { return own_limit_ > 0; }
    void set_peer_limit(std::uint64_t max_frame_size) { peer_limit_ = max_frame_size; }
    // The most bytes one datagram may have on a packet with `room` for frames; 0 if the peer takes none.
    std::size_t max_payload(std::size_t room) const;
    datagram_result send(std::span<const std::uint8_t> data, std::size_t room);

    bool wants_to_send() const { return !outgoing_.empty(); }
    void write_frames(frame_writer& out);

    // PROTOCOL_VIOLATION if we did not offer to take it (RFC 9221 3). `first`: nothing was waiting before.
    std::optional<connection_error> receive(const datagram_frame& f, bool& first);
    std::optional<std::vector<std::uint8_t>> poll();

    std::uint64_t dropped_incoming() const { return dropped_incoming_; }  // the application was too slow
    std::uint64_t dropped_outgoing() const { return dropped_outgoing_; }  // the path became too narrow

private:
    std::uint64_t own_limit_;
    std::size_t buffer_;
    std::uint64_t peer_limit_ = 0;
    front_vector<std::vector<std::uint8_t>> outgoing_;
    front_vector<std::vector<std::uint8_t>> incoming_;
    std::size_t outgoing_bytes_ = 0;
    std::size_t incoming_bytes_ = 0;
    std::uint64_t dropped_incoming_ = 0;
    std::uint64_t dropped_outgoing_ = 0;
};

}  // namespace tandem::quic
