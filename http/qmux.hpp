// QMux version 1 (draft-ietf-quic-qmux): QUIC's streams over one ordered byte stream such as TLS over TCP, as a sans-IO value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <tandem/bytes/front_vector.hpp>
#include <tandem/bytes/wait_ledger.hpp>
#include <tandem/http/stream_transport.hpp>
#include <tandem/quic/frame_reader.hpp>
#include <tandem/quic/streams.hpp>
#include <tandem/tls/record_session.hpp>

namespace tandem::http::qmux {

// Frame types of QMux's own.
constexpr std::uint64_t transport_parameters_type = 0x3f5153300d0a0d0a;
constexpr std::uint64_t ping_type = 0x348c67529ef8c7bd;
constexpr std::uint64_t pong_type = 0x348c67529ef8c7be;

struct config {
    quic::streams_config streams;                      // its `side` is set by the session
    duration max_idle_timeout = std::chrono::seconds(30);  // zero: none from our side
    bool report_carried = false;                       // keep what drain_carried() gives
};

// Output bytes [begin, end), counted from the start of the session, that carry data of one stream (headers included).
struct carried {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    quic::stream_id id;
    friend bool operator==(const carried&, const carried&) = default;
};

class session final : public stream_transport {
public:
    // What the peer's Size may say: the default, which we do not raise. Bounds the bytes held of an incomplete record.
    static constexpr std::uint64_t max_record = quic::default_max_record_size;
    // Records without a byte of stream data or a frame that makes progress, in a row: more is a flood (draft, Denial of Service).
    static constexpr std::uint32_t max_idle_records = 1000;

    session(quic::perspective side, const config& config, time_point now);

    // --- the byte stream ---
    // Plaintext from the peer. `times` covers exactly these bytes, or is empty: then all of them came and were readable now.
    void receive(std::span<const std::uint8_t> plaintext, std::span<const tls::record_times> times, time_point now);
    // The peer shut down its sending side, or the transport broke: the connection is over.
    void receive_end(time_point now);
    // Makes records into `out`, none larger than it: frames are chosen only now, so ask only when the transport can take them.
    // Returns how many bytes; 0 if there is nothing to send. At least min_transmit bytes of room are needed.
    std::size_t transmit(std::span<std::uint8_t> out, time_point now);
    static constexpr std::size_t min_transmit = 192;
    bool wants_to_send() const;
    std::optional<time_point> next_timeout() const;
    void on_timeout(time_point now);
    // Nothing more will be sent: shut down the transport's sending side once what transmit gave is gone.
    bool finished_sending() const;

    // The connection is over, or going to be; says why. Idle timeout and an end without CONNECTION_CLOSE have code 0 and a reason.
    const std::optional<quic::connection_error>& error() const { return error_; }
    bool closed_by_peer() const { return closed_by_peer_; }
    bool ready() const { return peer_parameters_; }  // the peer's transport parameters came: streams can be opened

    // Sends a QX_PING; the count of pings answered so far.
    void ping();
    std::uint64_t pongs() const { return pongs_; }

    // --- stream_transport ---
    std::optional<quic::stream_id> open(quic::direction) override;
    std::size_t write(quic::stream_id, std::span<const std::uint8_t> data, bool end, time_point now) override;
    // `ledger` is charged by cause: own_stream_hole, other_stream_hole, tls_record (TLS or QMux record incomplete), application.
    read_result read(quic::stream_id, std::span<std::uint8_t> out, time_point now, wait_ledger* ledger) override;
    void reset(quic::stream_id, std::uint64_t code) override;
    void stop_sending(quic::stream_id, std::uint64_t code) override;
    void set_priority(quic::stream_id, const priority&) override;
    void close(std::uint64_t code, std::string_view reason, time_point now) override;
    std::optional<stream_event> poll_stream_event() override;

    // All reads of this session, and flow_control of its writes.
    wait_ledger ledger() const;
    // Which stream each output byte carries, in order, since the last call (only with report_carried).
    std::vector<carried> drain_carried();
    const quic::transport_parameters& peer_parameters() const { return peer_; }

private:
    // Bytes of one stream with common times, in stream order: what its waits are computed from.
    struct byte_run {
        std::uint64_t bytes = 0;
        time_point arrived;    // came from the network
        time_point own_ready;  // so had all bytes of this stream before it
        time_point readable;   // so had all bytes of the connection before it
        time_point complete;   // its TLS record and its QMux record were complete
    };
    struct stream_times {
        std::uint64_t received = 0;  // stream offset expected next
        time_point latest_arrival;
        front_vector<byte_run> runs;
    };
    // Times of the bytes in input_, in order.
    struct input_run {
        std::uint64_t bytes = 0;
        time_point arrived;
        time_point readable;
        time_point complete;
    };

    bool next_record();
    void receive_record(std::span<const std::uint8_t> frames, time_point now);
    bool receive_own_frame(reader& in, std::uint64_t type, time_point now);
    bool receive_frame(const quic::frame& f, std::span<const std::uint8_t> frames, time_point now);
    void receive_parameters(std::span<const std::uint8_t> body, time_point now);
    bool in_order(const quic::stream_frame& f);
    void note_times(const quic::stream_frame& f, std::size_t at);
    void charge(stream_times&, std::uint64_t bytes, time_point now, wait_ledger*);
    void fail(quic::transport_error code, std::uint64_t frame_type, std::string_view reason);
    void fail(quic::connection_error error);
    void touch(time_point now);

    std::size_t make_record(std::span<std::uint8_t> out, time_point now);
    void write_parameters(writer& out);
    void write_close(quic::frame_writer& out);

    config config_;
    quic::perspective side_;
    quic::streams streams_;
    time_point now_;  // the last time we were told
};

}  // namespace tandem::http::qmux
