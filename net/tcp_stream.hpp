// A connection of our own TCP as Asio would have it: AsyncReadStream, AsyncWriteStream, and the verbs of its TCP sockets.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/socket_base.hpp>

#include <tandem/net/tcp_stack.hpp>

namespace tandem::net {

// Movable, not copyable. Destroying it closes it: what was written is still delivered, unless received data were not read (then
// the peer sees a reset). Not thread-safe: use it, and complete on it, from its executor only. At most one read, one write and
// one wait of each kind may be under way at a time.
//
// Every operation takes a completion token and honours its cancellation slot (total cancellation: reads and writes that end with
// operation_aborted have moved nothing).
//
// Errors are those of the kernel's sockets: connection_refused, timed_out, host_unreachable, network_unreachable,
// connection_reset, address_in_use (the local port towards that peer), EADDRNOTAVAIL (no free port), eof, broken_pipe,
// not_connected, bad_descriptor.
class tcp_stream {
    // Before its uses: its type is deduced.
    static auto canceller(const std::shared_ptr<detail::tcp_core>& core, tcp::connection_handle handle, std::uint64_t number) {
        return [weak = std::weak_ptr<detail::tcp_core>(core), handle, number] {
            if (auto c = weak.lock()) c->cancel(handle, number);
        };
    }

public:
    using executor_type = boost::asio::any_io_executor;
    using lowest_layer_type = tcp_stream;
    using wait_type = boost::asio::socket_base::wait_type;
    using shutdown_type = boost::asio::socket_base::shutdown_type;

    tcp_stream() = default;  // of no stack
    explicit tcp_stream(const tcp_stack& stack) : core_(stack.core()) {}
    tcp_stream(std::shared_ptr<detail::tcp_core> core, tcp::connection_handle handle) : core_(std::move(core)), handle_(handle) {}
    tcp_stream(tcp_stream&& other) noexcept : core_(other.core_), handle_(std::exchange(other.handle_, {})) {}
    tcp_stream& operator=(tcp_stream&& other) noexcept {
        if (this != &other) {
            close();
            core_ = other.core_;
            handle_ = std::exchange(other.handle_, {});
        }
        return *this;
    }
    ~tcp_stream() { close(); }

    executor_type get_executor() const { return core_->executor(); }
    lowest_layer_type& lowest_layer() { return *this; }
    const lowest_layer_type& lowest_layer() const { return *this; }
    bool is_open() const { return static_cast<bool>(handle_); }
    ip_endpoint local_endpoint() const { return core_ ? core_->path(handle_).local : ip_endpoint{}; }
    ip_endpoint remote_endpoint() const { return core_ ? core_->path(handle_).remote : ip_endpoint{}; }

    // void(error_code). `local` may name the address and port to connect from.
    template <class CompletionToken>
    auto async_connect(const ip_endpoint& remote, CompletionToken&& token, const ip_endpoint& local = {}) {
        close();
        boost::system::error_code failed;
        handle_ = core_->connect(local, remote, failed);
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
            [core = core_, handle = handle_, failed](auto handler) {
                const auto number = core->next_operation();
                detail::tcp_core::plain_operation op(core->executor(), std::move(handler), canceller(core, handle, number));
                if (failed) return op.complete(failed);
                core->wait_connected(handle, number, std::move(op));
            },
            token);
    }

    // void(error_code, std::size_t)
    template <class MutableBufferSequence, class CompletionToken>
    auto async_read_some(const MutableBufferSequence& buffers, CompletionToken&& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, std::size_t)>(
            [core = core_, handle = handle_](auto handler, const MutableBufferSequence& b) {
                const auto number = core->next_operation();
                core->read(handle, number, detail::read_buffers::from(b),
                           {core->executor(), std::move(handler), canceller(core, handle, number)});
            },
            token, buffers);
    }

    // void(error_code, std::size_t). Completes when at least one byte is in the send buffer.
    template <class ConstBufferSequence, class CompletionToken>
    auto async_write_some(const ConstBufferSequence& buffers, CompletionToken&& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, std::size_t)>(
            [core = core_, handle = handle_](auto handler, const ConstBufferSequence& b) {
                const auto number = core->next_operation();
                core->write(handle, number, detail::write_buffers::from(b),
                            {core->executor(), std::move(handler), canceller(core, handle, number)});
            },
            token, buffers);
    }

    // void(error_code). wait_read and wait_write.
    template <class CompletionToken>
    auto async_wait(wait_type what, CompletionToken&& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
            [core = core_, handle = handle_, what](auto handler) {
                const auto number = core->next_operation();
                detail::tcp_core::plain_operation op(core->executor(), std::move(handler), canceller(core, handle, number));
                if (what == boost::asio::socket_base::wait_read) return core->wait_readable(handle, number, std::move(op));
                if (what == boost::asio::socket_base::wait_write) return core->wait_writable(handle, number, std::move(op));
                op.complete(boost::asio::error::operation_not_supported);
            },
            token);
    }

    // Never wait: would_block where nothing can be done now.
    template <class MutableBufferSequence>
    std::size_t read_some(const MutableBufferSequence& buffers, boost::system::error_code& error) {
        return core_->read_now(handle_, detail::read_buffers::from(buffers), error);
    }
    template <class ConstBufferSequence>
    std::size_t write_some(const ConstBufferSequence& buffers, boost::system::error_code& error) {
        return core_->write_now(handle_, detail::write_buffers::from(buffers), error);
    }

    // shutdown_send: FIN after what was written. shutdown_receive: reads end; TCP has no way to tell the peer.
    void shutdown(shutdown_type how, boost::system::error_code& error) {
        core_->shutdown(handle_, how != boost::asio::socket_base::shutdown_send,
                        how != boost::asio::socket_base::shutdown_receive, error);
    }
    void cancel() { core_->cancel_all(handle_); }
    void close() {
        if (const auto handle = std::exchange(handle_, {})) core_->release(handle);
    }
    void close(boost::system::error_code& error) {
        error = {};
        close();
    }
    // RST: nothing more is delivered.
    void abort() {
        if (const auto handle = std::exchange(handle_, {})) core_->abort(handle);
    }

    // Bytes written that the peer has not acknowledged; 0 if the connection is over.
    std::uint64_t unacknowledged() const { return core_ ? core_->unacknowledged(handle_) : 0; }
    // What the connection did so far, and what held it back; nothing if it is over.
    std::optional<recovery::connection_statistics> summary() const { return core_->summary(handle_); }

    // The options and modes of Asio's sockets that mean something here. This stream never blocks.
    void non_blocking(bool, boost::system::error_code& error) { error = {}; }
    void set_option(const boost::asio::ip::tcp::no_delay& option, boost::system::error_code& error) {
        error = {};
        core_->set_no_delay(handle_, option.value());
    }

private:
    std::shared_ptr<detail::tcp_core> core_;
    tcp::connection_handle handle_;
};

}  // namespace tandem::net
