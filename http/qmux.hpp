// QMux version 1 (draft-ietf-quic-qmux): QUIC's streams over one ordered byte stream such as TLS over TCP, as a sans-IO value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <tandem/bytes/reader.hpp>
#include <tandem/bytes/wait_ledger.hpp>
#include <tandem/http/qmux_waits.hpp>
#include <tandem/http/stream_transport.hpp>
#include <tandem/quic/frame_reader.hpp>
#include <tandem/quic/streams.hpp>
#include <tandem/tls/record_session.hpp>

namespace tandem::http::qmux {

// Frame types of QMux's own. On the wire the first begins with "\xffQS0", which is neither HTTP/1.1 nor HTTP/2.
constexpr std::uint64_t transport_parameters_type = 0x3f5153300d0a0d0a;
constexpr std::uint64_t ping_type = 0x348c67529ef8c7bd;
constexpr std::uint64_t pong_type = 0x348c67529ef8c7be;

struct config {
    quic::streams_config streams;                          // its `side` is set by the session
    duration max_idle_timeout = std::chrono::seconds(30);  // zero: none from our side
    bool report_carried = false;                           // keep what drain_carried() gives
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
    // Records that have nothing but PADDING, pings and BLOCKED frames, within one second: more is a flood (draft, Denial of
    // Service).
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

    // The connection is over, or going to be; says why. Idle timeout and an end without CONNECTION_CLOSE have code 0 and a
    // reason.
    const std::optional<quic::connection_error>& error() const { return error_; }
    bool closed_by_peer() const { return closed_by_peer_; }
    bool ready() const { return peer_parameters_; }  // the peer's transport parameters came: streams can be opened

    void ping();                                    // sends a QX_PING
    std::uint64_t pongs() const { return pongs_; }  // answers so far

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
    struct incoming {                // the receiving part of one stream
        std::uint64_t expected = 0;  // offset of the next byte: QMux streams come in order
        bool discarded = false;      // stop_sending was called
        stream_waits waits;
    };
    // What a record did, judged when it was read to its end.
    struct record {
        std::span<const std::uint8_t> frames;
        std::uint64_t begin = 0;  // of frames in input_
        time_point complete;
        bool useful = false;
    };

    bool receive_frames(record& in, time_point now);
    bool receive_own_frame(reader& in, std::uint64_t type, time_point now);
    bool receive_parameters(reader& in, time_point now);
    bool receive_ping(reader& in, bool answer);
    bool receive_frame(const quic::frame& f, record& in, time_point now);
    bool receive_stream(const quic::stream_frame& f, record& in, time_point now);
    bool tolerable(const record& in, time_point now);
    void fail(quic::transport_error code, std::uint64_t frame_type, std::string_view reason);
    void fail(quic::connection_error error);
    void end(quic::connection_error why);

    std::size_t make_record(std::span<std::uint8_t> out, time_point now);
    std::size_t write_frames(std::span<std::uint8_t> out, time_point now);
    duration idle_timeout() const;

    config config_;
    quic::streams streams_;
    time_point now_;            // of the last call: for verbs that take none
    time_point last_activity_;  // a record was completely received or sent
    wait_ledger ledger_;

    std::vector<std::uint8_t> input_;  // an incomplete record, and what came behind it
    input_times input_times_;
    std::unordered_map<quic::stream_id, incoming> incoming_;
    quic::ack_ranges no_ranges_;  // ACK frames are prohibited, but the reader wants somewhere to put theirs
    quic::transport_parameters peer_;
    bool peer_parameters_ = false;
    std::uint32_t idle_records_ = 0;  // without use, since idle_since_
    time_point idle_since_;

    bool parameters_sent_ = false;
    bool close_due_ = false;  // CONNECTION_CLOSE with error_
    bool over_ = false;       // nothing more is sent
    bool closed_by_peer_ = false;
    std::optional<quic::connection_error> error_;

    std::uint64_t pings_sent_ = 0;
    bool ping_due_ = false;
    std::uint64_t pongs_ = 0;
    std::optional<std::uint64_t> ping_received_;  // the largest
    bool pong_due_ = false;

    std::uint64_t output_ = 0;  // bytes given by transmit so far
    std::vector<carried> carried_;
};

}  // namespace tandem::http::qmux
