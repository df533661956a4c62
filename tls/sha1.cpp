#include <tandem/tls/sha1.hpp>

#include <openssl/sha.h>

namespace tandem::tls {

std::array<std::uint8_t, 20> sha1(std::span<const std::uint8_t> data) {
    std::array<std::uint8_t, 20> digest;
    SHA1(data.data(), data.size(), digest.data());
    return digest;
}

}  // namespace tandem::tls
