// Authenticated encryption in place, with a nonce made of a fixed IV and a number (RFC 8446 5.3, RFC 9001 5.3).
// The key schedule is made once; sealing and opening allocate nothing.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include <tandem/tls/cipher_suite.hpp>

struct evp_aead_ctx_st;

namespace tandem::tls {

class aead_key {
public:
    aead_key() = default;  // holds no key: seals and opens nothing
    // key: key_size(suite) bytes.
    aead_key(cipher_suite suite, std::span<const std::uint8_t> key, std::span<const std::uint8_t, aead_nonce_size> iv);

    explicit operator bool() const { return context_ != nullptr; }

    // Encrypts `buffer` but its last aead_tag_size bytes, in place, and writes the tag into those. False if the buffer is shorter
    // than a tag. A number must never be used twice with one key.
    bool seal(std::span<std::uint8_t> buffer, std::span<const std::uint8_t> associated, std::uint64_t number) const;
    // Opens `buffer` (ciphertext and tag) in place: the plaintext is all but its last aead_tag_size bytes. On failure
    // returns false; then what was ciphertext is destroyed, but the tag is left as it was.
    bool open(std::span<std::uint8_t> buffer, std::span<const std::uint8_t> associated, std::uint64_t number) const;

    // The same with a whole nonce in place of iv xor number, for nonces drawn at random.
    using nonce_span = std::span<const std::uint8_t, aead_nonce_size>;
    bool seal(std::span<std::uint8_t> buffer, std::span<const std::uint8_t> associated, nonce_span nonce) const;
    bool open(std::span<std::uint8_t> buffer, std::span<const std::uint8_t> associated, nonce_span nonce) const;

private:
    struct free_context {
        void operator()(evp_aead_ctx_st* context) const;
    };
    std::array<std::uint8_t, aead_nonce_size> nonce_of(std::uint64_t number) const;

    std::unique_ptr<evp_aead_ctx_st, free_context> context_;
    std::array<std::uint8_t, aead_nonce_size> iv_{};
};

}  // namespace tandem::tls
