// A bidirectional QUIC stream as Asio sees streams: an AsyncReadStream and an AsyncWriteStream.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <tandem/net/detail/quic_stream_base.hpp>
#include <tandem/net/quic_receive_stream.hpp>
#include <tandem/net/quic_send_stream.hpp>

namespace tandem::net {

// Movable, not copyable; it may be moved while operations wait. Destroying it gives up whatever half was not brought to its end
// (reset and STOP_SENDING with code 0). Not thread-safe: use it, and complete on it, from its executor only. At most one read and
// one write may wait at a time (error::already_started).
//
// Every operation takes a completion token, honours its executor, its allocator and its cancellation slot: reads and writes can
// be cancelled with total cancellation, for they either move bytes or end with operation_aborted and have moved none.
//
// Errors: asio::error::eof when the peer's last byte was read; quic_reset_category() with the peer's code after its reset
// (reads), quic_stop_category() after its STOP_SENDING (writes); what net::make_error_code(connection_closed) says once the
// connection is over.
class quic_stream : public detail::quic_stream_base {
public:
    using lowest_layer_type = quic_stream;

    quic_stream() = default;  // stands for no stream
    quic_stream(std::shared_ptr<detail::quic_core> core, quic::connection_handle connection, quic::stream_id id)
        : quic_stream_base(std::move(core), connection, id, detail::stream_halves::both) {}

    lowest_layer_type& lowest_layer() { return *this; }
    const lowest_layer_type& lowest_layer() const { return *this; }

    // void(error_code, std::size_t). asio::error::eof after the last byte.
    template <class MutableBufferSequence, class CompletionToken>
    auto async_read_some(const MutableBufferSequence& buffers, CompletionToken&& token) {
        return start_read(buffers, token);
    }

    // void(error_code, std::size_t). Completes when at least one byte is in the stream's send buffer.
    template <class ConstBufferSequence, class CompletionToken>
    auto async_write_some(const ConstBufferSequence& buffers, CompletionToken&& token) {
        return start_write(buffers, token);
    }

    // Ends our direction (FIN). What was written before is delivered.
    void shutdown() { core_->finish(connection_, id_); }
    // void(error_code). The same, and completes when the peer has acknowledged all of it.
    template <class CompletionToken>
    auto async_shutdown(CompletionToken&& token) {
        return start_shutdown(token);
    }

    // Abandons our direction (RESET_STREAM), or asks the peer to abandon its own (STOP_SENDING), with a code of the
    // application's, 0 to 2^62-1.
    void reset(std::uint64_t code) { core_->reset(connection_, id_, code); }
    void stop_sending(std::uint64_t code) { core_->stop_sending(connection_, id_, code); }
    // RFC 9218: urgency 0 (first) to 7; incremental streams of one urgency share the connection.
    void set_priority(std::uint8_t urgency, bool incremental) { core_->set_priority(connection_, id_, urgency, incremental); }

    // The whole codes of the peer's RESET_STREAM and STOP_SENDING; nothing if it sent none.
    std::optional<std::uint64_t> reset_code() const { return core_->reset_code(connection_, id_); }
    std::optional<std::uint64_t> stop_code() const { return core_->stop_code(connection_, id_); }

    // The two halves as streams of their own, for parts of a program that do not know of each other. Operations that wait go on.
    std::pair<quic_receive_stream, quic_send_stream> split() && {
        auto in = quic_receive_stream(core_, connection_, id_);
        auto out = quic_send_stream(core_, connection_, id_);
        core_.reset();  // they own it now
        return {std::move(in), std::move(out)};
    }
};

}  // namespace tandem::net
