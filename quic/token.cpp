#include <tandem/quic/token.hpp>

#include <algorithm>

#include <tandem/bytes/reader.hpp>
#include <tandem/bytes/writer.hpp>
#include <tandem/tls/hkdf.hpp>

namespace tandem::quic {
namespace {

// RFC 9000 8.1.1: the first byte tells the two kinds apart, and which key it is: kind in two bits, generation in the rest. It and
// the client's address are authenticated, not sealed.
constexpr std::uint8_t retry_kind = 1;
constexpr std::uint8_t new_token_kind = 2;
constexpr std::uint8_t kind_bits = 3;
constexpr auto suite = tls::cipher_suite::aes_128_gcm_sha256;
constexpr std::size_t prefix_size = 1 + tls::aead_nonce_size;

struct binding {
    std::array<std::uint8_t, 1 + 1 + 16 + 4> bytes{};
    std::size_t size = 0;
    std::span<const std::uint8_t> span() const { return std::span(bytes).first(size); }
};

// `kind`: with the generation.
binding bind(std::uint8_t kind, const ip_address& address) {
    binding b;
    writer out(b.bytes);
    out.u8(kind);
    out.u8(address.is_v6 ? 6 : 4);
    out.bytes(std::span(address.bytes).first(address.size()));
    b.size = out.size();
    return b;
}

binding bind(std::uint8_t kind, const ip_endpoint& client) {
    auto b = bind(kind, client.address);
    writer out(std::span(b.bytes).subspan(b.size));
    out.u16(client.port);
    b.size += out.size();
    return b;
}

binding bind(std::uint8_t kind, const ip_address& client, version v) {
    auto b = bind(kind, client);
    writer out(std::span(b.bytes).subspan(b.size));
    out.u32(static_cast<std::uint32_t>(v));
    b.size += out.size();
    return b;
}

std::uint8_t label(std::uint8_t kind, std::uint64_t generation) { return static_cast<std::uint8_t>(kind | generation << 2); }

tls::aead_key key_from(std::span<const std::uint8_t> secret) {
    std::array<std::uint8_t, tls::key_size(suite)> key;
    tls::hkdf_expand_label(suite, key, secret, "tandem token");
    return {suite, key, std::array<std::uint8_t, tls::aead_nonce_size>{}};
}

void write_time(writer& out, time_point t) { out.u64(static_cast<std::uint64_t>(t.time_since_epoch().count())); }

time_point read_time(reader& in) { return time_point(duration(static_cast<std::int64_t>(in.u64()))); }

void write_id(writer& out, const connection_id& id) {
    out.u8(static_cast<std::uint8_t>(id.size()));
    out.bytes(id.bytes());
}

connection_id read_id(reader& in) {
    std::size_t size = in.u8();
    if (size > connection_id::max_size) in.fail();
    return connection_id(in.bytes(size));
}

bool is_fresh(time_point issued, time_point now, duration lifetime) { return issued <= now && now - issued <= lifetime; }

std::size_t seal(std::span<std::uint8_t> out, std::span<const std::uint8_t> plaintext, const binding& bound,
                 const tls::aead_key& key, random_source& random) {
    out[0] = bound.bytes[0];
    auto nonce = out.subspan<1, tls::aead_nonce_size>();
    random.fill(nonce);
    auto sealed = out.subspan(prefix_size, plaintext.size() + tls::aead_tag_size);
    std::copy(plaintext.begin(), plaintext.end(), sealed.begin());
    key.seal(sealed, bound.span(), nonce);
    return prefix_size + sealed.size();
}

// Opens into `buffer`; nothing if the token is not of this kind, size, binding and key.
std::optional<std::span<const std::uint8_t>> open(std::span<const std::uint8_t> token, const binding& bound,
                                                  const tls::aead_key& key, std::span<std::uint8_t, max_token_size> buffer) {
    if (token.size() < prefix_size + tls::aead_tag_size || token.size() > max_token_size) return std::nullopt;
    if (bound.bytes[0] != token[0]) return std::nullopt;
    auto sealed = buffer.first(token.size() - prefix_size);
    std::copy(token.begin() + prefix_size, token.end(), sealed.begin());
    if (!key.open(sealed, bound.span(), token.subspan<1, tls::aead_nonce_size>())) return std::nullopt;
    return sealed.first(sealed.size() - tls::aead_tag_size);
}

}  // namespace

token_keys::token_keys(std::span<const std::uint8_t, secret_size> secret) {
    std::copy(secret.begin(), secret.end(), secret_.begin());
    current_ = key_from(secret_);
}

void token_keys::renew(time_point now) {
    const auto generation =
        static_cast<std::uint64_t>(std::max<duration>(now.time_since_epoch(), duration::zero()) / key_lifetime);
    for (; generation_ < generation; ++generation_) {
        previous_ = generation_ + 1 == generation ? key_from(secret_) : tls::aead_key();
        std::array<std::uint8_t, secret_size> next;
        tls::hkdf_expand_label(suite, next, secret_, "tandem token next");
        secret_ = next;
        current_ = generation_ + 1 == generation ? key_from(secret_) : tls::aead_key();
    }
}

const tls::aead_key* token_keys::key_of(std::span<const std::uint8_t> token) const {
    if (token.empty()) return nullptr;
    const auto same = [&](std::uint64_t generation) { return token[0] >> 2 == label(0, generation) >> 2; };
    if (same(generation_)) return &current_;
    return generation_ > 0 && same(generation_ - 1) ? &previous_ : nullptr;
}

token_bytes token_keys::seal_retry(const retry_token& token, const ip_endpoint& client, random_source& random) {
    renew(token.issued);
    std::array<std::uint8_t, max_token_size> buffer;
    writer plaintext(buffer);
    write_time(plaintext, token.issued);
    write_id(plaintext, token.original_destination);
    write_id(plaintext, token.retry_source);
    token_bytes out;
    out.size_ = seal(out.bytes_, plaintext.written(), bind(label(retry_kind, generation_), client), current_, random);
    return out;
}

std::optional<retry_token> token_keys::open_retry(std::span<const std::uint8_t> token, const ip_endpoint& client,
                                                  const connection_id& destination, time_point now, duration lifetime) {
    renew(now);
    const auto* key = key_of(token);
    if (key == nullptr || !looks_like_retry(token)) return std::nullopt;
    std::array<std::uint8_t, max_token_size> buffer;
    auto plaintext = open(token, bind(token[0], client), *key, buffer);
    if (!plaintext) return std::nullopt;
    reader in(*plaintext);
    retry_token opened;
    opened.issued = read_time(in);
    opened.original_destination = read_id(in);
    opened.retry_source = read_id(in);
    if (!in.ok() || !in.empty() || opened.retry_source != destination) return std::nullopt;
    if (!is_fresh(opened.issued, now, lifetime)) return std::nullopt;
    return opened;
}

token_bytes token_keys::seal_new_token(const ip_address& client, time_point now, random_source& random, version v) {
    renew(now);
    std::array<std::uint8_t, 8> buffer;
    writer plaintext(buffer);
    write_time(plaintext, now);
    token_bytes out;
    out.size_ = seal(out.bytes_, plaintext.written(), bind(label(new_token_kind, generation_), client, v), current_, random);
    return out;
}

bool token_keys::open_new_token(std::span<const std::uint8_t> token, const ip_address& client, time_point now, duration lifetime,
                                version v) {
    renew(now);
    const auto* key = key_of(token);
    if (key == nullptr || (token[0] & kind_bits) != new_token_kind) return false;
    std::array<std::uint8_t, max_token_size> buffer;
    auto plaintext = open(token, bind(token[0], client, v), *key, buffer);
    if (!plaintext) return false;
    reader in(*plaintext);
    auto issued = read_time(in);
    return in.ok() && in.empty() && is_fresh(issued, now, lifetime);
}

std::uint64_t token_keys::identity(std::span<const std::uint8_t> token) {
    std::uint64_t value = 0;
    for (const auto byte : token.last(std::min<std::size_t>(token.size(), sizeof value))) value = value << 8 | byte;
    return value;
}

bool token_keys::looks_like_retry(std::span<const std::uint8_t> token) {
    return !token.empty() && (token[0] & kind_bits) == retry_kind;
}

}  // namespace tandem::quic
