#include <tandem/tls/fingerprint.hpp>

#include <array>

#include <openssl/bio.h>
#include <openssl/digest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace tandem::tls {

std::string fingerprint(const certificate& c) {
    bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(c.chain_pem.data(), static_cast<int>(c.chain_pem.size())));
    bssl::UniquePtr<X509> leaf(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr);
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest;
    unsigned size = 0;
    if (!leaf || X509_digest(leaf.get(), EVP_sha256(), digest.data(), &size) != 1) return {};
    constexpr std::string_view hex = "0123456789ABCDEF";
    std::string out;
    for (unsigned i = 0; i < size; ++i) {
        if (i > 0) out += ':';
        out += hex[digest[i] >> 4];
        out += hex[digest[i] & 15];
    }
    return out;
}

}  // namespace tandem::tls
