// Version negotiation (RFC 9000 6): which versions are spoken, the answer to others, and what a client makes of such an answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <tandem/bytes/random.hpp>
#include <tandem/quic/packet_header.hpp>
#include <tandem/quic/transport_parameters.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

// Writes the Version Negotiation packet that answers a packet of a foreign version: our versions and one that nobody speaks, so
// that clients learn to ignore what they do not know (RFC 9000 6.3). Returns its size, 0 if it does not fit.
std::size_t write_version_negotiation(std::span<std::uint8_t> out, const invariant_header& trigger, random_source& random);

// What we declare in version_information (RFC 9368 3): a client only what it has begun with, so that the server stays with it.
version_information offered_versions(version chosen, perspective side, random_source& random);

// Whether a list of versions (four bytes each) names one.
bool lists_version(std::span<const std::uint8_t> versions, version wanted);

}  // namespace tandem::quic
