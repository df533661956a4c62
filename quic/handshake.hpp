// The TLS handshake of a connection: moves bytes between TLS and the CRYPTO streams and checks what the peer declares.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include <tandem/quic/config.hpp>
#include <tandem/quic/crypto_stream.hpp>
#include <tandem/quic/error.hpp>
#include <tandem/quic/transport_parameters.hpp>
#include <tandem/quic/types.hpp>
#include <tandem/tls/quic_handshake.hpp>

namespace tandem::quic {

// The connection IDs that the handshake really used (RFC 9000 7.3): the peer must declare the same, or somebody changed packets.
struct handshake_ids {
    connection_id peer_initial_source;          // of the peer's first Initial
    connection_id original_destination;         // of the client's very first Initial
    std::optional<connection_id> retry_source;  // of the Retry, if there was one
};

// TRANSPORT_PARAMETER_ERROR if the parameters that `sender` declared do not name these IDs.
std::optional<connection_error> authenticate(const transport_parameters& declared, perspective sender, const handshake_ids& used);

// What we declare. The stream limits are filled in by streams::declare.
transport_parameters declared_parameters(const config& settings);

constexpr encryption_level to_encryption_level(tls::level level) {
    switch (level) {
        case tls::level::initial:
            return encryption_level::initial;
        case tls::level::early_data:
            return encryption_level::zero_rtt;
        case tls::level::handshake:
            return encryption_level::handshake;
        default:
            return encryption_level::one_rtt;
    }
}
constexpr tls::level to_tls_level(packet_space_id space) {
    switch (space) {
        case packet_space_id::initial:
            return tls::level::initial;
        case packet_space_id::handshake:
            return tls::level::handshake;
        default:
            return tls::level::application;
    }
}

class handshake {
public:
    explicit handshake(std::unique_ptr<tls::quic_handshake> engine) : engine_(std::move(engine)) {}

    // Server: see tls::quic_handshake.
    void set_parameter_chooser(tls::quic_handshake::parameter_chooser chooser) {
        engine_->set_parameter_chooser(std::move(chooser));
    }
    // Gives TLS the next contiguous bytes of one space, if there are any. True if there were. See error().
    bool provide(packet_space_id space, crypto_stream& in);
    // Moves what TLS wants to say in one space.
    void collect(packet_space_id space, crypto_stream& out);
    // A fatal alert as CRYPTO_ERROR (RFC 9001 4.8).
    std::optional<connection_error> error() const;

    std::optional<tls::installed_secret> poll_secret() { return engine_->poll_secret(); }
    std::optional<tls::session_ticket> poll_ticket() { return engine_->poll_ticket(); }
    bool complete() const { return engine_->complete(); }
    bool resumed() const { return engine_->resumed(); }
    tls::early_data_state early_data() const { return engine_->early_data(); }
    std::string_view alpn() const { return engine_->alpn(); }
    std::string_view server_name() const { return engine_->server_name(); }

    // The peer's parameters once they came, parsed and authenticated the first time they are asked for; until then null.
    const transport_parameters* peer_parameters() const { return parsed_ ? &peer_ : nullptr; }
    // Looks whether they came just now. An error ends the connection.
    std::optional<connection_error> read_peer_parameters(perspective peer, const handshake_ids& used);

private:
    std::unique_ptr<tls::quic_handshake> engine_;
    bool parsed_ = false;
    transport_parameters peer_;
};

}  // namespace tandem::quic
