// Version negotiation (RFC 9000 6): which versions are spoken, the answer to others, and what a client makes of such an answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <tandem/bytes/random.hpp>
#include <tandem/quic/packet_header.hpp>
#include <tandem/quic/transport_parameters.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

// Writes the Version Negotiation packet that answers a packet of a foreign version: our versions and one that nobody speaks, so
// that clients learn to ignore what they do not know (RFC 9000 6.3). Returns its size, 0 if it does not fit.
std::size_t write_version_negotiation(std::span<std::uint8_t> out, const invariant_header& trigger,
                                      std::span<const version> spoken, random_source& random);

// What we declare in version_information (RFC 9368 3). A client's list has what it has begun with even if `spoken` has not.
version_information offered_versions(version chosen, std::span<const version> spoken, bool grease, random_source& random);

// What a client that knows all of the versions listed would begin with: the first of its own among them.
std::optional<version> select_version(std::span<const version> spoken, std::span<const std::uint32_t> listed);
// The versions of a Version Negotiation packet; those beyond max_available_versions are not looked at.
std::vector<std::uint32_t> listed_versions(std::span<const std::uint8_t> versions);
// RFC 9368 4, 8: whether the server that the client now talks to would have let it begin with `attempted` without a Version
// Negotiation packet; if not, somebody forged that.
bool would_select(std::span<const version> spoken, version attempted, const std::optional<version_information>& server);

// Whether a list of versions (four bytes each) names one.
bool lists_version(std::span<const std::uint8_t> versions, version wanted);

}  // namespace tandem::quic
