// Connection IDs that tell whoever has the key which of several endpoints on one address issued them, and tell nobody else
// anything.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include <tandem/bytes/time.hpp>
#include <tandem/quic/types.hpp>
#include <tandem/tls/header_mask.hpp>

namespace tandem::quic {

// Two bytes of worker number and six of a count, enciphered together as a block of eight (four Feistel rounds of AES, as
// draft-ietf-quic-load-balancers does): all are different, and without the key they are random, so that two IDs of one connection
// cannot be linked (RFC 9000 5.1). Safe to use from several threads at a time.
class connection_id_router {
public:
    static constexpr std::size_t id_size = 8;
    static constexpr std::size_t max_workers = 1024;  // of 65536 values: random IDs, which clients choose, hardly ever name one

    // Whether an address validation token, told by token_keys::identity, is shown for the first time to any of the endpoints.
    // Called by all of them, each on its thread.
    using first_use = std::function<bool(std::uint64_t identity, time_point now)>;

    // The secret is shared by all endpoints; a new one for every start. Without `tokens` each endpoint remembers for itself which
    // tokens of NEW_TOKEN it has seen, and such a token is good once for each of them.
    explicit connection_id_router(const std::array<std::uint8_t, 32>& secret, first_use tokens = {});

    connection_id make(std::uint16_t worker, std::uint64_t count) const;  // the lowest 48 bits of count
    // Who made it, of `workers`; nothing if none of them did.
    std::optional<std::uint16_t> worker(std::span<const std::uint8_t> id, std::size_t workers) const;

    // A further secret that all the endpoints have.
    std::array<std::uint8_t, 32> derive(std::string_view purpose) const;

    const first_use& tokens() const { return tokens_; }

private:
    std::uint32_t round(unsigned number, std::uint32_t half) const;

    std::array<std::uint8_t, 32> secret_;
    first_use tokens_;
    tls::header_mask cipher_;
};

}  // namespace tandem::quic
