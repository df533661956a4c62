#include <tandem/quic/packet_protection.hpp>

#include <algorithm>

#include <tandem/quic/packet_header.hpp>
#include <tandem/quic/packet_number_codec.hpp>
#include <tandem/quic/version_parameters.hpp>
#include <tandem/tls/hkdf.hpp>

namespace tandem::quic {
namespace {

constexpr std::size_t sample_distance = 4;  // RFC 9001 5.4.2: from the begin of the packet number, whatever its size

// RFC 9001 5.4.1: how much of the first byte is protected depends on the header's form.
std::uint8_t protected_bits(std::uint8_t first_byte) { return (first_byte & header_form_bit) != 0 ? 0x0f : 0x1f; }

std::span<const std::uint8_t, tls::header_sample_size> sample_of(std::span<const std::uint8_t> packet,
                                                                 std::size_t number_offset) {
    return packet.subspan(number_offset + sample_distance).first<tls::header_sample_size>();
}

void flip(std::span<std::uint8_t> packet, std::size_t number_offset, std::size_t number_size,
          const std::array<std::uint8_t, 5>& mask) {
    packet[0] ^= mask[0] & protected_bits(packet[0]);
    for (std::size_t i = 0; i < number_size; ++i) packet[number_offset + i] ^= mask[1 + i];
}

}  // namespace

packet_keys::packet_keys(version v, tls::cipher_suite suite, std::span<const std::uint8_t> secret) : suite_(suite), version_(v) {
    const auto* parameters = parameters_of(v);
    if (parameters == nullptr || secret.size() != tls::hash_size(suite)) return;
    std::copy(secret.begin(), secret.end(), secret_.begin());
    derive_aead();
    std::array<std::uint8_t, tls::max_key_size> buffer;
    auto header_key = std::span(buffer).first(tls::key_size(suite));
    tls::hkdf_expand_label(suite, header_key, secret, parameters->header_protection_label);
    mask_ = tls::header_mask(suite, header_key);
}

void packet_keys::derive_aead() {
    const auto* parameters = parameters_of(version_);
    auto secret = std::span(secret_).first(tls::hash_size(suite_));
    std::array<std::uint8_t, tls::max_key_size> buffer;
    auto key = std::span(buffer).first(tls::key_size(suite_));
    std::array<std::uint8_t, tls::aead_nonce_size> iv;
    tls::hkdf_expand_label(suite_, key, secret, parameters->key_label);
    tls::hkdf_expand_label(suite_, iv, secret, parameters->iv_label);
    aead_ = tls::aead_key(suite_, key, iv);
}

packet_keys packet_keys::next_generation() const {
    packet_keys next;
    if (!*this) return next;
    next.suite_ = suite_;
    next.version_ = version_;
    next.mask_ = mask_;
    auto hash = tls::hash_size(suite_);
    tls::hkdf_expand_label(suite_, std::span(next.secret_).first(hash), std::span(secret_).first(hash),
                           parameters_of(version_)->key_update_label);
    next.derive_aead();
    return next;
}

bool packet_keys::seal(std::span<std::uint8_t> packet, std::size_t number_offset, std::size_t number_size, std::uint64_t number) {
    auto payload_offset = number_offset + number_size;
    if (packet.size() < number_offset + sample_distance + tls::header_sample_size) return false;
    if (!aead_.seal(packet.subspan(payload_offset), packet.first(payload_offset), number)) return false;
    flip(packet, number_offset, number_size, mask_(sample_of(packet, number_offset)));
    ++sealed_;
    return true;
}

std::optional<unprotected_header> packet_keys::unprotect_header(std::span<std::uint8_t> packet, std::size_t number_offset,
                                                                std::optional<std::uint64_t> largest_received) const {
    if (packet.size() < number_offset + sample_distance + tls::header_sample_size) return std::nullopt;
    unprotected_header header;
    header.mask = mask_(sample_of(packet, number_offset));
    packet[0] ^= header.mask[0] & protected_bits(packet[0]);
    header.first_byte = packet[0];
    header.number_size = (packet[0] & 3U) + 1U;
    std::uint64_t truncated = 0;
    for (std::size_t i = 0; i < header.number_size; ++i) {
        auto& byte = packet[number_offset + i];
        byte ^= header.mask[1 + i];
        truncated = truncated << 8 | byte;
    }
    header.number = decode_packet_number(truncated, header.number_size, largest_received);
    return header;
}

bool packet_keys::open_payload(std::span<std::uint8_t> packet, std::size_t number_offset, const unprotected_header& header,
                               std::span<std::uint8_t>& payload) {
    auto payload_offset = number_offset + header.number_size;
    auto sealed = packet.subspan(payload_offset);
    if (!aead_.open(sealed, packet.first(payload_offset), header.number)) {
        flip(packet, number_offset, header.number_size, header.mask);
        ++failed_;
        return false;
    }
    payload = sealed.first(sealed.size() - tls::aead_tag_size);
    return true;
}

open_error packet_keys::open(std::span<std::uint8_t> packet, std::size_t number_offset,
                             std::optional<std::uint64_t> largest_received, opened_packet& out) {
    auto header = unprotect_header(packet, number_offset, largest_received);
    if (!header) return open_error::too_short;
    if (!open_payload(packet, number_offset, *header, out.payload)) return open_error::authentication;
    out.header = *header;
    return open_error::none;
}

packet_key_pair initial_keys(version v, const connection_id& destination, perspective side) {
    packet_key_pair keys;
    const auto* parameters = parameters_of(v);
    if (parameters == nullptr) return keys;
    constexpr auto suite = tls::cipher_suite::aes_128_gcm_sha256;
    std::array<std::uint8_t, tls::hash_size(suite)> initial;
    std::array<std::uint8_t, tls::hash_size(suite)> client;
    std::array<std::uint8_t, tls::hash_size(suite)> server;
    tls::hkdf_extract(suite, initial, parameters->initial_salt, destination.bytes());
    tls::hkdf_expand_label(suite, client, initial, "client in");
    tls::hkdf_expand_label(suite, server, initial, "server in");
    bool is_client = side == perspective::client;
    keys.write = packet_keys(v, suite, is_client ? client : server);
    keys.read = packet_keys(v, suite, is_client ? server : client);
    return keys;
}

}  // namespace tandem::quic
