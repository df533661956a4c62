// What tcp_stack, tcp_acceptor and tcp_stream share: one endpoint on one carrier, and the operations that wait.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>

#include <tandem/net/detail/buffer_list.hpp>
#include <tandem/net/detail/pending.hpp>
#include <tandem/net/lazy_timer.hpp>
#include <tandem/net/packet_carrier.hpp>
#include <tandem/net/tcp_snapshot.hpp>
#include <tandem/tcp/endpoint.hpp>

namespace tandem::net::detail {

using boost::system::error_code;

class tcp_core : public std::enable_shared_from_this<tcp_core> {
public:
    using handle = tcp::connection_handle;
    using io_operation = pending<error_code, std::size_t>;
    using plain_operation = pending<error_code>;
    using handle_operation = pending<error_code, handle>;

    tcp_core(boost::asio::any_io_executor executor, std::unique_ptr<packet_carrier> carrier, tcp::endpoint_config endpoint,
             tcp::config connection);

    void start();
    // Aborts every connection, sends what can be sent at once, closes the carrier; all operations end with operation_aborted.
    void stop();
    // Calls done() when no connection has anything to deliver or to wait for but TIME-WAIT, or at the deadline.
    void drain(time_point deadline, std::function<void()> done);

    const boost::asio::any_io_executor& executor() const { return executor_; }
    const packet_carrier& carrier() const { return *carrier_; }
    tcp_snapshot snapshot(time_point now) const;
    // A number for an operation, so that a late cancellation does not meet the next one.
    std::uint64_t next_operation() { return ++operations_; }

    // Starts to connect; the handle is empty where that fails at once (error says why).
    handle connect(const ip_endpoint& local, const ip_endpoint& remote, error_code& error);
    void wait_connected(handle h, std::uint64_t operation, plain_operation op);
    void read(handle h, std::uint64_t operation, const read_buffers& buffers, io_operation op);
    void write(handle h, std::uint64_t operation, const write_buffers& buffers, io_operation op);
    void wait_readable(handle h, std::uint64_t operation, plain_operation op);
    void wait_writable(handle h, std::uint64_t operation, plain_operation op);
    void cancel(handle h, std::uint64_t operation);
    void cancel_all(handle h);
    // At once or would_block.
    std::size_t read_now(handle h, const read_buffers& buffers, error_code& error);
    std::size_t write_now(handle h, const write_buffers& buffers, error_code& error);
    void shutdown(handle h, bool receive, bool send, error_code& error);
    // As close() of a socket: what was written is still delivered, unless received data were not read (then RST).
    void release(handle h);
    void abort(handle h);
    void set_no_delay(handle h, bool on);
    ip_path path(handle h) const;
    std::uint64_t unacknowledged(handle h);
    std::optional<recovery::connection_statistics> summary(handle h);
    bool is_connected(handle h) const;
    tcp::connection* find(handle h) { return endpoint_.find(h); }

    error_code listen(ip_endpoint& local, std::size_t backlog);
    void close_listener(const ip_endpoint& local);
    void accept(const ip_endpoint& listener, std::uint64_t operation, handle_operation op);
    void wait_acceptable(const ip_endpoint& listener, std::uint64_t operation, plain_operation op);
    handle accept_now(const ip_endpoint& listener, error_code& error);
    void cancel_accept(const ip_endpoint& listener, std::uint64_t operation);

private:
    template <class Operation>
    struct waiting {
        std::uint64_t number = 0;
        Operation op;
    };
    struct connection_state {
        ip_path path;
        waiting<plain_operation> connecting, readable, writable;
        waiting<io_operation> reading, writing;
        read_buffers read_into;
        write_buffers write_from;
        bool connected = false;
        bool peer_closed = false;
        bool receive_shut = false;
        bool send_shut = false;
        std::optional<time_point> peer_closed_at;
        std::optional<error_code> ended;  // its last event; no error: in order
    };
    struct listener_state {
        std::size_t backlog = 0;
        std::deque<handle> queue;  // not accepted yet
        std::deque<waiting<handle_operation>> accepting;
        waiting<plain_operation> acceptable;
    };
    struct handle_hash {
        std::size_t operator()(handle h) const { return std::hash<std::uint64_t>()(std::uint64_t{h.generation} << 32 | h.slot); }
    };
    struct local_in_use {  // a local end that the carrier holds open for a connection
        handle connection;
        ip_endpoint local;
        ip_endpoint remote;
    };

    // Bounds of one turn, so that neither reading nor sending starves the other (or other users of the executor).
    static constexpr int max_batches = 4;
    static constexpr int max_trains = 32;

    void wake();
    void read_batch();
    void turn(time_point at);
    void poll_events(time_point at);
    void flush(time_point at);
    void arm();
    void close_unused_locals();
    void check_drained(time_point at);
    void on_event(const tcp::endpoint_event& e, time_point at);
    void on_accepted(const tcp::endpoint_event& e, time_point at);
    void on_ended(connection_state& s, handle h, error_code error);
    void try_read(connection_state& s, handle h);
    void try_write(connection_state& s, handle h);
    void update_backlog(const ip_endpoint& local, const listener_state& l);
    bool readable_now(const connection_state& s, handle h);
    std::size_t move_in(connection_state& s, handle h, const read_buffers& buffers, error_code& error);
    std::size_t move_out(connection_state& s, handle h, const write_buffers& buffers, error_code& error);
    connection_state* state(handle h);
    const connection_state* state(handle h) const;
    static void fail_all(connection_state& s, error_code error);

    boost::asio::any_io_executor executor_;
    std::unique_ptr<packet_carrier> carrier_;
    tcp::config config_;
    std::uint16_t first_ephemeral_, last_ephemeral_;
    tcp::endpoint endpoint_;
    lazy_timer timer_;
    std::unordered_map<handle, connection_state, handle_hash> connections_;
    std::unordered_map<ip_endpoint, listener_state> listeners_;
    std::vector<local_in_use> locals_;
    std::size_t seen_connections_ = 0;
    std::vector<ip_endpoint> closed_listeners_;  // that the carrier holds open still
    std::vector<std::uint8_t> buffer_;
    train pending_;  // being sent while progress_ < pending_.size
    std::size_t progress_ = 0;
    std::uint64_t operations_ = 0;
    std::uint64_t no_port_failures_ = 0;
    std::optional<time_point> drain_until_;
    std::function<void()> drained_;
    bool woken_ = false;
    bool blocked_ = false;  // the carrier said would_block
    bool stopped_ = false;
};

}  // namespace tandem::net::detail
