// Multiplexed streams as HTTP/3 needs them: implemented over a QUIC connection and over a QMux session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <tandem/bytes/time.hpp>
#include <tandem/bytes/wait_ledger.hpp>
#include <tandem/http/priority.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::http {

// Something happened to a stream. `opened` comes before anything else of a stream that the peer opened.
struct stream_event {
    enum class kind : std::uint8_t {
        opened,             // by the peer
        readable,           // there are bytes, the end, or a reset to read
        writable,           // a write that was cut short may go on
        stop_sending,       // the peer does not want more; `code` says why
        streams_available,  // open(way) may succeed again; `id` has no meaning
        finished,           // both directions are done and everything sent was delivered or given up
        datagrams,          // receive_datagram() has some; `id` has no meaning
    };
    kind what = kind::readable;
    quic::stream_id id{};
    quic::direction way = quic::direction::bidirectional;
    std::uint64_t code = 0;
};

class stream_transport {
public:
    // n bytes were read. Nothing, no end and no reset: would block.
    struct read_result {
        std::size_t n = 0;
        bool end = false;                    // the peer's last byte was read
        std::optional<std::uint64_t> reset;  // the peer's RESET_STREAM code
    };

    virtual ~stream_transport() = default;

    // A new stream of this side, or nothing while the peer's limit does not allow one (streams_available tells when it does).
    virtual std::optional<quic::stream_id> open(quic::direction) = 0;
    // Takes a prefix of data, copying it; `end` counts only if all of data was taken. If less was taken, a writable event
    // follows.
    virtual std::size_t write(quic::stream_id, std::span<const std::uint8_t> data, bool end, time_point now) = 0;
    // Reads bytes in order; credit goes back to the peer for what was read. Waiting times are added to `ledger` if given.
    virtual read_result read(quic::stream_id, std::span<std::uint8_t> out, time_point now, wait_ledger* ledger) = 0;
    virtual void reset(quic::stream_id, std::uint64_t code) = 0;
    virtual void stop_sending(quic::stream_id, std::uint64_t code) = 0;
    virtual void set_priority(quic::stream_id, const priority&) = 0;
    // Unreliable datagrams beside the streams (RFC 9221), for transports that have them. Whether this side takes any; the largest
    // that goes now, 0 if none does; false: as much waits already as is held.
    virtual bool takes_datagrams() const { return false; }
    virtual std::size_t max_datagram() const { return 0; }
    virtual bool send_datagram(std::span<const std::uint8_t>) { return false; }
    virtual std::optional<std::vector<std::uint8_t>> receive_datagram() { return std::nullopt; }
    // Ends the connection with an application error code.
    virtual void close(std::uint64_t code, std::string_view reason, time_point now) = 0;
    virtual std::optional<stream_event> poll_stream_event() = 0;
    // The peer is not proven yet: what is written now is early data, of which somebody may send the server a copy (RFC 8470 2).
    virtual bool sends_early() const { return false; }
    // What came on this stream may be such a copy; nobody knows before the handshake is complete.
    virtual bool may_be_replayed(quic::stream_id) const { return false; }
};

}  // namespace tandem::http
