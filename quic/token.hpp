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
    // Keys follow from each other one way, and each seals for this long and opens for as long again: what is found of today's
    // keys does not open what was sealed before yesterday.
    static constexpr duration key_lifetime = std::chrono::hours(24);
    // Servers that accept each other's tokens share the secret, and the clock.
    explicit token_keys(std::span<const std::uint8_t, secret_size> secret);

    // A Retry token: bound to the client's address and port (RFC 9000 8.1.4: used within a second or so, from the same socket).
    token_bytes seal_retry(const retry_token& token, const ip_endpoint& client, random_source& random);
    // Nothing if it is not a Retry token, not made with this key, from another address or port, older than `lifetime`, from the
    // future, or retry_source is not `destination`, that of the Initial that carries it. Then it is as if there were none.
    std::optional<retry_token> open_retry(std::span<const std::uint8_t> token, const ip_endpoint& client,
                                          const connection_id& destination, time_point now, duration lifetime);

    // A token for later connections (NEW_TOKEN) of this version (RFC 9369 5): bound to the address only, as the port changes.
    token_bytes seal_new_token(const ip_address& client, time_point now, random_source& random, version v = version::v1);
    // Whether it proves that address; `lifetime`: at most key_lifetime. It may be shown more than once; whoever must not accept
    // that remembers those seen, by identity().
    bool open_new_token(std::span<const std::uint8_t> token, const ip_address& client, time_point now, duration lifetime,
                        version v = version::v1);
    // Tells tokens that opened from each other; nobody else can choose it.
    static std::uint64_t identity(std::span<const std::uint8_t> token);

    // Whether it has the form of a Retry token, so that a bad one can be refused with INVALID_TOKEN (RFC 9000 8.1.2).
    static bool looks_like_retry(std::span<const std::uint8_t> token);

private:
    void renew(time_point now);
    const tls::aead_key* key_of(std::span<const std::uint8_t> token) const;

    std::array<std::uint8_t, secret_size> secret_{};  // of the present generation
    std::uint64_t generation_ = 0;                    // times key_lifetime since the clock's begin
    tls::aead_key current_;
    tls::aead_key previous_;
};

}  // namespace tandem::quic
