// Between the bytes of a tunnel's stream, which are capsules, and the HTTP datagrams of its user (RFC 9297). A value: it is given
// what comes and asked for what is to be sent. What goes in QUIC datagrams instead passes by it (arrived).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <tandem/http/capsules.hpp>
#include <tandem/http/datagram_queue.hpp>

namespace tandem::http {

struct datagram_limits {
    // Bytes of the largest datagram that is sent, and that is taken out of a capsule; larger ones are passed over without being
    // held. The default holds any UDP payload with a context ID before it.
    std::size_t size = 65'536;
    // Bytes of datagrams that wait to be read, each with 64 more. Capsules then wait in HTTP's flow control; of what comes in
    // QUIC datagrams, which has none, the oldest make room.
    std::size_t receive_buffer = 256 * 1024;
    // Bytes of capsules that wait to be sent; a datagram that finds no room is dropped.
    std::size_t send_buffer = 256 * 1024;
};

class datagram_engine {
public:
    explicit datagram_engine(const datagram_limits& limits)
        : limits_(limits), reader_(limits.size), incoming_(limits.receive_buffer) {}

    // Takes bytes of the stream up to where the queue is full; returns how many.
    std::size_t receive(std::span<const std::uint8_t> bytes);
    bool wants_to_receive() const { return !incoming_.full(); }
    // The stream has ended here: false if that is within a capsule, which makes the message malformed (RFC 9297 3.3).
    bool may_end() const { return !reader_.within(); }
    // A datagram that came in a QUIC datagram.
    void arrived(std::vector<std::uint8_t> datagram) { incoming_.push(std::move(datagram)); }
    // The oldest that was not read, if there is one.
    std::optional<std::vector<std::uint8_t>> poll() { return incoming_.pop(); }
    bool has_datagrams() const { return !incoming_.empty(); }
    void discard() { incoming_.clear(); }

    // Puts it into a capsule; false, and it is dropped, if it is too large or there is no room.
    bool send(std::span<const std::uint8_t> datagram);
    // Bytes for the stream; returns how many, 0 if there are none now.
    std::size_t transmit(std::span<std::uint8_t> out);
    bool wants_to_transmit() const { return sent_ < outgoing_.size(); }

    const datagram_limits& limits() const { return limits_; }
    const capsule_reader& reader() const { return reader_; }      // its counts
    std::uint64_t unread() const { return incoming_.dropped(); }  // of received ones: dropped since nobody read them in time

private:
    datagram_limits limits_;
    capsule_reader reader_;
    datagram_queue incoming_;
    std::vector<std::uint8_t> outgoing_;
    std::size_t sent_ = 0;  // of `outgoing_`
};

}  // namespace tandem::http
