// What the two ends of HTTP/3 have in common: nghttp3 bound to a stream_transport. A private part of the sessions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tandem/bytes/front_vector.hpp>
#include <tandem/bytes/recycled.hpp>
#include <tandem/http/binary_fields.hpp>
#include <tandem/http/body.hpp>
#include <tandem/http/body_buffer.hpp>
#include <tandem/http/client_session.hpp>
#include <tandem/http/datagram_queue.hpp>
#include <tandem/http/http3_datagrams.hpp>
#include <tandem/http/limits.hpp>
#include <tandem/http/stream_transport.hpp>

struct nghttp3_conn;
struct nghttp3_vec;

namespace tandem::http {

constexpr std::size_t body_chunk_size = 16 * 1024;  // of a body, asked of its source at a time; one DATA frame

// Bytes of a body on their way to the transport.
struct body_chunk {
    explicit body_chunk(std::size_t n = 0) : bytes(n) {}

    recycled::bytes bytes;
    std::size_t size = 0;  // bytes in use
};

// One request and its response, on one stream.
struct http3_exchange : recycled::object {
    request_id id = 0;
    quic::stream_id stream;
    std::string method;  // of the request

    // Coming in.
    std::optional<time_point> begun;  // when its first byte came
    http::fields section;             // the header section, then the trailer section
    std::size_t section_size = 0;     // as RFC 9114 4.2.2 counts
    http::request head;               // server: the pseudo-header fields
    int status = 0;                   // client
    std::size_t interim = 0;          // client: responses before the final one
    bool ends_with_head = false;      // the header section was the whole message
    bool head_told = false;
    bool too_large = false;
    bool received = false;  // the end of the message came
    bool received_told = false;
    bool body_announced = false;
    bool paused = false;   // the transport has more, but the application must read first
    bool refused = false;  // server: the rest of the body is not wanted
    body_buffer body;
    wait_ledger ledger;
    struct unread {  // bytes that nghttp3 holds until QPACK's table is there
        std::uint64_t bytes = 0;
        time_point since;
    };
    front_vector<unread> blocked;

    // Going out.
    bool asks_tunnel = false;    // the request has a :protocol
    bool has_datagrams = false;  // HTTP datagrams belong to it
    bool datagrams_announced = false;
    std::unique_ptr<datagram_queue> datagrams;  // those that came; made for the first one
    bool tunnel = false;                        // and it was accepted
    bool awaits_switch = false;                 // client: the source is not asked before it is
    std::unique_ptr<sent_head> head_sent;       // of a response
    std::unique_ptr<body_source> source;
    std::optional<std::uint64_t> promised;  // content length
    std::uint64_t produced = 0;
    front_vector<body_chunk> chunks;  // given to nghttp3, not taken by the transport yet
    std::size_t front_taken = 0;
    bool source_failed = false;
    bool answered = false;  // server: respond() was called
    priority importance{.urgency = 3,
                        .incremental = true};  // server: as the transport has it; its default is no urgency of RFC 9218
    bool sent = false;                         // the transport took the end
};

class http3_core {
public:
    http3_core(stream_transport& transport, const limits& limit, quic::perspective side);
    virtual ~http3_core();
    http3_core(const http3_core&) = delete;
    http3_core& operator=(const http3_core&) = delete;

    void pump(time_point now);
    // Closes the connection for a reason of this side, resp. notes that it is gone.
    void fail(std::uint64_t code, std::string text);
    void lost(session_error why);
    // The transport ended: reads what it still holds. Before lost().
    void take_rest(time_point now);

