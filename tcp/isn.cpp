#include <tandem/tcp/isn.hpp>

#include <bit>
#include <cstring>

#include <tandem/bytes/writer.hpp>

namespace tandem::tcp {
namespace {

struct sip_state {
    std::uint64_t v0, v1, v2, v3;

    void round() {
        v0 += v1;
        v1 = std::rotl(v1, 13) ^ v0;
        v0 = std::rotl(v0, 32);
        v2 += v3;
        v3 = std::rotl(v3, 16) ^ v2;
        v0 += v3;
        v3 = std::rotl(v3, 21) ^ v0;
        v2 += v1;
        v1 = std::rotl(v1, 17) ^ v2;
        v2 = std::rotl(v2, 32);
    }
    void absorb(std::uint64_t m) {
        v3 ^= m;
        round();
        round();
        v0 ^= m;
    }
};

std::uint64_t little_endian(const std::uint8_t* p, std::size_t n) {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < n; ++i) out |= std::uint64_t{p[i]} << (8 * i);
    return out;
}

std::uint64_t hash_path(const hash_key& key, const ip_path& path) {
    std::array<std::uint8_t, 36> bytes;
    writer w(bytes);
    for (const auto* end : {&path.local, &path.remote}) {
        w.bytes({end->address.bytes.data(), end->address.size()});
        w.u16(end->port);
    }
    return sip_hash(key, w.written());
}

}  // namespace

std::uint64_t sip_hash(const hash_key& key, std::span<const std::uint8_t> bytes) {
    sip_state s{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
                key[1] ^ 0x7465646279746573};
    const auto whole = bytes.size() / 8 * 8;
    for (std::size_t i = 0; i < whole; i += 8) s.absorb(little_endian(bytes.data() + i, 8));
    s.absorb(std::uint64_t{bytes.size() & 0xff} << 56 | little_endian(bytes.data() + whole, bytes.size() - whole));
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; ++i) s.round();
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

std::uint32_t isn_generator::initial_sequence(const ip_path& path, time_point now) const {
    const auto ticks = now.time_since_epoch() / std::chrono::microseconds(4);
    return static_cast<std::uint32_t>(hash_path(key_, path)) + static_cast<std::uint32_t>(ticks);
}

std::uint32_t isn_generator::timestamp_offset(const ip_path& path) const {
    return static_cast<std::uint32_t>(hash_path(timestamp_key_, path));
}

std::uint64_t isn_generator::draw() {
    std::array<std::uint8_t, 8> counter;
    writer(counter).u64(drawn_++);
    return sip_hash(draw_key_, counter);
}

std::uint32_t isn_generator::draw_below(std::uint32_t n) { return static_cast<std::uint32_t>((draw() >> 32) * n >> 32); }

std::size_t isn_generator::slot(const ip_path& path) const { return static_cast<std::size_t>(hash_path(draw_key_, path)); }

}  // namespace tandem::tcp
