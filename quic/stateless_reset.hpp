// Stateless reset (RFC 9000 10.3): ends a connection of which nothing is known any more but its connection ID.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <tandem/bytes/random.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

constexpr std::size_t min_stateless_reset_size = 21;  // RFC 9000 10.3: 5 bytes of "header" and the token

class stateless_reset_key {
public:
    static constexpr std::size_t secret_size = 32;
    // Endpoints that may get each other's packets, also later ones after a restart, share the secret.
    explicit stateless_reset_key(std::span<const std::uint8_t, secret_size> secret);

    // The token of a connection ID: always the same (RFC 9000 10.3.2).
    stateless_reset_token token(const connection_id& id) const;

private:
    std::array<std::uint8_t, secret_size> secret_;
};

// Writes a reset in answer to a datagram of `trigger_size` bytes: at least 21 bytes, and shorter than the trigger so that two
// endpoints that reset each other stop (RFC 9000 10.3.3). Returns its size, 0 if the trigger is too short to be answered or the
// reset does not fit into `out`. Looks like a packet with a short header.
std::size_t write_stateless_reset(std::span<std::uint8_t> out, const stateless_reset_token& token, std::size_t trigger_size,
                                  random_source& random);

// Whether a datagram that could not be opened is a reset with this token. The time it takes tells nothing of the token.
bool is_stateless_reset(std::span<const std::uint8_t> datagram, const stateless_reset_token& token);

}  // namespace tandem::quic
