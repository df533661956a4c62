// All TCP connections of one host (or one address of it): demultiplexing by 4-tuple, listeners, ephemeral ports, RSTs to
// strangers, and timers. The four verbs on whole IP packets. The cost of every verb is per active connection, not per connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/datagram.hpp>
#include <tandem/bytes/front_vector.hpp>
#include <tandem/bytes/random.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/tcp/config.hpp>
#include <tandem/tcp/connection.hpp>
#include <tandem/tcp/event.hpp>
#include <tandem/tcp/icmp.hpp>
#include <tandem/tcp/isn.hpp>
#include <tandem/tcp/segment.hpp>
#include <tandem/tcp/syn_cookie.hpp>
#include <tandem/tcp/time_wait.hpp>
#include <tandem/tcp/timer_heap.hpp>

namespace tandem::tcp {

enum class connect_error : std::uint8_t { none, no_free_port, port_in_use, bad_address };

struct endpoint_statistics {
    std::uint64_t packets_received = 0;
    std::uint64_t packets_dropped = 0;  // malformed: see drop_reason
    std::uint64_t bad_checksums = 0;
    std::uint64_t resets_sent = 0;  // in answer to segments of no connection
    std::uint64_t resets_suppressed = 0;
    std::uint64_t echoes_answered = 0;      // pings
    std::uint64_t not_for_us = 0;           // packets to addresses that are not this host's
    std::uint64_t half_open_overflows = 0;  // SYNs dropped: no room in the SYN queue (nor for a cookie)
    std::uint64_t backlog_overflows = 0;    // SYNs, and acknowledgments of cookies, dropped: no room in the accept queue
    std::uint64_t time_wait_overflows = 0;  // connections that ended without TIME-WAIT: max_time_wait
    std::uint64_t time_wait_reused = 0;     // TIME-WAITs that a new SYN ended, ours or the peer's (RFC 6191)
    std::uint64_t orphans_reset = 0;        // released connections that were reset at once: max_orphans
    std::uint64_t no_free_port = 0;         // connect() calls that found every port in use
    std::uint64_t fragments_dropped = 0;    // of `packets_dropped`: fragments are not put together (RFC 9293 3.7.2 avoids them)
    std::uint64_t cookies_sent = 0;         // SYN-ACKs without state (RFC 4987 3.6)
    std::uint64_t cookies_accepted = 0;     // acknowledgments that became connections
    std::uint64_t cookies_failed = 0;       // acknowledgments of no connection that were no cookie of ours, or one too old
};

class endpoint final : private connection_owner {
public:
    static constexpr std::size_t max_queued_resets = 64;    // more at once is an attack or a scan: they may go unanswered
    static constexpr std::size_t max_queued_answers = 512;  // SYN-ACKs with cookies between two calls of transmit
    static constexpr std::size_t max_queued_echoes = 16;    // answers to ping, each as long as its request; more are not answered

    // All secrets (initial sequence numbers, timestamp offsets, ports) are drawn from `random`, whose output nobody else sees.
    endpoint(const endpoint_config& c, const random_source& random);
    ~endpoint();
    endpoint(const endpoint&) = delete;
    endpoint& operator=(const endpoint&) = delete;

    // A port of 0 takes an ephemeral one. On failure the handle is empty and *error says why.
    connection_handle connect(ip_endpoint local, const ip_endpoint& remote, const config& c, time_point now,
                              connect_error* error = nullptr);
    // An all-zero address accepts on any address of its family. False if there is such a listener already.
    bool listen(const ip_endpoint& local, const listen_config& c);
    // Changes a listener's backlog: for owners that keep a queue of their own behind the endpoint's. False: no such listener.
    bool set_backlog(const ip_endpoint& local, std::size_t backlog);
    // Accepted connections live on.
    void close_listener(const ip_endpoint& local);

    // `how`: what a carrier with offloads knows of the packet; a super-segment counts as the segments it was made of.
    void receive(received_datagram& in, time_point now, offload how = {});
    // For carriers that parse and check packets themselves.
    void receive(const packet& in, time_point now, unsigned segment_count = 1);
    // What the carrier itself was told of packets on this path, where nobody could have forged it (its own socket's errors).
    void on_carrier_error(const ip_path& path, icmp_error::kind what, std::uint16_t mtu, time_point now);
    bool transmit(time_point now, train& out);
    std::optional<time_point> next_timeout();
    void on_timeout(time_point now);
    std::optional<endpoint_event> poll_event();

    // The connection, until it is gone: after its final event was polled, and everything readable was read (or it was released).
    // The pointer is good until the next call of transmit, on_timeout or poll_event.
    connection* find(connection_handle handle);
    // The application is done with it, as close() of a socket: FIN after what was written, or RST if data are unread. No more
    // events.
    // `linger`: what the peer has not acknowledged after so long is given up, with RST (SO_LINGER); zero: at once.
    void release(connection_handle handle, time_point now, std::optional<duration> linger = std::nullopt);

