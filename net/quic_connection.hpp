// A QUIC connection as Asio would have it: opens and accepts streams.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/async_result.hpp>

#include <tandem/net/detail/quic_core.hpp>
#include <tandem/net/quic_stream.hpp>

namespace tandem::net {

// Movable, not copyable. Destroying it closes the connection with application code 0; its streams then fail. From its executor
// only.
class quic_connection {
public:
    using executor_type = boost::asio::any_io_executor;

    quic_connection() = default;  // stands for no connection
    quic_connection(std::shared_ptr<detail::quic_core> core, quic::connection_handle handle)
        : core_(std::move(core)), handle_(handle) {}
    quic_connection(quic_connection&& other) noexcept : core_(std::move(other.core_)), handle_(other.handle_) {}
    quic_connection& operator=(quic_connection&& other) noexcept {
        if (this != &other) {
            release();
            core_ = std::move(other.core_);
            handle_ = other.handle_;
        }
        return *this;
    }
    ~quic_connection() { release(); }

    bool is_open() const { return core_ != nullptr; }
    executor_type get_executor() const { return core_->executor(); }

    // void(error_code, quic_stream). Waits while the peer permits no further stream.
    template <class CompletionToken>
    auto async_open_stream(CompletionToken&& token) {
        return async_stream<quic_stream>(token, &detail::quic_core::open_stream, quic::direction::bidirectional);
    }
    // void(error_code, quic_send_stream). The same for a unidirectional stream, which only this side writes.
    template <class CompletionToken>
    auto async_open_send_stream(CompletionToken&& token) {
        return async_stream<quic_send_stream>(token, &detail::quic_core::open_stream, quic::direction::unidirectional);
    }

    // void(error_code, quic_stream). The next bidirectional stream that the peer opens.
    template <class CompletionToken>
    auto async_accept_stream(CompletionToken&& token) {
        return async_stream<quic_stream>(token, &detail::quic_core::accept_stream, quic::direction::bidirectional);
    }
    // void(error_code, quic_receive_stream). The next unidirectional stream that the peer opens.
    template <class CompletionToken>
    auto async_accept_receive_stream(CompletionToken&& token) {
        return async_stream<quic_receive_stream>(token, &detail::quic_core::accept_stream, quic::direction::unidirectional);
    }

    // Unreliable datagrams (RFC 9221); quic::config::max_datagram_frame_size permits the peer to send them.
    // void(error_code, std::vector<std::uint8_t>): the next one that comes. One such operation at a time
    // (error::already_started).
    template <class CompletionToken>
    auto async_receive_datagram(CompletionToken&& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, std::vector<std::uint8_t>)>(
            [core = core_, handle = handle_](auto handler) {
                auto number = core->next_operation();
                auto cancel = [weak = std::weak_ptr<detail::quic_core>(core), handle, number] {
                    if (auto c = weak.lock()) c->cancel_receive_datagram(handle, number);
                };
                core->receive_datagram(number, handle, {core->executor(), std::move(handler), std::move(cancel)});
            },
            token);
    }
    // Says at once whether it will be sent; never waits.
    quic::datagram_result send_datagram(std::span<const std::uint8_t> data) {
        auto* c = core_->find(handle_);
        if (c == nullptr) return quic::datagram_result::unsupported;
        auto result = c->send_datagram(data);
        core_->wake();
        return result;
    }
    // The largest that can be sent now, in bytes; 0 if the peer takes none.
    std::size_t max_datagram_payload() const {
        auto* c = core_->find(handle_);
        return c ? c->max_datagram_payload() : 0;
    }

    // void(error_code). Client: goes on from another local address (RFC 9000 9.2), port 0 taking a free one, on a socket of its
    // own and with a connection ID that nobody saw yet. Data flows there at once; completes when the path is known to work, or
    // with host_unreachable when it does not and the connection is back on the one before. It waits until the handshake is
    // confirmed and the peer gave a connection ID to spare. Other errors, and nothing has happened: operation_not_supported (a
    // server, or not permitted by the peer), address_family_not_supported, no_buffer_space (too many sockets in use), what
    // binding failed with. Cancelling ends the waiting only.
    template <class CompletionToken>
    auto async_migrate(const ip_endpoint& local, CompletionToken&& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
            [core = core_, handle = handle_, local](auto handler) {
                auto number = core->next_operation();
                auto cancel = [weak = std::weak_ptr<detail::quic_core>(core), handle, number] {
                    if (auto c = weak.lock()) c->cancel_migrate(handle, number);
                };
                core->migrate(number, handle, local, {core->executor(), std::move(handler), std::move(cancel)});
            },
            token);
    }

    // Ends the connection with a code of the application's protocol. Streams are not flushed.
    void close(std::uint64_t code, std::string_view reason = {}) { core_->close_connection(handle_, code, reason); }
    // How it ended; nothing while it has not.
    std::optional<quic::connection_closed> close_reason() const { return core_->close_reason(handle_); }

    std::string alpn() const {
        auto* c = core_->find(handle_);
        return c ? std::string(c->alpn()) : std::string();
    }
    // Where the peer is seen, which may change (RFC 9000 9), and where we are: unspecified where the kernel chooses.
    ip_endpoint local_endpoint() const {
        auto* c = core_->find(handle_);
        if (c == nullptr) return {};
        return c->path().local.port != 0 || !core_->socket() ? c->path().local : core_->socket()->local_endpoint();
    }
    ip_endpoint remote_endpoint() const {
        auto* c = core_->find(handle_);
        return c ? c->path().remote : ip_endpoint{};
    }
    quic::connection_statistics statistics() const {
        auto* c = core_->find(handle_);
        return c ? c->statistics() : quic::connection_statistics{};
    }

private:
    using stream_start = void (detail::quic_core::*)(std::uint64_t, quic::connection_handle, quic::direction,
                                                     detail::quic_core::stream_operation);

    // Turns a stream ID into a stream on the way to the caller's handler.
    template <class Stream, class CompletionToken>
    auto async_stream(CompletionToken& token, stream_start start, quic::direction kind) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, Stream)>(
            [core = core_, handle = handle_, start, kind](auto handler) {
                auto number = core->next_operation();
                auto cancel = [weak = std::weak_ptr<detail::quic_core>(core), handle, number] {
                    if (auto c = weak.lock()) c->cancel_stream_operation(handle, number);
                };
                auto op = detail::adapt<std::optional<quic::stream_id>>(
                    core->executor(), std::move(handler), std::move(cancel),
                    [core, handle](std::optional<quic::stream_id> id) { return id ? Stream(core, handle, *id) : Stream(); });
                (core.get()->*start)(number, handle, kind, std::move(op));
            },
            token);
    }
    void release() {
        if (auto core = std::exchange(core_, nullptr)) core->release_connection(handle_);
    }

    std::shared_ptr<detail::quic_core> core_;
    quic::connection_handle handle_ = 0;
};

}  // namespace tandem::net
