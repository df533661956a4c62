#include <tandem/quic/retry.hpp>

#include <tandem/quic/packet_header.hpp>
#include <tandem/quic/version_parameters.hpp>
#include <tandem/tls/aead.hpp>
#include <tandem/tls/hkdf.hpp>

namespace tandem::quic {
namespace {

constexpr std::size_t tag_size = 16;
constexpr std::size_t max_retry_size = 1500;  // a longer token could not be echoed in a datagram of 1200 bytes anyway

}  // namespace

std::array<std::uint8_t, tag_size> retry_integrity_tag(version v, const connection_id& original_destination,
                                                       std::span<const std::uint8_t> packet_without_tag) {
    std::array<std::uint8_t, tag_size> tag{};
    const auto* parameters = parameters_of(v);
    if (parameters == nullptr || packet_without_tag.size() > max_retry_size) return tag;
    // RFC 9001 5.8: the Retry pseudo-packet is the associated data, and the plaintext is empty.
    std::array<std::uint8_t, 1 + connection_id::max_size + max_retry_size> buffer;
    writer pseudo(buffer);
    pseudo.u8(static_cast<std::uint8_t>(original_destination.size()));
    pseudo.bytes(original_destination.bytes());
    pseudo.bytes(packet_without_tag);
    tls::aead_key key(tls::cipher_suite::aes_128_gcm_sha256, parameters->retry_key, parameters->retry_nonce);
    key.seal(tag, pseudo.written(), parameters->retry_nonce);
    return tag;
}

bool write_retry(writer& out, version v, const connection_id& original_destination, const connection_id& destination,
                 const connection_id& source, std::span<const std::uint8_t> token, std::uint8_t random) {
    const auto* parameters = parameters_of(v);
    if (parameters == nullptr) return false;
    auto begin = out.size();
    auto type = parameters->long_types[static_cast<std::size_t>(packet_type::retry)];
    out.u8(static_cast<std::uint8_t>(header_form_bit | fixed_bit | type << 4 | (random & 0x0f)));
    out.u32(static_cast<std::uint32_t>(v));
    out.u8(static_cast<std::uint8_t>(destination.size()));
    out.bytes(destination.bytes());
    out.u8(static_cast<std::uint8_t>(source.size()));
    out.bytes(source.bytes());
    out.bytes(token);
    if (!out.ok() || out.size() - begin > max_retry_size) return false;
    out.bytes(retry_integrity_tag(v, original_destination, out.written().subspan(begin)));
    return out.ok();
}

bool verify_retry(version v, const connection_id& original_destination, std::span<const std::uint8_t> packet) {
    if (parameters_of(v) == nullptr || packet.size() < tag_size || packet.size() > max_retry_size + tag_size) return false;
    auto body = packet.first(packet.size() - tag_size);
    return tls::equal_constant_time(retry_integrity_tag(v, original_destination, body), packet.last(tag_size));
}

}  // namespace tandem::quic
