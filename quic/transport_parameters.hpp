// Transport parameters (RFC 9000 18) of QUIC, and those of QMux (draft-ietf-quic-qmux, Transport Parameters).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/random.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/bytes/writer.hpp>
#include <tandem/quic/error.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

// RFC 9000 18.2. An all-zero address and port means that this family is not offered.
struct preferred_address {
    ip_endpoint v4;
    ip_endpoint v6;
    connection_id id;  // at least 1 byte
    stateless_reset_token reset_token{};
    friend bool operator==(const preferred_address&, const preferred_address&) = default;
};

// RFC 9368 3: which version the handshake is in, and which others could be used; numbers that are not spoken here among them.
struct version_information {
    std::uint32_t chosen = 0;
    std::vector<std::uint32_t> available;  // most wanted first; of a client: with `chosen`
    friend bool operator==(const version_information&, const version_information&) = default;
};
constexpr std::size_t max_available_versions = 64;  // kept of what a peer lists; the rest is not looked at

// Which protocol the parameters are for: QMux permits only some of QUIC's and adds max_record_size.
enum class parameter_profile : std::uint8_t { quic, qmux };

constexpr std::uint64_t default_max_record_size = 16382;  // QMux: fits a full TLS record with a 2-byte Size

// What one endpoint declares. The initial values are the defaults that apply when a parameter is absent.
struct transport_parameters {
    std::optional<connection_id> original_destination_connection_id;  // server only
    std::optional<connection_id> initial_source_connection_id;
    std::optional<connection_id> retry_source_connection_id;  // server only
    std::optional<stateless_reset_token> reset_token;         // server only
    std::optional<preferred_address> preferred;               // server only
    std::optional<version_information> versions;
    std::chrono::milliseconds max_idle_timeout{0};  // 0: none
    std::uint64_t max_udp_payload_size = 65527;     // bytes, at least 1200
    std::uint64_t initial_max_data = 0;
    std::uint64_t initial_max_stream_data_bidi_local = 0;   // on streams that the declaring endpoint opens
    std::uint64_t initial_max_stream_data_bidi_remote = 0;  // on streams that its peer opens
    std::uint64_t initial_max_stream_data_uni = 0;
    std::uint64_t initial_max_streams_bidi = 0;  // at most 2^60
    std::uint64_t initial_max_streams_uni = 0;
    std::uint64_t ack_delay_exponent = 3;         // at most 20
    std::chrono::milliseconds max_ack_delay{25};  // below 2^14
    bool disable_active_migration = false;
    std::uint64_t max_datagram_frame_size = 0;     // RFC 9221 3: the whole frame, type and length included; 0: none are taken
    std::uint64_t active_connection_id_limit = 2;  // at least 2
    // draft-ietf-quic-ack-frequency 3: ACK_FREQUENCY and IMMEDIATE_ACK are obeyed, delays down to this; at most max_ack_delay.
    std::optional<std::chrono::microseconds> min_ack_delay;
    bool reset_stream_at = false;  // draft-ietf-quic-reliable-stream-reset 3: RESET_STREAM_AT is understood
    bool grease_quic_bit = false;  // RFC 9287 3: packets may come without the QUIC Bit
    std::uint64_t max_record_size = default_max_record_size;  // QMux only; at least the default

    friend bool operator==(const transport_parameters&, const transport_parameters&) = default;
};

// Parses what `sender` declared into `out` (which should be fresh). TRANSPORT_PARAMETER_ERROR for malformed, duplicate, invalid
// or forbidden ones; unknown ones are ignored. Whether the connection IDs are the right ones (RFC 9000 7.3) is the connection's
// business.
std::optional<connection_error> parse(std::span<const std::uint8_t> in, perspective sender, parameter_profile profile,
                                      transport_parameters& out);

// Emits every parameter that differs from its default. Only those that the profile permits are written.
void emit(const transport_parameters&, parameter_profile profile, writer& out);
std::vector<std::uint8_t> emit(const transport_parameters&, parameter_profile profile = parameter_profile::quic);
// Adds a parameter that is reserved for being ignored, of up to 16 bytes (RFC 9000 18.1).
void add_reserved(std::vector<std::uint8_t>& parameters, random_source& random);

}  // namespace tandem::quic
