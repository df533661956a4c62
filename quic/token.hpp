// Address validation tokens (RFC 9000 8.1): proof that a client received what was sent to its address. Sealed with a key that
// only this endpoint has, so that it keeps no state for clients that have proven nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/random.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/quic/types.hpp>
#include <tandem/tls/aead.hpp>

namespace tandem::quic {

// What a token tells when it comes back.
struct retry_token {
    connection_id original_destination;  // of the client's very first Initial: goes into the transport parameters
    connection_id retry_source;          // the ID that the Retry gave: the client must use it as its destination now
    time_point issued;
};

// Kind, nonce, and sealed: time, two connection IDs with sizes, tag.
constexpr std::size_t max_token_size = 1 + 12 + 8 + 2 * (1 + 20) + 16;

class token_bytes {
public:
    std::span<const std::uint8_t> span() const { return std::span(bytes_).first(size_); }

private:
    friend class token_keys;
    std::array<std::uint8_t, max_token_size> bytes_{};
    std::size_t size_ = 0;
};

class token_keys {
public:
    static constexpr std::size_t secret_size = 32;
    // Servers that accept each other's tokens share the secret.
    explicit token_keys(std::span<const std::uint8_t, secret_size> secret);

    // A Retry token: bound to the client's address and port (RFC 9000 8.1.4: used within a second or so, from the same socket).
    token_bytes seal_retry(const retry_token& token, const ip_endpoint& client, random_source& random) const;
    // Nothing if it is not a Retry token, not made with this key, from another address or port, older than `lifetime`, from the
    // future, or retry_source is not `destination`, that of the Initial that carries it. Then it is as if there were none.
    std::optional<retry_token> open_retry(std::span<const std::uint8_t> token, const ip_endpoint& client,
                                          const connection_id& destination, time_point now, duration lifetime) const;

    // A token for later connections (NEW_TOKEN): bound to the address only, as the port changes.
    token_bytes seal_new_token(const ip_address& client, time_point now, random_source& random) const;
    // Whether it proves that address. It may be shown more than once; whoever must not accept that remembers those seen.
    bool open_new_token(std::span<const std::uint8_t> token, const ip_address& client, time_point now, duration lifetime) const;

    // Whether it has the form of a Retry token, so that a bad one can be refused with INVALID_TOKEN (RFC 9000 8.1.2).
    static bool looks_like_retry(std::span<const std::uint8_t> token);

private:
    tls::aead_key key_;
};

}  // namespace tandem::quic
