// The server's end of an HTTP connection, whatever its version.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include <tandem/http/client_session.hpp>

namespace tandem::http {

namespace server_events {
// A request's header section. Answer it with respond(), now or later, before or after its body was read.
struct request {
    request_id id = 0;
    http::request message;
    bool has_body = false;
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
// The request is complete and all of its body was read.
struct received {
    request_id id = 0;
};
// The transport took the whole response, and the request was received or is not wanted any more. The last event of a request.
struct finished {
    request_id id = 0;
};
// The exchange ended early. The last event of a request.
struct failed {
    request_id id = 0;
    request_failure failure;
};
// There are HTTP datagrams to take: receive_datagram() until it gives none. Comes again only after that.
struct datagrams {
    request_id id = 0;
};
// The session is over; every request had its last event before.
struct closed {
    session_error error;
};
}  // namespace server_events

// The first is what empty places of a queue hold: one that costs nothing to make.
using server_event =
    std::variant<server_events::received, server_events::request, server_events::body, server_events::trailers,
                 server_events::finished, server_events::failed, server_events::datagrams, server_events::closed>;

class server_session {
public:
    virtual ~server_session() = default;

    // Answers a request; body may be null. Only the first answer counts. If body gives nothing for a response that must have a
    // known end, the session frames it as its version does (Content-Length where the source knows, else chunked, or the stream's
    // end). Status 101 takes a request with a protocol as a tunnel (client_session.hpp), and is for those alone; another status
    // refuses it. In HTTP/2 and HTTP/3, where 2xx would accept it unawares, 2xx to such a request is sent as 501.
    virtual void respond(request_id, response, std::unique_ptr<body_source> body, time_point now) = 0;
    // Sends an interim response (RFC 9110 15.2) before the answer: 103 Early Hints, say. Any number of them; not 101, and none to
    // a client of HTTP/1.0. What may not be sent is not.
    virtual void inform(request_id, response, time_point now) = 0;
    // The body source of this response, which gave nothing, has more now.
    virtual void resume_body(request_id) = 0;
    // Copies request body bytes out, giving the peer credit for more; 0 when there are none now.
    virtual std::size_t read_body(request_id, std::span<std::uint8_t> out, time_point now) = 0;
    // The rest of the request's body is not wanted; the response goes on (RFC 9114 4.1, RFC 9112 9.3). HTTP/1.1 ends the
    // connection after the response.
    virtual void refuse_body(request_id, time_point now) = 0;
    // Ends an exchange without a (complete) response. HTTP/1.1 closes the connection.
    virtual void reset(request_id, h3_error code, time_point now) = 0;
    // Takes no more requests, lets those under way end, then ends the connection.
    virtual void close(time_point now) = 0;

    // As in client_session. Datagrams are sent once the request was answered with 101.
    virtual std::size_t max_datagram(request_id) const { return 0; }
    virtual datagram_result send_datagram(request_id, std::span<const std::uint8_t>, time_point) {
        return datagram_result::unavailable;
    }
    virtual std::optional<std::vector<std::uint8_t>> receive_datagram(request_id) { return std::nullopt; }
    virtual datagram_counts datagram_statistics() const { return {}; }

    virtual std::optional<server_event> poll_event() = 0;

    virtual std::size_t active_requests() const = 0;
    // Since when the oldest of the header sections has been on its way that have begun and are not whole.
    virtual std::optional<time_point> unfinished_head() const = 0;
    // Waiting of all bytes this side received on the connection.
    virtual const wait_ledger& ledger() const = 0;
};

}  // namespace tandem::http
