// Initial sequence numbers and timestamp offsets from a keyed hash (RFC 6528 3, RFC 7323 5.4).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/random.hpp>
#include <tandem/bytes/time.hpp>

namespace tandem::tcp {

using hash_key = std::array<std::uint64_t, 2>;

// SipHash-2-4 (Aumasson and Bernstein, 2012): a short-input pseudo-random function, not computable without the key.
std::uint64_t sip_hash(const hash_key& key, std::span<const std::uint8_t> bytes);

// All of an endpoint's secrets. The generator they are drawn from is used for nothing else: who sees enough of its output (ports
// are part of it, were they drawn from it) could compute the keys.
class isn_generator {
public:
    explicit isn_generator(random_source random)
        : key_{random(), random()}, timestamp_key_{random(), random()}, draw_key_{random(), random()} {}

    // RFC 6528 3: a clock of 4 us plus a hash of the connection's name.
    std::uint32_t initial_sequence(const ip_path& path, time_point now) const;
    std::uint32_t timestamp_offset(const ip_path& path) const;
    // The place of a connection in a hash table: a peer cannot choose ports that collide.
    std::size_t slot(const ip_path& path) const;
    // Anything else that must not be guessed: ports, seeds.
    std::uint64_t draw();
    std::uint32_t draw_below(std::uint32_t n);  // n > 0

private:
    hash_key key_;
    hash_key timestamp_key_;
    hash_key draw_key_;
    std::uint64_t drawn_ = 0;
};

}  // namespace tandem::tcp
