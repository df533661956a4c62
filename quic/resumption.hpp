// What a client remembers of a connection to resume it: TLS's ticket, and the transport parameters that early data is sent by
// (RFC 9000 7.4.1).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <tandem/quic/error.hpp>
#include <tandem/quic/transport_parameters.hpp>
#include <tandem/quic/types.hpp>
#include <tandem/tls/session.hpp>

namespace tandem::quic {

struct resumption {
    quic::version version = version::v1;  // RFC 9369 5: good for this version only
    transport_parameters remembered;
    tls::session_ticket ticket;
};

// One blob, as ticket_received tells it and connect_options takes it.
std::vector<std::uint8_t> encode(const resumption&);
std::optional<resumption> decode_resumption(std::span<const std::uint8_t> bytes);

// RFC 9000 7.4.1: of what a server declared, what a client goes by when it sends early data. The rest has its defaults.
transport_parameters remembered_part(const transport_parameters& declared);

// A server that accepted early data must not have lowered what the client remembered: PROTOCOL_VIOLATION.
std::optional<connection_error> check_not_reduced(const transport_parameters& remembered, const transport_parameters& declared);

// Server: stands for everything that a client remembers with a ticket. Early data is accepted only while it is the same.
std::vector<std::uint8_t> early_data_context(version v, const transport_parameters& declared, std::string_view application);

}  // namespace tandem::quic
