// The sending half of a QUIC stream (RFC 9000 3.1): an AsyncWriteStream.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <tandem/net/detail/quic_stream_base.hpp>

namespace tandem::net {

// A unidirectional stream that this side opened, or the sending half of a quic_stream that was split. Everything said there about
// executors, cancellation, moving and errors holds here. Destroying it before shutdown() resets the stream with code 0.
class quic_send_stream : public detail::quic_stream_base {
public:
    using lowest_layer_type = quic_send_stream;

    quic_send_stream() = default;  // stands for no stream
    quic_send_stream(std::shared_ptr<detail::quic_core> core, quic::connection_handle connection, quic::stream_id id)
        : quic_stream_base(std::move(core), connection, id, detail::stream_halves::send) {}

    lowest_layer_type& lowest_layer() { return *this; }
    const lowest_layer_type& lowest_layer() const { return *this; }

    // void(error_code, std::size_t). Completes when at least one byte is in the stream's send buffer.
    template <class ConstBufferSequence, class CompletionToken>
    auto async_write_some(const ConstBufferSequence& buffers, CompletionToken&& token) {
        return start_write(buffers, token);
    }

    // Ends the stream (FIN). What was written before is delivered.
    void shutdown() { core_->finish(connection_, id_); }
    // void(error_code). The same, and completes when the peer has acknowledged all of it.
    template <class CompletionToken>
    auto async_shutdown(CompletionToken&& token) {
        return start_shutdown(token);
    }

    // Abandons the stream (RESET_STREAM) with a code of the application's, 0 to 2^62-1.
    void reset(std::uint64_t code) { core_->reset(connection_, id_, code); }
    // RFC 9218: urgency 0 (first) to 7; incremental streams of one urgency share the connection.
    void set_priority(std::uint8_t urgency, bool incremental) { core_->set_priority(connection_, id_, urgency, incremental); }
    // The whole code of the peer's STOP_SENDING; nothing if it sent none.
    std::optional<std::uint64_t> stop_code() const { return core_->stop_code(connection_, id_); }
};

}  // namespace tandem::net
