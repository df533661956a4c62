#include <algorithm>
#include <array>

#include <tandem/bytes/reader.hpp>
#include <tandem/bytes/writer.hpp>
#include <tandem/quic/version_negotiation.hpp>

namespace tandem::quic {

namespace {

// RFC 9000 15: 0x?a?a?a?a is reserved for this.
std::uint32_t reserved_version(std::uint64_t dice) { return (static_cast<std::uint32_t>(dice) & 0xf0f0f0f0) | 0x0a0a0a0a; }

}  // namespace

version_information offered_versions(version chosen, std::span<const version> spoken, bool grease, random_source& random) {
    version_information v{.chosen = static_cast<std::uint32_t>(chosen), .available = {}};
    if (std::ranges::find(spoken, chosen) == spoken.end()) v.available.push_back(v.chosen);
    for (const auto each : spoken) v.available.push_back(static_cast<std::uint32_t>(each));
    if (grease) v.available.push_back(reserved_version(random()));
    return v;
}

std::size_t write_version_negotiation(std::span<std::uint8_t> out, const invariant_header& trigger,
                                      std::span<const version> spoken, random_source& random) {
    const auto dice = random();
    auto grease = reserved_version(dice >> 8);  // never the version that is answered: that would list the client's own
    if (grease == trigger.version) grease ^= 0x10101010;
    std::vector<std::uint32_t> versions{grease};
    for (const auto each : spoken) versions.push_back(static_cast<std::uint32_t>(each));
    writer w(out);
    if (!write_version_negotiation(w, trigger.source, trigger.destination, versions, static_cast<std::uint8_t>(dice))) return 0;
    return w.size();
}

std::optional<version> select_version(std::span<const version> spoken, std::span<const std::uint32_t> listed) {
    const auto is_listed = [&](version v) { return std::ranges::find(listed, static_cast<std::uint32_t>(v)) != listed.end(); };
    const auto found = std::ranges::find_if(spoken, is_listed);
    return found == spoken.end() ? std::nullopt : std::optional(*found);
}

std::vector<std::uint32_t> listed_versions(std::span<const std::uint8_t> versions) {
    std::vector<std::uint32_t> all;
    reader in(versions);
    while (in.remaining() >= 4 && all.size() < max_available_versions) all.push_back(in.u32());
    return all;
}

bool would_select(std::span<const version> spoken, version attempted, const std::optional<version_information>& server) {
    constexpr auto one = static_cast<std::uint32_t>(version::v1);
    // 8: what a server of before RFC 9368 means.
    if (!server) return attempted == version::v1 && select_version(spoken, std::array{one}) == attempted;
    if (server->available.empty()) return false;
    auto listed = server->available;
    listed.push_back(server->chosen);
    return select_version(spoken, listed) == attempted;
}

bool lists_version(std::span<const std::uint8_t> versions, version wanted) {
    reader in(versions);
    while (in.remaining() >= 4) {
        if (in.u32() == static_cast<std::uint32_t>(wanted)) return true;
    }
    return false;
}

}  // namespace tandem::quic
