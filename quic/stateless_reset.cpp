#include <tandem/quic/stateless_reset.hpp>

#include <algorithm>

#include <tandem/quic/packet_header.hpp>
#include <tandem/tls/hkdf.hpp>

namespace tandem::quic {
namespace {

// RFC 9000 10.3: at 43 bytes and above a reset can be as long as any short-header packet; there is no reason to be much longer.
constexpr std::size_t usual_size = 43;
constexpr std::size_t size_spread = 32;

}  // namespace

stateless_reset_key::stateless_reset_key(std::span<const std::uint8_t, secret_size> secret) {
    std::copy(secret.begin(), secret.end(), secret_.begin());
}

stateless_reset_token stateless_reset_key::token(const connection_id& id) const {
    auto hash = tls::hmac_sha256(secret_, id.bytes());
    stateless_reset_token token;
    std::copy_n(hash.begin(), token.size(), token.begin());
    return token;
}

std::size_t write_stateless_reset(std::span<std::uint8_t> out, const stateless_reset_token& token, std::size_t trigger_size,
                                  random_source& random) {
    if (trigger_size <= min_stateless_reset_size) return 0;
    auto size = std::min<std::size_t>(trigger_size - 1, usual_size + random.below(size_spread));
    if (size > out.size()) return 0;
    auto unpredictable = out.first(size - token.size());
    random.fill(unpredictable);
    unpredictable[0] = static_cast<std::uint8_t>((unpredictable[0] & 0x3f) | fixed_bit);
    std::copy(token.begin(), token.end(), out.begin() + static_cast<std::ptrdiff_t>(unpredictable.size()));
    return size;
}

bool is_stateless_reset(std::span<const std::uint8_t> datagram, const stateless_reset_token& token) {
    // RFC 9000 10.3: whatever the first byte is; other versions might reset with a long header.
    if (datagram.size() < min_stateless_reset_size) return false;
    return tls::equal_constant_time(datagram.last(token.size()), token);
}

}  // namespace tandem::quic
