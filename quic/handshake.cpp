#include <algorithm>

#include <tandem/quic/handshake.hpp>

namespace tandem::quic {
namespace {

connection_error parameter_error(std::string_view reason) {
    return connection_error::transport(transport_error::transport_parameter_error, 0, reason);
}

}  // namespace

std::optional<connection_error> authenticate(const transport_parameters& declared, perspective sender,
                                             const handshake_ids& used) {
    if (declared.initial_source_connection_id != used.peer_initial_source) {
        return parameter_error("initial_source_connection_id is not the one used");
    }
    if (sender == perspective::client) return std::nullopt;
    if (declared.original_destination_connection_id != used.original_destination) {
        return parameter_error("original_destination_connection_id is not the one used");
    }
    if (declared.retry_source_connection_id != used.retry_source) {
        return parameter_error("retry_source_connection_id is not the one used");
    }
    return std::nullopt;
}

transport_parameters declared_parameters(const config& settings) {
    transport_parameters p;
    p.max_idle_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(settings.max_idle_timeout);
    p.max_ack_delay = std::chrono::duration_cast<std::chrono::milliseconds>(settings.max_ack_delay);
    p.max_datagram_frame_size = settings.max_datagram_frame_size;
    if (settings.ack_frequency) {
        p.min_ack_delay =
            std::chrono::duration_cast<std::chrono::microseconds>(std::min<duration>(settings.min_ack_delay, p.max_ack_delay));
    }
    p.reset_stream_at = settings.reset_stream_at;
    p.grease_quic_bit = settings.grease;
    p.active_connection_id_limit = std::clamp<std::uint64_t>(settings.active_connection_id_limit, 2, 8);
    return p;
}

bool handshake::provide(packet_space_id space, crypto_stream& in) {
    const auto bytes = in.front();
    if (bytes.empty() || engine_->failed()) return false;
    engine_->provide(to_tls_level(space), bytes);
    in.consume(bytes.size());
    return true;
}

void handshake::collect(packet_space_id space, crypto_stream& out) {
    const auto bytes = engine_->output(to_tls_level(space));
    if (bytes.empty()) return;
    out.write(bytes);
    engine_->discard_output(to_tls_level(space));
}

std::optional<connection_error> handshake::error() const {
    if (!engine_->failed()) return std::nullopt;
    constexpr std::uint8_t internal_error = 80;  // RFC 8446 6
    return connection_error{crypto_error_code(engine_->alert().value_or(internal_error)), 0, engine_->failure().text, false};
}

std::optional<connection_error> handshake::read_peer_parameters(perspective peer, const handshake_ids& used) {
    if (parsed_) return std::nullopt;
    const auto bytes = engine_->peer_transport_parameters();
    if (bytes.empty()) return std::nullopt;
    if (auto error = parse(bytes, peer, parameter_profile::quic, peer_)) return error;
    parsed_ = true;
    return authenticate(peer_, peer, used);
}

}  // namespace tandem::quic
