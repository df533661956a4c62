#include <array>

#include <tandem/bytes/reader.hpp>
#include <tandem/bytes/writer.hpp>
#include <tandem/quic/version_negotiation.hpp>

namespace tandem::quic {

namespace {

// RFC 9000 15: 0x?a?a?a?a is reserved for this.
std::uint32_t reserved_version(std::uint64_t dice) { return (static_cast<std::uint32_t>(dice) & 0xf0f0f0f0) | 0x0a0a0a0a; }

}  // namespace

version_information offered_versions(version chosen, perspective side, random_source& random) {
    version_information v{.chosen = static_cast<std::uint32_t>(chosen), .available = {}};
    // A client offers only what it has begun with: the server then stays with it. A reserved one keeps everybody used to unknown ones.
    if (side == perspective::client) v.available = {v.chosen, reserved_version(random())};
    else v.available = {static_cast<std::uint32_t>(version::v1), static_cast<std::uint32_t>(version::v2), reserved_version(random())};
    return v;
}

std::size_t write_version_negotiation(std::span<std::uint8_t> out, const invariant_header& trigger, random_source& random) {
    const auto dice = random();
    auto grease = reserved_version(dice >> 8);  // never the version that is answered: that would list the client's own
    if (grease == trigger.version) grease ^= 0x10101010;
    const std::array<std::uint32_t, 3> versions{grease, static_cast<std::uint32_t>(version::v1), static_cast<std::uint32_t>(version::v2)};
    writer w(out);
    if (!write_version_negotiation(w, trigger.source, trigger.destination, versions, static_cast<std::uint8_t>(dice))) return 0;
    return w.size();
}

bool lists_version(std::span<const std::uint8_t> versions, version wanted) {
    reader in(versions);
    while (in.remaining() >= 4) {
        if (in.u32() == static_cast<std::uint32_t>(wanted)) return true;
    }
    return false;
}

}  // namespace tandem::quic