    std::size_t connection_count() const;                                 // in any state, TIME-WAIT too
    std::size_t half_open_count() const;                                  // in SYN-RECEIVED
    std::size_t time_wait_count() const { return time_wait_.size(); }     // of connection_count(): no connection object any more
    std::size_t time_wait_memory() const { return time_wait_.memory(); }  // bytes of heap
    std::size_t orphan_count() const { return orphans_; }                 // released, not closed
    const endpoint_statistics& stats() const;
    // The sums over all connections there were and are.
    statistics totals() const;
    // f(connection_handle, const connection&) for each connection, in any state.
    template <class F>
    void for_each(F&& f) const {
        for (std::uint32_t i = 0; i < slots_.size(); ++i) {
            if (slots_[i].object) f(connection_handle{i, slots_[i].generation}, *slots_[i].object);
        }
    }
    bool in_time_wait(const ip_path& path) const { return time_wait_.find(path).has_value(); }
    // f(const ip_path&, time_point until) for each connection in TIME-WAIT that for_each does not name.
    template <class F>
    void for_each_time_wait(F&& f) const {
        time_wait_.for_each(f);
    }
    // f(const ip_endpoint&, const listen_config&, half_open, waiting) for each listener.
    template <class F>
    void for_each_listener(F&& f) const {
        for (const auto& [local, l] : listeners_) f(local, l.config, l.half_open, l.waiting);
    }

private:
    struct listener {
        listen_config config;
        std::size_t half_open = 0;
        std::size_t waiting = 0;  // established, `accepted` not polled
    };
    struct slot {
        std::unique_ptr<connection> object;
        std::uint32_t generation = 0;
        bool ready = false;     // in ready_
        bool eventful = false;  // in eventful_
        bool half_open = false;
        bool waiting = false;
        bool orphan = false;
        ip_endpoint listener;
    };
    struct path_hash {
        const isn_generator* keyed;
        std::size_t operator()(const ip_path& p) const { return keyed->slot(p); }
    };

    void wake(std::uint32_t index) override;
    void receive_unknown(const packet& in, const ip_path& path, time_point now);
    void receive_icmp(std::span<const std::uint8_t> bytes, time_point now);
    bool accept(const packet& in, const ip_path& path, time_point now, const time_wait_record* before = nullptr);
    void answer_with_cookie(const config& c, const packet& in, const ip_path& path, time_point now);
    bool accept_cookie(const packet& in, const ip_path& path, time_point now);
    void keep_time_wait(const connection& c);
    bool receive_time_wait(const packet& in, const ip_path& path, time_point now);
    bool may_reuse(const time_wait_record& old, const segment& syn) const;
    void answer_time_wait(const time_wait_record& old, const packet& in, time_point now);
    bool take_reset_budget(time_point now);
    packet answer_to(const packet& in, const config& c) const;
    void send_reset(const packet& in, time_point now);
    bool transmit_answer(front_vector<packet>& from, train& out);
    bool transmit_echo(train& out);
    bool is_ours(const ip_address& destination) const;
    std::uint32_t add(std::unique_ptr<connection> object, const ip_path& path);
    config own(config c) const;
    // `before`: the connection of the same name whose TIME-WAIT is ended.
    connection_seed make_seed(const ip_path& path, time_point now, const time_wait_record* before = nullptr);
    std::uint16_t pick_port(const ip_endpoint& local, const ip_endpoint& remote, time_point now);
    bool may_reuse_for_connect(const ip_path& path, time_point now) const;
    listener* find_listener(const ip_endpoint& local, ip_endpoint& key);
    bool connections_full() const { return by_path_.size() >= config_.max_connections; }
    void note_half_open(std::uint32_t index, const ip_endpoint& key, listener& l);
    void count_half_open(slot& s);
    void count_waiting(slot& s);
    bool erase_if_done(std::uint32_t index);
    std::optional<time_point> deadline_of(std::uint32_t index) const;

    endpoint_config config_;
    isn_generator isn_;
    syn_cookies cookies_;
    std::vector<slot> slots_;
    std::vector<std::uint32_t> free_;
    std::unordered_map<ip_path, std::uint32_t, path_hash> by_path_;
    std::unordered_map<ip_endpoint, listener> listeners_;
    front_vector<std::uint32_t> ready_;
    front_vector<std::uint32_t> eventful_;
    timer_heap timers_;
    time_wait_table time_wait_;
    front_vector<std::vector<std::uint8_t>> echoes_;  // whole packets
    front_vector<packet> resets_;                     // RSTs to strangers, without payload
    front_vector<packet> answers_;                    // SYN-ACKs with cookies
    time_point resets_since_;
    unsigned resets_counted_ = 0;
    std::size_t half_open_ = 0;
    std::size_t orphans_ = 0;
    endpoint_statistics stats_;
    statistics gone_;  // of connections that are no more
};

}  // namespace tandem::tcp
