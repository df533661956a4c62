#include <tandem/tls/hkdf.hpp>

#include <algorithm>

#include <openssl/digest.h>
#include <openssl/hkdf.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>

namespace tandem::tls {
namespace {

const EVP_MD* digest(cipher_suite suite) { return suite == cipher_suite::aes_256_gcm_sha384 ? EVP_sha384() : EVP_sha256(); }

}  // namespace

void hkdf_extract(cipher_suite suite, std::span<std::uint8_t> out, std::span<const std::uint8_t> salt,
                  std::span<const std::uint8_t> input) {
    std::size_t size = 0;
    HKDF_extract(out.data(), &size, digest(suite), input.data(), input.size(), salt.data(), salt.size());
}

void hkdf_expand_label(cipher_suite suite, std::span<std::uint8_t> out, std::span<const std::uint8_t> secret,
                       std::string_view label) {
    // RFC 8446 7.1: HkdfLabel { uint16 length; opaque label<7..255> = "tls13 " + label; opaque context<0..255> = "" }
    constexpr std::string_view prefix = "tls13 ";
    std::array<std::uint8_t, 2 + 1 + 255 + 1> info{};
    label = label.substr(0, 200);
    info[0] = static_cast<std::uint8_t>(out.size() >> 8);
    info[1] = static_cast<std::uint8_t>(out.size());
    info[2] = static_cast<std::uint8_t>(prefix.size() + label.size());
    auto* end = std::copy(prefix.begin(), prefix.end(), info.data() + 3);
    end = std::copy(label.begin(), label.end(), end);
    *end++ = 0;
    HKDF_expand(out.data(), out.size(), digest(suite), secret.data(), secret.size(), info.data(),
                static_cast<std::size_t>(end - info.data()));
}

std::array<std::uint8_t, 32> hmac_sha256(std::span<const std::uint8_t> key, std::span<const std::uint8_t> data) {
    std::array<std::uint8_t, 32> out{};
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), key.size(), data.data(), data.size(), out.data(), &size);
    return out;
}

bool equal_constant_time(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace tandem::tls
