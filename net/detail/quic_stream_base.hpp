// What the three types of QUIC streams have in common: whose stream it is, and how operations on it begin.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <boost/asio/async_result.hpp>

#include <tandem/net/detail/quic_core.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::net::detail {

// Owns one half of a stream or both; gives up, when destroyed, what was not brought to its end.
class quic_stream_base {
    // Before its uses: its type is deduced.
    static auto canceller(const std::shared_ptr<quic_core>& core, quic::connection_handle connection, quic::stream_id id,
                          std::uint64_t number) {
        return [weak = std::weak_ptr<quic_core>(core), connection, id, number] {
            if (auto c = weak.lock()) c->cancel_io(connection, id, number);
        };
    }

public:
    using executor_type = boost::asio::any_io_executor;

    // False for a stream that was made without a connection, or moved from.
    bool is_open() const { return core_ != nullptr; }
    executor_type get_executor() const { return core_->executor(); }
    quic::stream_id id() const { return id_; }

protected:
    quic_stream_base() = default;
    quic_stream_base(std::shared_ptr<quic_core> core, quic::connection_handle connection, quic::stream_id id,
                     stream_halves halves)
        : core_(std::move(core)), connection_(connection), id_(id), halves_(halves) {
        core_->add_stream(connection_, id_, halves_);
    }
    quic_stream_base(quic_stream_base&& other) noexcept
        : core_(std::move(other.core_)), connection_(other.connection_), id_(other.id_), halves_(other.halves_) {}
    quic_stream_base& operator=(quic_stream_base&& other) noexcept {
        if (this != &other) {
            release();
            core_ = std::move(other.core_);
            connection_ = other.connection_;
            id_ = other.id_;
            halves_ = other.halves_;
        }
        return *this;
    }
    ~quic_stream_base() { release(); }

    template <class MutableBufferSequence, class CompletionToken>
    auto start_read(const MutableBufferSequence& buffers, CompletionToken& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, std::size_t)>(
            [core = core_, connection = connection_, id = id_](auto handler, const MutableBufferSequence& b) {
                auto number = core->next_operation();
                core->read(connection, id, number, read_buffers::from(b),
                           {core->executor(), std::move(handler), canceller(core, connection, id, number)});
            },
            token, buffers);
    }

    template <class ConstBufferSequence, class CompletionToken>
    auto start_write(const ConstBufferSequence& buffers, CompletionToken& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, std::size_t)>(
            [core = core_, connection = connection_, id = id_](auto handler, const ConstBufferSequence& b) {
                auto number = core->next_operation();
                core->write(connection, id, number, write_buffers::from(b),
                            {core->executor(), std::move(handler), canceller(core, connection, id, number)});
            },
            token, buffers);
    }

    template <class CompletionToken>
    auto start_shutdown(CompletionToken& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
            [core = core_, connection = connection_, id = id_](auto handler) {
                auto number = core->next_operation();
                core->wait_finished(connection, id, number,
                                    {core->executor(), std::move(handler), canceller(core, connection, id, number)});
            },
            token);
    }

    std::shared_ptr<quic_core> core_;
    quic::connection_handle connection_ = 0;
    quic::stream_id id_;
    stream_halves halves_ = stream_halves::none;

private:
    void release() {
        if (auto core = std::exchange(core_, nullptr)) core->release_stream(connection_, id_, halves_);
    }
};

}  // namespace tandem::net::detail
