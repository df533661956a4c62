// SYN cookies (RFC 4987 3.6): while a listener's SYN queue is full, what it would have to remember of a SYN is put into the
// sequence number and the timestamp of the SYN-ACK, and comes back with the acknowledgment. Nothing is kept for a half-open
// connection.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/tcp/isn.hpp>

namespace tandem::tcp {

// A cookie: a bit that tells the period it was made in, three bits of MSS, 28 bits of a keyed hash over all of it and the
// connection's name. Every period has a key of its own.
class syn_cookies {
public:
    static constexpr duration period = std::chrono::seconds(64);  // a cookie is good for one to two of them
    // What the peer's MSS is rounded down to.
    static constexpr std::array<std::uint16_t, 8> sizes{216, 536, 1220, 1300, 1400, 1440, 1460, 8940};

    explicit syn_cookies(const hash_key& master) : master_(master) {}

    // The initial sequence number of the SYN-ACK for a SYN with this sequence number.
    std::uint32_t make(const ip_path& path, std::uint32_t peer_sequence, std::uint16_t peer_mss, time_point now);
    // The peer's MSS, if `cookie` is one made for this SYN not too long ago.
    std::optional<std::uint16_t> check(const ip_path& path, std::uint32_t peer_sequence, std::uint32_t cookie, time_point now);
    // Whether a cookie is out that may come back. If none is, an acknowledgment out of the blue need not be looked at.
    bool expected(time_point now) const { return made_at_ && now - *made_at_ < 2 * period; }

private:
    struct period_key {
        std::uint64_t number = ~std::uint64_t{0};
        hash_key key{};
    };

    const hash_key& key_of(std::uint64_t number);
    std::uint32_t compute(const ip_path& path, std::uint32_t peer_sequence, std::uint32_t size, std::uint64_t number);

    hash_key master_;
    std::array<period_key, 2> keys_;
    std::optional<time_point> made_at_;
};

// The options of a SYN that a cookie cannot hold travel in the low six bits of our timestamp, laid out as Linux does: four bits
// of window scale (15: none), one for SACK, one for ECN. Peers without timestamps do without these options.
struct cookie_options {
    std::optional<std::uint8_t> window_scale;  // 0 to 14
    bool sack = false;
    bool ecn = false;
    friend bool operator==(const cookie_options&, const cookie_options&) = default;
};

// The latest timestamp not after `timestamp` that says `options`.
std::uint32_t put_cookie_options(const cookie_options& options, std::uint32_t timestamp);
cookie_options cookie_options_of(std::uint32_t timestamp);

}  // namespace tandem::tcp
