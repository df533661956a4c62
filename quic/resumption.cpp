#include <tandem/quic/resumption.hpp>

#include <array>

#include <tandem/bytes/reader.hpp>
#include <tandem/tls/hkdf.hpp>

namespace tandem::quic {
namespace {

constexpr std::uint8_t format = 1;

void put(std::vector<std::uint8_t>& out, std::uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

}  // namespace

std::vector<std::uint8_t> encode(const resumption& r) {
    const auto parameters = emit(remembered_part(r.remembered));
    std::vector<std::uint8_t> out{format};
    put(out, static_cast<std::uint32_t>(r.version), 4);
    put(out, parameters.size(), 2);
    out.insert(out.end(), parameters.begin(), parameters.end());
    out.insert(out.end(), r.ticket.begin(), r.ticket.end());
    return out;
}

std::optional<resumption> decode_resumption(std::span<const std::uint8_t> bytes) {
    reader in(bytes);
    if (in.u8() != format) return std::nullopt;
    resumption r;
    r.version = static_cast<version>(in.u32());
    const auto parameters = in.bytes(in.u16());
    const auto ticket = in.rest();
    if (!in.ok() || parse(parameters, perspective::server, parameter_profile::quic, r.remembered)) return std::nullopt;
    r.remembered = remembered_part(r.remembered);
    r.ticket.assign(ticket.begin(), ticket.end());
    return r;
}

transport_parameters remembered_part(const transport_parameters& declared) {
    transport_parameters kept;
    kept.max_idle_timeout = declared.max_idle_timeout;
    kept.max_udp_payload_size = declared.max_udp_payload_size;
    kept.initial_max_data = declared.initial_max_data;
    kept.initial_max_stream_data_bidi_local = declared.initial_max_stream_data_bidi_local;
    kept.initial_max_stream_data_bidi_remote = declared.initial_max_stream_data_bidi_remote;
    kept.initial_max_stream_data_uni = declared.initial_max_stream_data_uni;
    kept.initial_max_streams_bidi = declared.initial_max_streams_bidi;
    kept.initial_max_streams_uni = declared.initial_max_streams_uni;
    kept.disable_active_migration = declared.disable_active_migration;
    kept.active_connection_id_limit = declared.active_connection_id_limit;
    kept.max_datagram_frame_size = declared.max_datagram_frame_size;  // RFC 9221 3
    kept.reset_stream_at = declared.reset_stream_at;                  // draft-ietf-quic-reliable-stream-reset 3
    return kept;
}

std::optional<connection_error> check_not_reduced(const transport_parameters& remembered, const transport_parameters& declared) {
    using member = std::uint64_t transport_parameters::*;
    constexpr std::array<member, 8> limits{&transport_parameters::active_connection_id_limit,
                                           &transport_parameters::initial_max_data,
                                           &transport_parameters::initial_max_stream_data_bidi_local,
                                           &transport_parameters::initial_max_stream_data_bidi_remote,
                                           &transport_parameters::initial_max_stream_data_uni,
                                           &transport_parameters::initial_max_streams_bidi,
                                           &transport_parameters::initial_max_streams_uni,
                                           &transport_parameters::max_datagram_frame_size};
    for (const auto limit : limits) {
        if (declared.*limit < remembered.*limit) {
            return connection_error::transport(transport_error::protocol_violation, 0,
                                               "the server accepted early data and lowered a limit");
        }
    }
    if (remembered.reset_stream_at && !declared.reset_stream_at) {
        return connection_error::transport(transport_error::protocol_violation, 0,
                                           "the server accepted early data and disabled RESET_STREAM_AT");
    }
    return std::nullopt;
}

std::vector<std::uint8_t> early_data_context(version v, const transport_parameters& declared, std::string_view application) {
    auto all = emit(remembered_part(declared));
    put(all, static_cast<std::uint32_t>(v), 4);
    all.insert(all.end(), application.begin(), application.end());
    constexpr std::array<std::uint8_t, 4> purpose{'0', 'r', 't', 't'};
    const auto digest = tls::hmac_sha256(purpose, all);  // it goes into every ticket: short
    return {digest.begin(), digest.end()};
}

}  // namespace tandem::quic
