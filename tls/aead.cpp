#include <tandem/tls/aead.hpp>

#include <openssl/aead.h>

namespace tandem::tls {
namespace {

const EVP_AEAD* algorithm(cipher_suite suite) {
    switch (suite) {
        case cipher_suite::aes_128_gcm_sha256:
            return EVP_aead_aes_128_gcm();
        case cipher_suite::aes_256_gcm_sha384:
            return EVP_aead_aes_256_gcm();
        case cipher_suite::chacha20_poly1305_sha256:
            return EVP_aead_chacha20_poly1305();
    }
    return nullptr;
}

}  // namespace

void aead_key::free_context::operator()(evp_aead_ctx_st* context) const { EVP_AEAD_CTX_free(context); }

aead_key::aead_key(cipher_suite suite, std::span<const std::uint8_t> key, std::span<const std::uint8_t, aead_nonce_size> iv)
    : context_(EVP_AEAD_CTX_new(algorithm(suite), key.data(), key.size(), aead_tag_size)) {
    std::copy(iv.begin(), iv.end(), iv_.begin());
}

std::array<std::uint8_t, aead_nonce_size> aead_key::nonce_of(std::uint64_t number) const {
    auto nonce = iv_;
    for (std::size_t i = 0; i < 8; ++i) nonce[aead_nonce_size - 1 - i] ^= static_cast<std::uint8_t>(number >> (8 * i));
    return nonce;
}

bool aead_key::seal(std::span<std::uint8_t> buffer, std::span<const std::uint8_t> associated, std::uint64_t number) const {
    return seal(buffer, associated, nonce_of(number));
}

bool aead_key::open(std::span<std::uint8_t> buffer, std::span<const std::uint8_t> associated, std::uint64_t number) const {
    return open(buffer, associated, nonce_of(number));
}

bool aead_key::seal(std::span<std::uint8_t> buffer, std::span<const std::uint8_t> associated, nonce_span nonce) const {
    if (!context_ || buffer.size() < aead_tag_size) return false;
    auto size = buffer.size() - aead_tag_size;
    std::size_t tag_size = 0;
    return EVP_AEAD_CTX_seal_scatter(context_.get(), buffer.data(), buffer.data() + size, &tag_size, aead_tag_size, nonce.data(),
                                     nonce.size(), buffer.data(), size, nullptr, 0, associated.data(), associated.size()) == 1;
}

bool aead_key::open(std::span<std::uint8_t> buffer, std::span<const std::uint8_t> associated, nonce_span nonce) const {
    if (!context_ || buffer.size() < aead_tag_size) return false;
    auto size = buffer.size() - aead_tag_size;
    return EVP_AEAD_CTX_open_gather(context_.get(), buffer.data(), nonce.data(), nonce.size(), buffer.data(), size,
                                    buffer.data() + size, aead_tag_size, associated.data(), associated.size()) == 1;
}

}  // namespace tandem::tls
