// A TCP connection (RFC 9293) as a value: it is told segments and times, asked for packets, and never looks at a clock.
// RACK-TLP loss detection, congestion control and pacing are those of tandem::recovery, the same objects as QUIC's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/byte_times.hpp>
#include <tandem/bytes/datagram.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/tcp/config.hpp>
#include <tandem/tcp/event.hpp>
#include <tandem/tcp/segment.hpp>
#include <tandem/tcp/trace.hpp>

namespace tandem::tcp {

enum class state : std::uint8_t {  // RFC 9293 3.3.2; LISTEN belongs to the endpoint
    closed, syn_sent, syn_received, established, fin_wait_1, fin_wait_2, close_wait, closing, last_ack, time_wait
};
std::string_view to_string(state s);

struct statistics {
    std::uint64_t segments_sent = 0;            // all, with pure ACKs
    std::uint64_t segments_received = 0;
    std::uint64_t bytes_sent = 0;               // payload, with retransmissions
    std::uint64_t bytes_received = 0;           // payload, with duplicates
    std::uint64_t retransmissions = 0;          // segments
    std::uint64_t losses = 0;                   // transmissions declared lost
    std::uint64_t spurious_losses = 0;          // of these, arrived after all
    std::uint64_t timeouts = 0;                 // RTO
    std::uint64_t spurious_timeouts = 0;        // undone (Eifel)
    std::uint64_t tail_loss_probes = 0;
    std::uint64_t window_probes = 0;
    std::uint64_t keepalives = 0;
    std::uint64_t duplicate_acks_received = 0;
    std::uint64_t dsacks_received = 0;
    std::uint64_t dsacks_sent = 0;
    std::uint64_t acks_sent = 0;                // segments without payload, SYN, FIN, RST
    std::uint64_t challenge_acks_sent = 0;      // RFC 5961
    std::uint64_t challenge_acks_suppressed = 0;
    std::uint64_t paws_rejected = 0;            // RFC 7323 5
    std::uint64_t out_of_window = 0;
    std::uint64_t gap_limit_drops = 0;          // segments refused because there were too many holes already
    duration peer_window_limited{};             // time with data to send, room in the congestion window and none in the peer's
};

class connection;

// Where a connection leaves word that it wants its owner's attention: it may have packets, an event or another timeout.
class connection_owner {
public:
    virtual void wake(connection&) = 0;

protected:
    ~connection_owner() = default;
};

// What its endpoint decides for a connection: everything that needs a secret or randomness.
struct connection_seed {
    std::uint32_t initial_sequence = 0;   // RFC 6528
    std::uint32_t timestamp_offset = 0;   // per connection, so that timestamps tell neither the uptime nor other connections'
    std::uint64_t random = 0;             // seeds what else wants chance (challenge-ACK budget)
};

class connection {
public:
    // An active open: the first transmit() sends the SYN.
    static std::unique_ptr<connection> connect(const ip_path& path, const config& c, const connection_seed& seed, time_point now);
    // A passive open: `syn` is the segment a listener received. The first transmit() sends the SYN-ACK.
    static std::unique_ptr<connection> accept(const ip_path& path, const config& c, const connection_seed& seed, const segment& syn,
                                              time_point now);
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    // --- the network's side. `segment_count`: how many segments the network merged into this one (GRO).
    void receive(const segment& in, time_point now, unsigned segment_count = 1);
    // Writes packets of equal size (the last may be shorter) into out.buffer, back to back; false: nothing to send now.
    bool transmit(time_point now, train& out);
    std::optional<time_point> next_timeout() const;
    void on_timeout(time_point now);
    std::optional<event> poll_event();
    // ICMP about a segment of this connection; `sequence` is its sequence number (checked: RFC 5927 4). See tcp/icmp.hpp.
    void on_unreachable(std::uint32_t sequence, bool hard, time_point now);
    void on_packet_too_big(std::uint32_t sequence, std::uint16_t mtu, time_point now);

    // --- the application's side
    // Takes as much as the send buffer has room for; returns how much. Nothing after shutdown_send() or a final event.
    std::size_t write(std::span<const std::uint8_t> data);
    // Room in the send buffer.
    std::size_t send_room() const;
    // How much can be written so that no more than what can leave at once (congestion and peer's window), or config's
    // unsent_low_water if that is more, waits unsent. For those who choose late what to send next, and want no deep buffers.
    std::size_t writable_without_queueing() const;
    std::uint64_t unsent() const;  // bytes written, never sent
    std::uint64_t unacknowledged() const;  // bytes written, not acknowledged
    // FIN after what was written. Reading goes on.
    void shutdown_send();
    // RST; drops everything at once (RFC 9293 3.10.5).
    void abort();

    std::size_t readable() const;                            // bytes in order, not read
    std::span<const std::uint8_t> front() const;             // the first contiguous piece of them, without copying
    void consume(std::size_t n, time_point now, byte_time_runs* times = nullptr);
    std::size_t read(std::span<std::uint8_t> out, time_point now, byte_time_runs* times = nullptr);
    bool peer_closed() const;                                // the peer's FIN was received in order
    bool at_end() const { return peer_closed() && readable() == 0; }

    void set_nagle(bool on);
    // What arrives from now on is for nobody: data are answered with RST, FIN-WAIT-2 has a timeout. Unread data: RST at once
    // (RFC 9293 3.6.1, RFC 2525 2.17). endpoint::release calls it.
    void orphan(time_point now);

    tcp::state state() const;
    const ip_path& path() const;
    std::uint16_t send_mss() const;        // payload bytes of a full segment, options of an ordinary segment subtracted
    const statistics& stats() const;
    congestion_sample congestion(time_point now) const;
    const recovery::congestion_controller& controller() const;
    const recovery::rtt_estimator& rtt() const;
    std::size_t memory() const;            // bytes of heap held for data
    void set_trace(trace_sink* sink);      // may be null; outlives the connection
    void set_owner(connection_owner* owner);

private:
    connection();
};

}  // namespace tandem::tcp
