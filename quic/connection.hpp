// One QUIC connection (RFC 9000, 9001, 9002) as a sans-IO value: it is told datagrams and times, and asked for trains of datagrams
// to send. Made and owned by an endpoint; the application uses the stream verbs and `close`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/datagram.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/bytes/wait_ledger.hpp>
#include <tandem/quic/config.hpp>
#include <tandem/quic/event.hpp>
#include <tandem/quic/statistics.hpp>
#include <tandem/quic/streams.hpp>
#include <tandem/quic/trace.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

// Names a connection at its endpoint. Never used twice; 0 names none.
using connection_handle = std::uint64_t;

enum class connection_state : std::uint8_t {
    handshaking,
    established,  // handshake complete: streams work
    closing,      // we sent CONNECTION_CLOSE, and repeat it (RFC 9000 10.2.1)
    draining,     // the peer closed: nothing is sent (RFC 9000 10.2.2)
    closed,       // over
};

class connection {
public:
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    connection_handle handle() const;
    perspective side() const;
    connection_state state() const;
    bool handshake_confirmed() const;  // RFC 9001 4.1.2
    std::string_view alpn() const;     // the selected application protocol; empty before the handshake is complete
    std::string_view server_name() const;  // server: what the client asked for
    const ip_path& path() const;

    // Streams; what each does is said in streams.hpp. `now` is the time of the call. Before the handshake is complete nothing can
    // be opened, and after the connection closed nothing is sent; what was received can still be read.
    std::optional<stream_id> open(direction kind);                // nothing: the peer permits no more (streams_available follows)
    std::uint64_t openable(direction kind) const;                   // streams that could be opened now
    std::size_t write(stream_id id, std::span<const std::uint8_t> data, bool fin, time_point now);
    std::size_t writable(stream_id id) const;                       // bytes that write would take
    read_result read(stream_id id, std::span<std::uint8_t> out, time_point now, wait_ledger* ledger = nullptr);
    void reset(stream_id id, std::uint64_t application_code);
    void stop_sending(stream_id id, std::uint64_t application_code);
    void set_priority(stream_id id, std::uint8_t urgency, bool incremental);  // RFC 9218: urgency 0 to 7

    // Ends the connection with a code of the application protocol. Streams are not flushed.
    void close(std::uint64_t application_code, std::string_view reason, time_point now);
    // Sends a PING soon: keeps the connection and the NATs of the path alive.
    void ping();

    // Everything that any stream's bytes waited for, by cause.
    const wait_ledger& ledger() const;
    connection_statistics statistics() const;
    // The observer is the caller's and must outlive the connection or be taken away with nullptr.
    void set_trace(connection_trace* trace);

    // The verbs; an endpoint calls them.
    void receive(received_datagram& datagram, time_point now);
    bool transmit(time_point now, train& out);
    std::optional<time_point> next_timeout() const;
    void on_timeout(time_point now);
    std::optional<connection_event> poll_event();

private:
    friend class endpoint;
    class state_data;
    std::unique_ptr<state_data> state_;
};

}  // namespace tandem::quic