    http3_exchange* find(quic::stream_id stream) const;
    http3_exchange* find(request_id id) const;
    std::size_t read_body(http3_exchange& e, std::span<std::uint8_t> out);
    void resume_body(http3_exchange& e);
    void set_now(time_point now) { now_ = now; }
    const std::optional<session_error>& over() const { return over_; }
    bool can_open() const { return !over_ && control_bound_ && !open_blocked_; }
    void cancel(http3_exchange& e, h3_error code) { reset_both(e, code); }
    void tell_received(http3_exchange& e);
    std::size_t active() const { return exchanges_.size(); }
    // http3_core_datagrams.cpp
    std::size_t max_datagram(const http3_exchange& e) const;
    datagram_result send_datagram(http3_exchange& e, std::span<const std::uint8_t> payload);
    std::optional<std::vector<std::uint8_t>> receive_datagram(http3_exchange& e);
    const datagram_counts& datagram_statistics() const { return datagram_counts_; }
    // Of all bytes this side received: those of control streams and of exchanges, over or not.
    const wait_ledger& total_waits();

protected:
    // What the ends do differently. Called from within nghttp3: they must not call it back.
    virtual void on_peer_stream(quic::stream_id) {}
    virtual void on_head(http3_exchange&) = 0;
    virtual void on_interim(http3_exchange&) {}      // clients: `section` is that of a 1xx response
    virtual void on_too_large(http3_exchange&) = 0;  // a header or trailer section went over the limits
    virtual void on_body_readable(http3_exchange&) = 0;
    virtual void on_received(http3_exchange&) = 0;  // the message is complete and its body was read
    virtual void on_sent(http3_exchange&) {}
    virtual void on_send_failed(http3_exchange&) = 0;  // the body source broke
    virtual void on_reset(http3_exchange&, std::uint64_t code) = 0;
    virtual void on_stop_sending(http3_exchange&, std::uint64_t code) = 0;
    virtual void on_goaway(std::int64_t) {}
    virtual void on_control_read(quic::stream_id, std::span<const std::uint8_t>) {
    }                                                          // of one of the peer's unidirectional streams
    virtual void on_datagrams(http3_exchange&) = 0;            // there are some
    virtual void on_unexpected_datagram(http3_exchange&) = 0;  // the request has none: it was aborted for that
    virtual void on_over() = 0;                                // over() says why
    // May call nghttp3: work that waited for it to return.
    virtual void before_write() {}
    virtual void after_pump() {}

    http3_exchange& add(quic::stream_id stream, request_id id);
    // Forgets an exchange; its stream is not looked at any more. Safe at any time.
    void drop(http3_exchange& e);
    void reset_both(http3_exchange& e, h3_error code);
    int submit_request(http3_exchange& e, const message_lines& lines);
    // The head stays with the exchange, until nghttp3 does not point into it any more.
    int submit_response(http3_exchange& e, std::unique_ptr<sent_head> head);
    // Of datagrams that came before it was known whether they are wanted; only if there are any (http3_exchange::datagrams).
    void tell_datagrams(http3_exchange& e);
    void forget_datagrams(http3_exchange& e);

    nghttp3_conn* conn_ = nullptr;
    stream_transport& transport_;
    limits limit_;
    quic::perspective side_;
    time_point now_;
    recycled::map<std::uint64_t, std::unique_ptr<http3_exchange>> exchanges_;
    recycled::map<request_id, http3_exchange*> by_id_;
    wait_ledger waits_;  // of control streams and of exchanges that are over
    wait_ledger sum_;
    std::optional<session_error> over_;
    bool open_blocked_ = false;   // the peer's stream limit was reached
    std::size_t unfinished_ = 0;  // bidirectional streams that the transport still works on

private:
    friend struct http3_callbacks;

    void take_events();
    void handle(const stream_event&);
    void bind_control_streams();
    void read_streams();
    void read_stream(quic::stream_id stream);
    void feed(quic::stream_id stream, http3_exchange* e, std::span<const std::uint8_t> data, bool end);
    void write_streams();
    std::pair<std::size_t, bool> write_pieces(quic::stream_id, std::span<const nghttp3_vec> pieces, bool fin);
    void end_broken();
    void on_reset_event(quic::stream_id stream, std::uint64_t code);
    void close_dropped();
    void take_datagrams();
    void on_datagram(std::span<const std::uint8_t> bytes);
    void keep_datagram(http3_exchange& e, std::vector<std::uint8_t> payload);
    void release_early(quic::stream_id stream);
    body_chunk take_chunk();
    void keep_chunk(body_chunk chunk);  // for the next body

    bool control_bound_ = false;
    std::vector<quic::stream_id> own_control_;
    std::vector<quic::stream_id> readable_;
    struct dropped_stream {
        quic::stream_id id;
        bool cut_short = false;  // there was more to read
    };
    std::vector<dropped_stream> dropped_;                     // to be closed in nghttp3
    std::vector<std::unique_ptr<http3_exchange>> graveyard_;  // until nghttp3 has let go of them
    std::vector<body_chunk> spare_chunks_;
    std::vector<quic::stream_id> broken_;  // their body source failed
    std::uint64_t streams_opened_ = 0;     // by a client
    http3_exchange* feeding_ = nullptr;
    std::size_t fed_as_body_ = 0;
    bool inside_nghttp3_ = false;
    std::size_t body_limit_;  // bytes of one body held for the application
    // HTTP datagrams (RFC 9297).
    bool datagrams_offered_ = false;     // SETTINGS_H3_DATAGRAM, by this side
    bool peer_takes_datagrams_ = false;  // and by the peer
    bool datagrams_wait_ = false;        // at the transport
    std::size_t datagram_bytes_ = 0;     // held for the application, of all exchanges
    datagram_counts datagram_counts_;
    std::unique_ptr<early_datagrams> early_datagrams_;  // while there are any
};

}  // namespace tandem::http
