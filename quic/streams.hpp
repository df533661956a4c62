// All streams of one connection (RFC 9000 2 to 4): the table, both state machines, flow control, priorities, and which frames to
// send next. It knows no packets: QUIC puts its frames into packets and QMux into records.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include <tandem/bytes/byte_times.hpp>
#include <tandem/bytes/flat_map.hpp>
#include <tandem/bytes/front_vector.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/bytes/wait_ledger.hpp>
#include <tandem/quic/error.hpp>
#include <tandem/quic/flow_control.hpp>
#include <tandem/quic/frame.hpp>
#include <tandem/quic/frame_writer.hpp>
#include <tandem/quic/stream.hpp>
#include <tandem/quic/stream_scheduler.hpp>
#include <tandem/quic/stream_token.hpp>
#include <tandem/quic/transport_parameters.hpp>

namespace tandem::quic {

struct streams_config {
    perspective side = perspective::client;        // ours
    std::uint64_t initial_max_data = 1536 * 1024;  // bytes; raised to 1.5 of the largest stream window
    std::uint64_t initial_max_stream_data_bidi_local = 1024 * 1024;
    std::uint64_t initial_max_stream_data_bidi_remote = 1024 * 1024;
    std::uint64_t initial_max_stream_data_uni = 1024 * 1024;
    std::uint64_t max_connection_window = 24 * 1024 * 1024;  // bytes; auto-tuning stops here
    std::uint64_t max_stream_window = 16 * 1024 * 1024;
    std::uint64_t max_streams_bidi = 100;  // that the peer may have open at one time
    std::uint64_t max_streams_uni = 100;
    std::size_t send_buffer = 256 * 1024;  // bytes of one stream that wait to be sent the first time
};

enum class stream_event_kind : std::uint8_t {
    opened,             // by the peer; also those that a higher number opened
    readable,           // more bytes, or the end, or a reset can be read; once until the event is taken
    writable,           // after a write that was not accepted whole: there is room again
    finished,           // everything we wrote and our FIN were acknowledged
    reset,              // the peer reset its direction (code); what it still wanted to be read was read
    stop_sending,       // the peer wants no more (code); our direction was reset with that code
    closed,             // both directions are over; the ID means nothing any more
    streams_available,  // the peer allows more streams of this kind after `open` had failed
};
struct stream_event {
    stream_event_kind kind{};
    stream_id id;                                // none for streams_available
    std::uint64_t code = 0;                      // reset, stop_sending
    direction which = direction::bidirectional;  // streams_available
};

// What a read gave. Nothing read, no end and no reset: would block.
struct read_result {
    std::size_t n = 0;
    bool end = false;                    // the stream's last byte was read
    std::optional<std::uint64_t> reset;  // the peer's RESET_STREAM code
    bool unknown = false;                // no such stream, or closed, or without that direction
};

class streams {
public:
    explicit streams(const streams_config&);

    // Our side of the declaration: fills the initial_max_* members.
    void declare(transport_parameters&) const;
    // The peer's declaration: gives credit to streams that are open and to those to come. Values below earlier ones are ignored.
    void set_peer_parameters(const transport_parameters&, time_point now);
    // What follows comes in 0-RTT packets, or does not any more: marks the streams it is for.
    void set_early(bool early) { early_ = early; }
    bool arrived_early(stream_id id) const;
    // The server threw away all that was sent so far (RFC 9001 4.6.2): it is to be sent again, by the limits that are declared
    // next. Streams beyond those wait until they are permitted.
    void on_early_data_rejected(time_point now);
    // Smoothed round-trip time, for window tuning; zero: unknown.
    void set_rtt(duration rtt) { rtt_ = rtt; }

    // --- frames from the peer ---
    std::optional<connection_error> receive(const stream_frame&, time_point now);
    std::optional<connection_error> receive(const reset_stream_frame&, time_point now);
    std::optional<connection_error> receive(const reset_stream_at_frame&, time_point now);  // if it was offered
    std::optional<connection_error> receive(const stop_sending_frame&, time_point now);
    std::optional<connection_error> receive(const max_data_frame&, time_point now);
    std::optional<connection_error> receive(const max_stream_data_frame&, time_point now);
    std::optional<connection_error> receive(const max_streams_frame&, time_point now);
    std::optional<connection_error> receive(const stream_data_blocked_frame&, time_point now);
    // Any frame; those that are not about streams, and BLOCKED frames of the connection, are ignored.
    std::optional<connection_error> receive(const frame&, time_point now);

