#include <tandem/tls/header_mask.hpp>

#include <algorithm>

#include <openssl/aes.h>
#include <openssl/chacha.h>

namespace tandem::tls {

struct header_mask::schedule {
    bool chacha = false;
    AES_KEY aes{};
    std::array<std::uint8_t, 32> key{};
};

header_mask::header_mask(cipher_suite suite, std::span<const std::uint8_t> key) {
    auto made = std::make_shared<schedule>();
    made->chacha = suite == cipher_suite::chacha20_poly1305_sha256;
    if (made->chacha) {
        std::copy_n(key.begin(), std::min(key.size(), made->key.size()), made->key.begin());
    } else if (AES_set_encrypt_key(key.data(), static_cast<unsigned>(key.size() * 8), &made->aes) != 0) {
        return;
    }
    schedule_ = std::move(made);
}

std::array<std::uint8_t, 5> header_mask::operator()(std::span<const std::uint8_t, header_sample_size> sample) const {
    std::array<std::uint8_t, 5> mask{};
    if (!schedule_) return mask;
    if (schedule_->chacha) {
        // RFC 9001 5.4.4: four bytes of block counter, little endian, and twelve of nonce.
        std::uint32_t counter = 0;
        for (std::size_t i = 0; i < 4; ++i) counter |= std::uint32_t{sample[i]} << (8 * i);
        CRYPTO_chacha_20(mask.data(), mask.data(), mask.size(), schedule_->key.data(), sample.data() + 4, counter);
        return mask;
    }
    std::array<std::uint8_t, AES_BLOCK_SIZE> block;  // RFC 9001 5.4.3
    AES_encrypt(sample.data(), block.data(), &schedule_->aes);
    std::copy_n(block.begin(), mask.size(), mask.begin());
    return mask;
}

}  // namespace tandem::tls
