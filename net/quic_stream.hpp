// A QUIC stream as Asio sees streams: an AsyncReadStream and an AsyncWriteStream.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/async_result.hpp>

#include <tandem/net/detail/quic_core.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::net {

// Movable, not copyable. Destroying it gives up whatever half was not brought to its end (reset and STOP_SENDING with code 0).
// Not thread-safe: use it, and complete on it, from its executor only. At most one read and one write may wait at a time.
//
// Every operation takes a completion token and honours its cancellation slot: reads and writes can be cancelled with total cancellation,
// for they either move bytes or end with operation_aborted and have moved none.
//
// Errors: asio::error::eof when the peer's last byte was read; quic_application_category() with the peer's code after its reset
// (reads) or STOP_SENDING (writes); what net::make_error_code(connection_closed) says once the connection is over;
// operation_not_supported for a direction that a unidirectional stream does not have.
class quic_stream {
public:
    using executor_type = boost::asio::any_io_executor;
    using lowest_layer_type = quic_stream;

    quic_stream() = default;  // stands for no stream
    quic_stream(std::shared_ptr<detail::quic_core> core, quic::connection_handle connection, quic::stream_id id)
        : core_(std::move(core)), connection_(connection), id_(id) {
        core_->add_stream(connection_, id_);
    }
    quic_stream(quic_stream&& other) noexcept
        : core_(std::move(other.core_)), connection_(other.connection_), id_(other.id_) {}
    quic_stream& operator=(quic_stream&& other) noexcept {
        if (this != &other) {
            release();
            core_ = std::move(other.core_);
            connection_ = other.connection_;
            id_ = other.id_;
        }
        return *this;
    }
    ~quic_stream() { release(); }

    bool is_open() const { return core_ != nullptr; }
    executor_type get_executor() const { return core_->executor(); }
    lowest_layer_type& lowest_layer() { return *this; }
    const lowest_layer_type& lowest_layer() const { return *this; }
    quic::stream_id id() const { return id_; }

    // void(error_code, std::size_t)
    template <class MutableBufferSequence, class CompletionToken>
    auto async_read_some(const MutableBufferSequence& buffers, CompletionToken&& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, std::size_t)>(
            [core = core_, connection = connection_, id = id_](auto handler, const MutableBufferSequence& b) {
                auto number = core->next_operation();
                core->read(connection, id, number, detail::read_buffers::from(b),
                           {core->executor(), std::move(handler), canceller(core, connection, id, number)});
            },
            token, buffers);
    }

    // void(error_code, std::size_t). Completes when at least one byte is in the stream's send buffer.
    template <class ConstBufferSequence, class CompletionToken>
    auto async_write_some(const ConstBufferSequence& buffers, CompletionToken&& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, std::size_t)>(
            [core = core_, connection = connection_, id = id_](auto handler, const ConstBufferSequence& b) {
                auto number = core->next_operation();
                core->write(connection, id, number, detail::write_buffers::from(b),
                            {core->executor(), std::move(handler), canceller(core, connection, id, number)});
            },
            token, buffers);
    }

    // Ends our direction (FIN). What was written before is delivered.
    void shutdown() { core_->finish(connection_, id_); }

    // void(error_code). The same, and completes when the peer has acknowledged all of it.
    template <class CompletionToken>
    auto async_shutdown(CompletionToken&& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
            [core = core_, connection = connection_, id = id_](auto handler) {
                auto number = core->next_operation();
                core->wait_finished(connection, id, number, {core->executor(), std::move(handler), canceller(core, connection, id, number)});
            },
            token);
    }

    // Abandons our direction (RESET_STREAM), or asks the peer to abandon its own (STOP_SENDING), with a code of the application's.
    void reset(std::uint64_t code) { core_->reset(connection_, id_, code); }
    void stop_sending(std::uint64_t code) { core_->stop_sending(connection_, id_, code); }
    // RFC 9218: urgency 0 (first) to 7; incremental streams of one urgency share the connection.
    void set_priority(std::uint8_t urgency, bool incremental) { core_->set_priority(connection_, id_, urgency, incremental); }
    // The whole code (62 bits) of the peer's reset or STOP_SENDING.
    std::optional<std::uint64_t> error_code_of_peer() const { return core_->peer_code(connection_, id_); }

private:
    static std::function<void()> canceller(const std::shared_ptr<detail::quic_core>& core, quic::connection_handle connection,
                                           quic::stream_id id, std::uint64_t number) {
        return [weak = std::weak_ptr<detail::quic_core>(core), connection, id, number] {
            if (auto c = weak.lock()) c->cancel_io(connection, id, number);
        };
    }
    void release() {
        if (auto core = std::exchange(core_, nullptr)) core->release_stream(connection_, id_);
    }

    std::shared_ptr<detail::quic_core> core_;
    quic::connection_handle connection_ = 0;
    quic::stream_id id_;
};

}  // namespace tandem::net
