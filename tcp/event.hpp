// What a TCP connection tells its application.
#pragma once

#include <cstdint>
#include <string_view>

#include <tandem/bytes/address.hpp>

namespace tandem::tcp {

// In the order in which they are reported when several are pending. Events are edges: an event that was not polled yet is not
// repeated.
enum class event : std::uint8_t {
    accepted,   // a listener has a new connection, handshake complete
    connected,  // connect() succeeded
    readable,   // bytes arrived in order; read until nothing is left
    writable,   // there is room again after a short write, or after writable_without_queueing() was less than the low-water mark
    peer_closed,  // FIN: nothing follows what is readable
    // The last event of a connection is one of these:
    closed,       // both directions ended in order and all was acknowledged (or abort() was called)
    refused,      // RST in answer to our SYN, or ICMP port unreachable
    reset,        // RST: unread data may be lost
    timed_out,    // user timeout, handshake timeout or keep-alive
    unreachable,  // ICMP said so while connecting, or before a timeout
};

constexpr unsigned event_count = 10;

constexpr bool is_final(event e) { return e >= event::closed; }
std::string_view to_string(event e);

// A connection of an endpoint: a slot and the slot's generation, so that a stale handle names nothing.
struct connection_handle {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;  // 0: no connection
    explicit operator bool() const { return generation != 0; }
    friend bool operator==(const connection_handle&, const connection_handle&) = default;
};

struct endpoint_event {
    connection_handle connection;
    event what{};
    ip_endpoint listener;  // for `accepted`: what listen() was called with
};

}  // namespace tandem::tcp
