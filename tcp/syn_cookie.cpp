#include <tandem/tcp/syn_cookie.hpp>

#include <algorithm>

#include <tandem/bytes/writer.hpp>

namespace tandem::tcp {
namespace {

constexpr unsigned hash_bits = 28;
constexpr std::uint32_t hash_mask = (1u << hash_bits) - 1;

constexpr std::uint32_t scale_mask = 0xf, sack_bit = 0x10, ecn_bit = 0x20, options_mask = 0x3f;

std::uint64_t period_of(time_point now) { return static_cast<std::uint64_t>(now.time_since_epoch() / syn_cookies::period); }

}  // namespace

const hash_key& syn_cookies::key_of(std::uint64_t number) {
    auto& held = keys_[number % keys_.size()];
    if (held.number == number) return held.key;
    held.number = number;
    std::array<std::uint8_t, 9> name;
    for (std::uint8_t half = 0; half < 2; ++half) {
        writer w(name);
        w.u64(number);
        w.u8(half);
        held.key[half] = sip_hash(master_, name);
    }
    return held.key;
}

// The bits in the clear are covered, and the whole is masked by four more bits of the hash: an initial sequence number is to be
// as hard to guess as any (RFC 6528).
std::uint32_t syn_cookies::compute(const ip_path& path, std::uint32_t peer_sequence, std::uint32_t size, std::uint64_t number) {
    std::array<std::uint8_t, 36 + 5> bytes;
    writer w(bytes);
    for (const auto* end : {&path.local, &path.remote}) {
        w.bytes({end->address.bytes.data(), end->address.size()});
        w.u16(end->port);
    }
    w.u32(peer_sequence);
    const auto mask = static_cast<std::uint32_t>(sip_hash(master_, w.written())) & ~hash_mask;
    w.u8(static_cast<std::uint8_t>(size));
    const auto hash = static_cast<std::uint32_t>(sip_hash(key_of(number), w.written())) & hash_mask;
    const auto clear = (static_cast<std::uint32_t>(number & 1) << 3 | size) << hash_bits;
    return (clear | hash) ^ mask;
}

std::uint32_t syn_cookies::make(const ip_path& path, std::uint32_t peer_sequence, std::uint16_t peer_mss, time_point now) {
    made_at_ = now;
    const auto above = std::upper_bound(sizes.begin() + 1, sizes.end(), peer_mss);
    return compute(path, peer_sequence, static_cast<std::uint32_t>(above - sizes.begin() - 1), period_of(now));
}

std::optional<std::uint16_t> syn_cookies::check(const ip_path& path, std::uint32_t peer_sequence, std::uint32_t cookie,
                                                time_point now) {
    // The mask does not depend on the size: a trial with size 0 gives it away.
    const auto present = period_of(now);
    const auto clear = (compute(path, peer_sequence, 0, present) ^ cookie) >> hash_bits ^ static_cast<std::uint32_t>(present & 1)
                                                                                              << 3;
    const auto size = clear & 7;
    const auto number = (clear >> 3) == (present & 1) ? present : present - 1;
    if (compute(path, peer_sequence, size, number) != cookie) return std::nullopt;
    return sizes[size];
}

std::uint32_t put_cookie_options(const cookie_options& options, std::uint32_t timestamp) {
    const auto bits = options.window_scale.value_or(scale_mask) | (options.sack ? sack_bit : 0) | (options.ecn ? ecn_bit : 0);
    const auto out = (timestamp & ~options_mask) | bits;
    return (timestamp & options_mask) < bits ? out - (options_mask + 1) : out;
}

cookie_options cookie_options_of(std::uint32_t timestamp) {
    cookie_options out;
    if (const auto scale = timestamp & scale_mask; scale != scale_mask) out.window_scale = static_cast<std::uint8_t>(scale);
    out.sack = (timestamp & sack_bit) != 0;
    out.ecn = (timestamp & ecn_bit) != 0;
    return out;
}

}  // namespace tandem::tcp
