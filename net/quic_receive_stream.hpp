// The receiving half of a QUIC stream (RFC 9000 3.2): an AsyncReadStream.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <tandem/net/detail/quic_stream_base.hpp>

namespace tandem::net {

// A unidirectional stream that the peer opened, or the receiving half of a quic_stream that was split. Everything said there
// about executors, cancellation, moving and errors holds here. Destroying it before its end was read sends STOP_SENDING with code
// 0.
class quic_receive_stream : public detail::quic_stream_base {
public:
    using lowest_layer_type = quic_receive_stream;

    quic_receive_stream() = default;  // stands for no stream
    quic_receive_stream(std::shared_ptr<detail::quic_core> core, quic::connection_handle connection, quic::stream_id id)
        : quic_stream_base(std::move(core), connection, id, detail::stream_halves::receive) {}

    lowest_layer_type& lowest_layer() { return *this; }
    const lowest_layer_type& lowest_layer() const { return *this; }

    // void(error_code, std::size_t). asio::error::eof after the last byte.
    template <class MutableBufferSequence, class CompletionToken>
    auto async_read_some(const MutableBufferSequence& buffers, CompletionToken&& token) {
        return start_read(buffers, token);
    }

    // Asks the peer to abandon the stream (STOP_SENDING) with a code of the application's, 0 to 2^62-1. Nothing can be read any
    // more.
    void stop_sending(std::uint64_t code) { core_->stop_sending(connection_, id_, code); }
    // The whole code of the peer's RESET_STREAM; nothing if it sent none.
    std::optional<std::uint64_t> reset_code() const { return core_->reset_code(connection_, id_); }
};

}  // namespace tandem::net
