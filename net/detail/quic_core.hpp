// What quic_endpoint, quic_connection and quic_stream share: one endpoint on one socket, and the operations that wait.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>

#include <tandem/net/detail/buffer_list.hpp>
#include <tandem/net/detail/path_follower.hpp>
#include <tandem/net/detail/pending.hpp>
#include <tandem/net/driver.hpp>
#include <tandem/net/quic_workers.hpp>
#include <tandem/quic/endpoint.hpp>

namespace tandem::net::detail {

using boost::system::error_code;

// The halves of a stream that an object of the application stands for.
enum class stream_halves : std::uint8_t { none = 0, receive = 1, send = 2, both = 3 };
constexpr stream_halves operator|(stream_halves a, stream_halves b) {
    return static_cast<stream_halves>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr stream_halves without(stream_halves a, stream_halves b) {
    return static_cast<stream_halves>(static_cast<unsigned>(a) & ~static_cast<unsigned>(b));
}
constexpr bool has(stream_halves a, stream_halves b) { return without(b, a) == stream_halves::none; }

class quic_core : public std::enable_shared_from_this<quic_core> {
public:
    using io_operation = pending<error_code, std::size_t>;
    using plain_operation = pending<error_code>;
    using handle_operation = pending<error_code, quic::connection_handle>;
    using stream_operation = pending<error_code, std::optional<quic::stream_id>>;
    using datagram_operation = pending<error_code, std::vector<std::uint8_t>>;

    // Connections and streams that nobody accepts; more are refused.
    static constexpr std::size_t max_unaccepted_connections = 256;

    quic_core(boost::asio::any_io_executor executor, quic::endpoint_config config, quic_worker worker = {});
    ~quic_core() { worker_.detach(); }

    error_code open(const ip_endpoint& local, udp_options options);
    error_code prefer(const ip_endpoint& where);
    const boost::asio::any_io_executor& executor() const { return executor_; }
    const udp_socket* socket() const { return driver_ ? &driver_->socket() : nullptr; }
    // Closes every connection; all operations end with operation_aborted.
    void stop(std::uint64_t code, std::string_view reason);

    // A number for an operation, so that a late cancellation does not meet the next one.
    std::uint64_t next_operation() { return ++operations_; }

    void accept(std::uint64_t operation, handle_operation op);
    void connect(std::uint64_t operation, const quic::connect_options& options, handle_operation op);
    void cancel_accept(std::uint64_t operation);
    void cancel_connect(std::uint64_t operation);

    quic::connection* find(quic::connection_handle handle) { return endpoint_.find(handle); }
    void close_connection(quic::connection_handle handle, std::uint64_t code, std::string_view reason);
    void release_connection(quic::connection_handle handle);
    std::optional<quic::connection_closed> close_reason(quic::connection_handle handle) const;
    void open_stream(std::uint64_t operation, quic::connection_handle handle, quic::direction kind, stream_operation op);
    void accept_stream(std::uint64_t operation, quic::connection_handle handle, quic::direction kind, stream_operation op);
    void cancel_stream_operation(quic::connection_handle handle, std::uint64_t operation);
    void receive_datagram(std::uint64_t operation, quic::connection_handle handle, datagram_operation op);
    void cancel_receive_datagram(quic::connection_handle handle, std::uint64_t operation);

    void migrate(std::uint64_t operation, quic::connection_handle handle, const ip_endpoint& local, plain_operation op);
    void cancel_migrate(quic::connection_handle handle, std::uint64_t operation);
    error_code follow_addresses();

    void add_stream(quic::connection_handle handle, quic::stream_id id, stream_halves halves);
    void release_stream(quic::connection_handle handle, quic::stream_id id, stream_halves halves);
    void read(quic::connection_handle handle, quic::stream_id id, std::uint64_t operation, const read_buffers& buffers,
              io_operation op);
    void write(quic::connection_handle handle, quic::stream_id id, std::uint64_t operation, const write_buffers& buffers,
               io_operation op);
    void cancel_io(quic::connection_handle handle, quic::stream_id id, std::uint64_t operation);
    void finish(quic::connection_handle handle, quic::stream_id id);  // FIN
    void wait_finished(quic::connection_handle handle, quic::stream_id id, std::uint64_t operation, plain_operation op);
    void reset(quic::connection_handle handle, quic::stream_id id, std::uint64_t code);
    void stop_sending(quic::connection_handle handle, quic::stream_id id, std::uint64_t code);
    void set_priority(quic::connection_handle handle, quic::stream_id id, std::uint8_t urgency, bool incremental);
    std::optional<std::uint64_t> reset_code(quic::connection_handle handle, quic::stream_id id) const;
    std::optional<std::uint64_t> stop_code(quic::connection_handle handle, quic::stream_id id) const;
    void wake() {
        if (driver_) driver_->wake();
    }

private:
    template <class Operation>
    struct waiting {
        std::uint64_t number = 0;
        Operation op;
    };
    struct stream_state {
        waiting<io_operation> reading, writing;
        read_buffers read_into;
        write_buffers write_from;
        waiting<plain_operation> finishing;
        stream_halves held = stream_halves::none;
        bool read_ended = false;  // the FIN was read, or we said that we read no more
        bool finished = false;    // our FIN was acknowledged
        bool fin_written = false;
        std::optional<std::uint64_t> read_reset;  // the peer's RESET_STREAM
        std::optional<std::uint64_t> stopped;     // the peer's STOP_SENDING
    };
    struct opening {
        std::uint64_t number = 0;
        quic::direction kind{};
        stream_operation op;
    };
    struct connection_state {
        bool ours = false;  // an object of the application stands for it
        bool established = false;
        std::map<std::uint64_t, stream_state> streams;
        std::array<std::deque<quic::stream_id>, 2> unaccepted;  // by direction
        std::array<std::list<waiting<stream_operation>>, 2> accepting;
        std::list<opening> opening_streams;
        waiting<datagram_operation> receiving;
        waiting<handle_operation> connecting;
        waiting<plain_operation> migrating;
        std::optional<ip_endpoint> moving_to;    // not validated yet
        std::optional<ip_endpoint> move_wanted;  // as soon as it can be
        std::uint16_t left_port = 0;             // of the socket before the present one: it may be needed again
        std::optional<ip_address> source;        // from which the kernel sent when it was last asked
        std::optional<quic::connection_closed> closed;
    };

    void application(time_point at);
    void on_event(quic::connection_handle handle, const quic::connection_event& event, time_point at);
    void on_stream_event(quic::connection_handle handle, connection_state& c, const quic::stream_event& event, time_point at);
    void on_established(quic::connection_handle handle, connection_state& c);
    void on_closed(quic::connection_handle handle, connection_state& c, const quic::connection_closed& why);
    void on_path_changed(connection_state& c, const quic::path_changed& event);
    void move_who_can();
    error_code move_to(quic::connection_handle handle, connection_state& c, const ip_endpoint& local);
    void note_source(quic::connection_handle handle, connection_state& c);
    bool look_at_addresses();
    void on_udp_error(const udp_error& error, time_point at);
    void try_read(quic::connection& transport, stream_state& s, quic::stream_id id, time_point at);
    void try_write(quic::connection& transport, stream_state& s, quic::stream_id id, time_point at);
    void try_open(quic::connection& transport, connection_state& c);
    void fail_all(connection_state& c, error_code error);
    stream_state* stream(quic::connection_handle handle, quic::stream_id id);
    const stream_state* stream(quic::connection_handle handle, quic::stream_id id) const;
    static error_code closed_error(const connection_state& c);

    boost::asio::any_io_executor executor_;
    quic_worker worker_;
    std::vector<ip_endpoint> preferred_;  // of the configuration, until open()
    quic::endpoint endpoint_;
    std::unique_ptr<driver<quic::endpoint>> driver_;
    udp_options options_;
    std::unique_ptr<path_follower> follower_;
    std::map<quic::connection_handle, connection_state> connections_;
    std::size_t moves_wanted_ = 0;  // connections that wait until they may move
    std::list<waiting<handle_operation>> accepting_;
    std::deque<quic::connection_handle> unaccepted_;
    std::uint64_t operations_ = 0;
    bool stopped_ = false;
};

}  // namespace tandem::net::detail