    // --- frames to the peer ---
    // Exact: if true, write_frames into min_room bytes writes at least one frame; if false, it writes nothing.
    bool wants_to_send() const;
    static constexpr std::size_t min_room = 64;
    // Fills one packet: control frames, then STREAM frames of the streams whose turn it is, lost data of each stream before new.
    enum class packing : std::uint8_t {
        fill,        // when a stream has no more, the next fills the packet up
        one_stream,  // data of one stream only
    };
    void write_frames(frame_writer& out, stream_tokens& tokens, time_point now, packing how = packing::fill);
    void acknowledged(const stream_token&, time_point now);
    void lost(const stream_token&, time_point now);

    // --- the application ---
    // Nothing while the peer's limit forbids another stream (STREAMS_BLOCKED is sent; event streams_available comes later).
    std::optional<stream_id> open(direction);
    bool can_open(direction kind) const;
    // Takes what fits into the send buffer and returns how much; fin counts only if all of data was taken. If less was taken, a
    // writable event follows. Takes nothing where nothing can be sent (any more).
    std::size_t write(stream_id, std::span<const std::uint8_t> data, bool fin, time_point now);
    // Bytes that write would accept now.
    std::size_t write_room(stream_id) const;
    // Copies what is there. `waits`, if given, is charged for how long the bytes waited: own_stream_hole (readable - arrived),
    // application (read - readable).
    read_result read(stream_id, std::span<std::uint8_t> out, time_point now, wait_ledger* waits = nullptr);
    // Without copying: the first contiguous piece, and taking n bytes of it. `read` with an empty span tells the status.
    std::span<const std::uint8_t> front(stream_id) const;
    read_result consume(stream_id, std::size_t n, time_point now, wait_ledger* waits = nullptr);
    // Abandons our direction (RESET_STREAM). Ignored when everything is acknowledged already.
    void reset(stream_id, std::uint64_t code, time_point now);
    // Abandons our direction, but for the bytes below `reliable_size`, counted from the stream's begin, at most what was written:
    // these still arrive (RESET_STREAM_AT). May be repeated with less; the first code stays. False, and nothing happens, if the
    // peer does not understand it, or where nothing can be reset (any more).
    bool reset_at(stream_id, std::uint64_t reliable_size, std::uint64_t code, time_point now);
    // Abandons the peer's direction (STOP_SENDING). What came and comes is thrown away; no more events of reading.
    void stop_sending(stream_id, std::uint64_t code, time_point now);
    // RFC 9218: urgency 0 (first) to 7; incremental streams of one urgency take turns packet by packet, others go by stream ID,
    // before them. Default: urgency 3, incremental.
    void set_priority(stream_id, std::uint8_t urgency, bool incremental);

    std::optional<stream_event> poll_event();

    // What a log wants to know: from watch() on, each part of a stream that opened or closed.
    struct change {
        stream_id id;
        stream_side side{};
        bool open = false;
    };
    void watch() { watched_ = true; }
    std::optional<change> poll_change();
    std::optional<recovery::stream_statistics> summary(stream_id) const;
    bool blocked_by_credit() const { return blocked_bytes_ > 0; }  // there are bytes that only the peer's credit holds back

    bool contains(stream_id id) const { return table_.contains(id.value); }
    std::size_t open_streams() const { return table_.size(); }
    std::uint64_t bytes_sent() const { return connection_send_.used(); }  // stream bytes, each counted once
    std::uint64_t bytes_received() const { return received_total_; }      // credit used by the peer
    // What all reads were charged with, and flow_control: bytes that could have been sent but for the peer's credit, times how
    // long (charged when that changes).
    const wait_ledger& ledger() const { return ledger_; }
    const wait_ledger& send_waits() const { return send_waits_; }  // the flow_control part alone
    std::size_t readable(stream_id) const;

private:
    // Streams of one type (RFC 9000 2.1). Below `opened` and not in the table means closed.
    struct stream_type_state {
        std::uint64_t opened = 0;
        std::uint64_t limit = 0;   // cumulative: what we announced for the peer's streams, what it announced for ours
        std::uint64_t closed = 0;  // peer's streams: over and removed
        std::uint64_t window = 0;  // peer's streams: how many may be open at one time
        std::optional<std::uint64_t> announced;  // our streams: the limit that STREAMS_BLOCKED named last
        bool want_event = false;                 // our streams: open() failed, tell when there is room
    };
    struct lookup {
        stream* found = nullptr;  // null: closed long ago, ignore the frame
        std::optional<connection_error> error;
    };

