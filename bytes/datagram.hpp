// What the four verbs pass to and from a driver: received datagrams, and trains of datagrams to send.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/time.hpp>

namespace tandem {

// The ECN field of an IP header (RFC 3168 5).
enum class ecn : std::uint8_t { not_ect = 0, ect1 = 1, ect0 = 2, ce = 3 };

// One datagram as it came from the network. QUIC: a UDP payload. TCP: a whole IP packet (its first nibble is the version).
// The payload is mutable: it is decrypted in place. It is valid only during the call.
struct received_datagram {
    std::span<std::uint8_t> payload;
    ip_path path;
    ecn mark = ecn::not_ect;
};

// Datagrams to send back to back: one path, one ECN mark, all of `segment_size` bytes but the last, which may be
// shorter (what UDP GSO wants). The caller owns the buffer and sets `capacity`; transmit fills the rest.
struct train {
    std::span<std::uint8_t> buffer;  // where to write; at least one datagram of the largest size
    std::size_t size = 0;            // bytes used in all
    std::size_t segment_size = 0;    // bytes of each datagram but the last
    ip_path path;
    ecn mark = ecn::not_ect;

    std::size_t count() const { return segment_size == 0 ? 0 : (size + segment_size - 1) / segment_size; }
    std::span<std::uint8_t> datagram(std::size_t i) const {
        auto begin = i * segment_size;
        return buffer.subspan(begin, size - begin < segment_size ? size - begin : segment_size);
    }
};

// The verbs that everything shares that meets the network. `receive` may be called many times before the next
// `transmit`: a driver hands in a whole batch, then takes trains until `transmit` returns false.
template <class T>
concept network_node = requires(T node, received_datagram& in, train& out, time_point now) {
    {node.receive(in, now)};
    { node.transmit(now, out) } -> std::same_as<bool>;
    { node.next_timeout() } -> std::same_as<std::optional<time_point>>;
    {node.on_timeout(now)};
    {node.poll_event()};
};

}  // namespace tandem
