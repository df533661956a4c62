// What the two ends of HTTP/2 (RFC 9113) have in common: nghttp2 between the plaintext of a byte stream and the exchanges. A
// private part of the sessions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tandem/bytes/range_set.hpp>
#include <tandem/bytes/recycled.hpp>
#include <tandem/http/binary_fields.hpp>
#include <tandem/http/body.hpp>
#include <tandem/http/body_buffer.hpp>
#include <tandem/http/client_session.hpp>
#include <tandem/http/limits.hpp>
#include <tandem/http/qmux_waits.hpp>
#include <tandem/tls/record_session.hpp>

struct nghttp2_session;

namespace tandem::http {

// One request and its response, on one stream.
struct http2_exchange : recycled::object {
    request_id id = 0;
    std::int32_t stream = 0;
    std::string method;  // of the request

    // Coming in.
    time_point begun;              // when its first frame came, or went
    http::fields section;          // the header section, then the trailer section
    std::size_t section_size = 0;  // as RFC 9113 10.5.1 counts
    http::request head;            // server: the pseudo-header fields
    int status = 0;                // client
    std::size_t interim = 0;       // client: responses before the final one
    bool ends_with_head = false;   // the header section was the whole message
    bool head_told = false;
    bool too_large = false;
    bool received = false;  // the end of the message came
    bool received_told = false;
    bool body_announced = false;
    bool refused = false;  // server: the rest of the body is not wanted
    body_buffer body;
    qmux::stream_waits waits;
    wait_ledger ledger;

    // Going out.
    bool asks_tunnel = false;    // the request has a :protocol
    bool capsules = false;       // it is the Capsule Protocol: request::datagrams
    bool tunnel = false;         // and it was accepted
    bool awaits_switch = false;  // client: the source is not asked before it is
    std::unique_ptr<body_source> source;
    std::optional<std::uint64_t> promised;  // content length
    std::uint64_t produced = 0;
    bool source_failed = false;
    bool waiting = false;   // the source gave nothing
    bool answered = false;  // server: respond() was called
    bool sent = false;      // the end was sent
};

class http2_core {
public:
    enum class side : std::uint8_t { client, server };

    http2_core(side, const limits&);
    virtual ~http2_core();
    http2_core(const http2_core&) = delete;
    http2_core& operator=(const http2_core&) = delete;

    void receive(std::span<const std::uint8_t> plaintext, std::span<const tls::record_times> times, time_point now);
    void receive_end(bool clean);
    std::size_t transmit(std::span<std::uint8_t> out, time_point now);
    bool finished_sending() const { return over_ && !wants_to_send(); }
    void lost(session_error why);

    http2_exchange* find_stream(std::int32_t stream) const;
    http2_exchange* find(request_id id) const;
    std::size_t read_body(http2_exchange&, std::span<std::uint8_t> out);
    void resume_body(http2_exchange&);
    // The rest of the message is not wanted; its stream gets no more credit.
    void refuse(http2_exchange&);
    void tell_received(http2_exchange&);
    // RST_STREAM with an HTTP/2 code, and forgets the exchange.
    void reset(http2_exchange&, std::uint32_t code);
    void set_now(time_point now) { now_ = now; }
    const std::optional<session_error>& over() const { return over_; }
    std::size_t active() const { return exchanges_.size(); }
    std::optional<time_point> unfinished_head() const;
    const wait_ledger& total_waits();

protected:
    // What the ends do differently. Called from within nghttp2: what they submit goes out with the next transmit().
    virtual void on_peer_stream(std::int32_t) {}
    virtual void on_head(http2_exchange&) = 0;
    virtual void on_interim(http2_exchange&) {}      // clients: `section` is that of a 1xx response
    virtual void on_too_large(http2_exchange&) = 0;  // a header or trailer section went over the limits
    virtual void on_body_readable(http2_exchange&) = 0;
    virtual void on_received(http2_exchange&) = 0;  // the message is complete and its body was read
    virtual void on_sent(http2_exchange&) {}
    // The stream ended and the exchange is not over: one of the messages is not whole, or (client) the answer was not read yet.
    virtual void on_closed(http2_exchange&, std::uint32_t code) = 0;
    virtual void on_not_sent(http2_exchange&) {}  // a request that could not be put on the wire
    virtual void on_goaway() {}
    virtual void on_ping_answered() {}
    virtual void on_settings() {}
    virtual void on_over() = 0;  // over() says why
    virtual void before_write() {}

    http2_exchange& add(std::int32_t stream, request_id id);
    void drop(http2_exchange&);
    // Sends GOAWAY and ends the session.
    void fail(std::uint32_t code, std::string text);
    bool submit_response(http2_exchange&, const message_lines& lines);
    bool submit_interim(http2_exchange&, const message_lines& lines);
    // The new stream, or a negative number.
    std::int32_t submit_request(const message_lines& lines, bool has_body);

    nghttp2_session* session_ = nullptr;
    limits limit_;
    time_point now_;
    recycled::map<std::int32_t, std::unique_ptr<http2_exchange>> exchanges_;
    recycled::map<request_id, http2_exchange*> by_id_;
    std::optional<session_error> over_;

private:
    friend struct http2_callbacks;

    bool wants_to_send() const;
    void settle();
    bool output_left() const { return !output_.empty(); }

    std::span<const std::uint8_t> output_;  // of nghttp2, not taken yet
    bool output_broken_ = false;
    static constexpr std::size_t max_skipped = 32;  // ranges remembered; who skips more often is not found out
    bool serves_;
    std::uint64_t last_peer_stream_ = 0;
    range_set skipped_;  // streams the client never opened, below one it did
    std::string text_;   // what nghttp2 said of the last error
    std::uint32_t goaway_code_ = 0;
    bool goaway_by_peer_ = false;
    std::span<const std::uint8_t> input_;  // of the receive() under way
    qmux::input_times times_;
    std::vector<std::unique_ptr<http2_exchange>> graveyard_;  // callbacks may still hold a reference
    wait_ledger waits_;                                       // of exchanges that are over
    wait_ledger sum_;
};

// The HTTP/3 code that says the same (RFC 9114 A.4): what session_error and request_failure carry.
std::uint64_t h3_code_of(std::uint32_t http2_code);
std::uint32_t http2_code_of(h3_error);  // the same the other way
std::string http2_error_name(std::uint32_t code);

}  // namespace tandem::http
