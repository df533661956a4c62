#include <tandem/tls/detail/ticket_keys.hpp>

#include <algorithm>

#include <openssl/rand.h>

#include <tandem/tls/hkdf.hpp>

namespace tandem::tls::detail {
namespace {

constexpr auto suite = cipher_suite::aes_128_gcm_sha256;

}  // namespace

ticket_keys::key ticket_keys::make(std::span<const std::uint8_t> secret, std::int64_t now) {
    std::array<std::uint8_t, hash_size(suite)> extracted;
    std::array<std::uint8_t, key_size(suite)> bytes;
    key k;
    hkdf_extract(suite, extracted, {}, secret);
    hkdf_expand_label(suite, bytes, extracted, "tandem ticket");
    hkdf_expand_label(suite, k.name, extracted, "tandem ticket name");
    k.aead = aead_key(suite, bytes, std::array<std::uint8_t, aead_nonce_size>{});
    k.made = now;
    return k;
}

ticket_keys::ticket_keys(const std::optional<std::array<std::uint8_t, 48>>& shared, std::int64_t now)
    : shared_(shared.has_value()), started_(now) {
    if (shared) current_ = make(*shared, 0);
}

void ticket_keys::renew(std::int64_t now) {
    if (shared_ || (current_.aead && now - current_.made < key_lifetime)) return;
    std::array<std::uint8_t, 32> secret;
    RAND_bytes(secret.data(), secret.size());
    const bool recent = current_.aead && now - current_.made < 2 * key_lifetime;
    previous_ = recent ? std::move(current_) : key{};
    current_ = make(secret, now);
}

bool ticket_keys::seal(std::span<const std::uint8_t> session, std::span<std::uint8_t> out, std::int64_t now) {
    const std::lock_guard lock(mutex_);
    renew(now);
    std::copy(current_.name.begin(), current_.name.end(), out.begin());
    const auto nonce = out.subspan(name_size).first<aead_nonce_size>();
    if (RAND_bytes(nonce.data(), nonce.size()) != 1) return false;
    const auto sealed = out.subspan(name_size + aead_nonce_size);
    std::copy(session.begin(), session.end(), sealed.begin());
    return current_.aead.seal(sealed, current_.name, nonce);
}

bool ticket_keys::open(std::span<const std::uint8_t> ticket, std::span<std::uint8_t> out, std::int64_t now) {
    const std::lock_guard lock(mutex_);
    renew(now);
    if (ticket.size() < overhead) return false;
    const key* fitting = nullptr;
    for (const auto* k : {&current_, &previous_}) {
        if (k->aead && std::equal(k->name.begin(), k->name.end(), ticket.begin())) fitting = k;
    }
    if (fitting == nullptr) return false;
    std::vector<std::uint8_t> sealed(ticket.begin() + name_size + aead_nonce_size, ticket.end());
    if (!fitting->aead.open(sealed, fitting->name, ticket.subspan(name_size).first<aead_nonce_size>())) return false;
    std::copy_n(sealed.begin(), sealed.size() - aead_tag_size, out.begin());
    return true;
}

bool ticket_keys::first_early_data(std::span<const std::uint8_t> ticket, std::int64_t now) {
    const std::lock_guard lock(mutex_);
    // RFC 8446 8: what was seen before the start nobody knows any more.
    if (shared_ && std::chrono::seconds(now - started_) < replay_window) return false;
    // Part of the tag: nobody but us can make one that opens.
    std::uint64_t value = 0;
    for (const auto byte : ticket.last(sizeof value)) value = value << 8 | byte;
    return seen_.use(value, time_point(std::chrono::seconds(now)));
}

}  // namespace tandem::tls::detail
