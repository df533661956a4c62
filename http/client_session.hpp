// The client's end of an HTTP connection, whatever its version. A value that is told things and asked for events; the owner
// moves the bytes below it (byte_stream_client, quic_client).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include <tandem/bytes/time.hpp>
#include <tandem/bytes/wait_ledger.hpp>
#include <tandem/http/body.hpp>
#include <tandem/http/error.hpp>
#include <tandem/http/message.hpp>

namespace tandem::http {

// A request with a protocol (request::protocol) that is answered with status 101 is a tunnel: its two bodies are streams of bytes
// that have nothing to do with HTTP any more. Its own body source is asked when the answer is there. The end of each is told to
// the other side in HTTP/2 and HTTP/3 (half-close); in HTTP/1.1 the server's end closes the connection, and the client's end is
// told by nothing. A source that fails, reset() and cancel() reset the stream, or cut the connection off.

// A request that HTTP datagrams belong to (request::datagrams) has them beside its tunnel's bytes where HTTP/3 carries them in
// QUIC datagrams: they may be lost or come in another order. Everywhere else, and for those that are too large, there are
// capsules in the tunnel's bytes (datagram_engine), which are not the session's business.

// Numbers the requests of one session from 0, in the order they were submitted or arrived.
using request_id = std::uint64_t;

enum class datagram_result : std::uint8_t {
    queued,       // goes out once; whether it arrives nobody tells
    unavailable,  // no QUIC datagrams here: not this version, not offered by both sides, or not (any more) for this request
    too_large,    // for the peer or for the path as it is now: see max_datagram()
    full,         // as much waits already as QUIC holds: it is dropped
};

// Of a whole session.
struct datagram_counts {
    std::uint64_t received = 0;  // HTTP datagrams in QUIC datagrams
    std::uint64_t sent = 0;
    std::uint64_t unread = 0;    // received, and dropped since the application did not take them in time
    std::uint64_t unwanted = 0;  // received, and dropped since their request is over, was refused, or did not come
};

namespace client_events {
// An interim response (RFC 9110 15.2), say 103 Early Hints: any number of them, limits::interim_responses at most, before the
// final one.
struct interim {
    request_id id = 0;
    http::response message;
};
// The final response's header section.
struct response {
    request_id id = 0;
    http::response message;
    bool has_body = false;  // false: no body follows
};
// There are body bytes to read: read_body() until it gives 0. Comes again only after it gave 0.
struct body {
    request_id id = 0;
};
// Comes after the last body byte was read.
struct trailers {
    request_id id = 0;
    http::fields fields;
};
// A tunnel's other side has ended its bytes, and all of them were read; this side may go on. `finished` comes when both have
// ended.
struct received {
    request_id id = 0;
};
// The response is complete and all of its body was read. The last event of a request.
struct finished {
    request_id id = 0;
    wait_ledger ledger;  // how long the bytes of this response waited, by cause
};
// The request ended without a complete response. The last event of a request; body bytes not read yet are gone.
struct failed {
    request_id id = 0;
    request_failure failure;
    wait_ledger ledger;
};
// There are HTTP datagrams to take: receive_datagram() until it gives none. Comes again only after that.
struct datagrams {
    request_id id = 0;
};
// The server takes no more requests on this connection (GOAWAY, Connection: close); those it took go on.
struct going_away {};
// The session is over; every request had its last event before.
struct closed {
    session_error error;
};
}  // namespace client_events

using client_event = std::variant<client_events::interim, client_events::response, client_events::body, client_events::trailers,
                                  client_events::received, client_events::finished, client_events::failed,
                                  client_events::datagrams, client_events::going_away, client_events::closed>;

class client_session {
public:
    virtual ~client_session() = default;

    // Whether a request submitted now would be put on the wire at once, as far as the session can tell. HTTP/1.1: nothing is
    // under way. HTTP/3: the peer allows one more stream.
    virtual bool can_submit() const = 0;
    // Queues a request; body may be null. A request that cannot be sent fails with an event, never here.
    virtual request_id submit(request, std::unique_ptr<body_source> body, time_point now) = 0;
    // The body source of this request, which gave nothing, has more now.
    virtual void resume_body(request_id) = 0;
    // Copies body bytes out, giving the peer credit for more; 0 when there are none now (or the request is over).
    virtual std::size_t read_body(request_id, std::span<std::uint8_t> out, time_point now) = 0;
    // Gives a request up; it fails with failure_kind::cancelled. No effect on one that is over. `code` is what the server is
    // told; no_error ends the connection of a tunnel in HTTP/1.1 in good order.
    virtual void cancel(request_id, time_point now, h3_error code = h3_error::request_cancelled) = 0;

    // The largest HTTP datagram that goes in a QUIC datagram now; 0: none does.
    virtual std::size_t max_datagram(request_id) const { return 0; }
    virtual datagram_result send_datagram(request_id, std::span<const std::uint8_t>, time_point) {
        return datagram_result::unavailable;
    }
    virtual std::optional<std::vector<std::uint8_t>> receive_datagram(request_id) { return std::nullopt; }
    virtual datagram_counts datagram_statistics() const { return {}; }
    // Takes no more requests, ends the connection when those under way are over.
    virtual void close(time_point now) = 0;

    virtual std::optional<client_event> poll_event() = 0;

    // Waiting of the bytes of a request that is not over, and of the whole session (its control streams included).
    virtual const wait_ledger& ledger(request_id) const = 0;
    virtual const wait_ledger& ledger() const = 0;
};

}  // namespace tandem::http
