// Private to tls/: seals a server's session tickets, and knows which ones brought early data before.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include <tandem/bytes/single_use_filter.hpp>
#include <tandem/tls/aead.hpp>

namespace tandem::tls::detail {

// Shared by the sessions of one server context on whatever thread, hence the lock: held once or a few times per handshake.
class ticket_keys {
public:
    static constexpr std::int64_t key_lifetime = 2 * 86400;  // seconds; a key opens tickets for as long again
    static constexpr std::size_t name_size = 8;
    static constexpr std::size_t overhead = name_size + aead_nonce_size + aead_tag_size;
    // BoringSSL accepts early data only if the ticket's age is right within a minute each way, so a copy of a ClientHello is
    // good for two minutes at most, and the filter remembers for longer.
    static constexpr duration replay_window = std::chrono::seconds(150);
    static constexpr std::size_t max_replay_entries = 65536;  // in a window; more early data than this is not accepted

    // Key material that other servers have too, or this one had before it was started anew; nothing: random keys, renewed. `now`:
    // seconds.
    ticket_keys(const std::optional<std::array<std::uint8_t, 48>>& shared, std::int64_t now);

    // out: session.size() + overhead bytes. False without randomness.
    bool seal(std::span<const std::uint8_t> session, std::span<std::uint8_t> out, std::int64_t now);
    // out: ticket.size() - overhead bytes. False if it is not a ticket of ours, or too old.
    bool open(std::span<const std::uint8_t> ticket, std::span<std::uint8_t> out, std::int64_t now);
    // Whether this ticket, which opened, may bring early data: only the first time within the window (RFC 8446 8.1, 8.2). `now`:
    // seconds.
    bool first_early_data(std::span<const std::uint8_t> ticket, std::int64_t now);

private:
    struct key {
        std::array<std::uint8_t, name_size> name{};
        aead_key aead;
        std::int64_t made = 0;
    };
    static key make(std::span<const std::uint8_t> secret, std::int64_t now);
    void renew(std::int64_t now);

    std::mutex mutex_;
    bool shared_;
    std::int64_t started_;
    key current_;
    key previous_;
    single_use_filter seen_{replay_window, max_replay_entries};
};

}  // namespace tandem::tls::detail
