// All TCP connections of one host (or one address of it): demultiplexing by 4-tuple, listeners, ephemeral ports, RSTs to strangers,
// and timers. The four verbs on whole IP packets. The cost of every verb is per active connection, not per connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/datagram.hpp>
#include <tandem/bytes/random.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/tcp/config.hpp>
#include <tandem/tcp/connection.hpp>
#include <tandem/tcp/event.hpp>

namespace tandem::tcp {

enum class connect_error : std::uint8_t { none, no_free_port, port_in_use, bad_address };

struct endpoint_statistics {
    std::uint64_t packets_received = 0;
    std::uint64_t packets_dropped = 0;       // malformed: see drop_reason
    std::uint64_t bad_checksums = 0;
    std::uint64_t resets_sent = 0;           // in answer to segments of no connection
    std::uint64_t resets_suppressed = 0;
    std::uint64_t half_open_overflows = 0;   // SYNs dropped
    std::uint64_t backlog_overflows = 0;
};

class endpoint final : private connection_owner {
public:
    // The secrets for initial sequence numbers and timestamps are drawn from `random`.
    endpoint(const endpoint_config& c, random_source random);
    ~endpoint();

    // A port of 0 takes an ephemeral one. On failure the handle is empty and *error says why.
    connection_handle connect(ip_endpoint local, const ip_endpoint& remote, const config& c, time_point now,
                              connect_error* error = nullptr);
    // An all-zero address accepts on any address of its family. False if there is such a listener already.
    bool listen(const ip_endpoint& local, const listen_config& c);
    // Accepted connections live on.
    void close_listener(const ip_endpoint& local);

    void receive(received_datagram& in, time_point now);
    bool transmit(time_point now, train& out);
    std::optional<time_point> next_timeout();
    void on_timeout(time_point now);
    std::optional<endpoint_event> poll_event();

    // The connection, until it is gone: after its final event was polled, and everything readable was read (or it was released).
    connection* find(connection_handle handle);
    // The application is done with it, as close() of a socket: FIN after what was written, or RST if data are unread. No more events.
    void release(connection_handle handle, time_point now);

    std::size_t connection_count() const;   // in any state, TIME-WAIT too
    std::size_t half_open_count() const;    // in SYN-RECEIVED
    const endpoint_statistics& stats() const;

private:
    void wake(connection&) override;
};

}  // namespace tandem::tcp