    static std::size_t type_of(stream_id id) { return id.value & 3; }
    stream_type_state& type(stream_id id) { return types_[type_of(id)]; }
    stream_type_state& own(direction kind) { return type(stream_id::make(config_.side, kind, 0)); }
    stream_type_state& peers(direction kind) { return type(stream_id::make(peer_of(config_.side), kind, 0)); }
    bool is_ours(stream_id id) const { return id.initiator() == config_.side; }
    bool is_permitted(stream_id id) const { return !is_ours(id) || id.index() < types_[type_of(id)].limit; }

    std::uint64_t initial_send_credit(stream_id) const;
    std::uint64_t initial_window(stream_id) const;
    stream* find(stream_id) const;
    stream& create(stream_id);
    lookup find_or_open(stream_id, std::uint64_t frame_type);
    lookup find_sending(stream_id, std::uint64_t frame_type);
    lookup find_receiving(stream_id, std::uint64_t frame_type);
    void permit_more_streams(const stream_type_state&);
    // MAX_STREAMS for the peer's streams, STREAMS_BLOCKED for ours.
    bool frame_due(const stream_type_state& t) const { return (frames_due_ >> (&t - types_.data()) & 1) != 0; }
    void set_frame_due(const stream_type_state& t, bool due) {
        const auto bit = static_cast<std::uint8_t>(1 << (&t - types_.data()));
        frames_due_ = static_cast<std::uint8_t>(due ? frames_due_ | bit : frames_due_ & ~bit);
    }
    void close_if_over(stream&);  // may destroy it

    std::optional<connection_error> check_arrival(const receive_stream&, std::uint64_t end, bool final,
                                                  std::uint64_t frame_type) const;
    void give_back(stream&, std::uint64_t n, time_point now);
    read_result after_read(stream&, std::size_t n, time_point now, wait_ledger*);
    void tell_readable(stream&);
    void on_reset_received(stream&, time_point now);
    void tell_writable(stream&);

    void refresh(stream&, time_point now);
    void refresh_control(stream&);
    void block_on_connection(time_point now);
    void charge_flow_control(time_point now);

    void write_control(frame_writer&, stream_tokens&);
    void write_connection_control(frame_writer&, stream_tokens&);
    bool write_stream_control(stream&, frame_writer&, stream_tokens&);
    void write_data(frame_writer&, stream_tokens&, time_point now, packing how);
    void on_lost(const stream_data_token&, time_point now);
    void on_lost(const reset_stream_token&, time_point);
    void on_lost(const stop_sending_token&, time_point);
    void on_lost(const max_data_token&, time_point);
    void on_lost(const max_stream_data_token&, time_point);
    void on_lost(const max_streams_token&, time_point);
    void on_lost(const data_blocked_token&, time_point);
    void on_lost(const stream_data_blocked_token&, time_point);
    void on_lost(const streams_blocked_token&, time_point);

    void note(stream&, bool open);

    // What every packet touches stands together; what lies behind it is touched now and then.
    flat_map<std::uint64_t, std::unique_ptr<stream>> table_;
    bool early_ = false;
    bool watched_ = false;
    std::uint8_t frames_due_ = 0;  // of types_, a bit for each
    duration rtt_{};
    std::uint64_t received_total_ = 0;
    std::uint64_t blocked_bytes_ = 0;
    receive_credit connection_receive_;
    send_credit connection_send_;
    stream_list control_;         // have control frames to send
    stream_list credit_blocked_;  // could send data, but for the connection's credit
    stream_scheduler ready_;      // can send data now
    front_vector<stream_event> events_;
    byte_time_runs times_;  // scratch of one read

    streams_config config_;
    std::array<stream_type_state, 4> types_;
    transport_parameters peer_;  // only its initial_max_* matter
    wait_ledger ledger_;
    wait_ledger send_waits_;
    time_point blocked_since_;
    front_vector<change> changes_;
};

}  // namespace tandem::quic
