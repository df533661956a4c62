#include <tandem/tls/detail/pem.hpp>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace tandem::tls::detail {
namespace {

constexpr std::size_t max_file_size = 16 << 20;  // all the world's root certificates are a quarter of a megabyte

struct close_file {
    void operator()(std::FILE* f) const { std::fclose(f); }
};

void file_error(const std::string& name, int number, error& why) {
    why = {error_code::file, "cannot read " + name + ": " + std::generic_category().message(number)};
}

int refuse_password(char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return 0;
}

}  // namespace

std::optional<std::string> read_file(const std::string& name, error& why) {
    std::unique_ptr<std::FILE, close_file> file(std::fopen(name.c_str(), "rb"));
    if (!file) {
        file_error(name, errno, why);
        return std::nullopt;
    }
    std::string text;
    char buffer[16384];
    while (auto n = std::fread(buffer, 1, sizeof buffer, file.get())) {
        text.append(buffer, n);
        if (text.size() > max_file_size) {
            why = {error_code::file, name + " is too large for a PEM file"};
            return std::nullopt;
        }
    }
    if (std::ferror(file.get()) != 0) {
        file_error(name, errno, why);
        return std::nullopt;
    }
    return text;
}

std::vector<bssl::UniquePtr<X509>> parse_certificates(const std::string& pem, const std::string& what, error& why) {
    std::vector<bssl::UniquePtr<X509>> found;
    bssl::UniquePtr<BIO> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    ERR_clear_error();
    while (auto* certificate = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)) found.emplace_back(certificate);
    auto last = ERR_peek_last_error();
    ERR_clear_error();
    bool ended = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
    if (!ended) {
        found.clear();
        why = {error_code::certificate, what + " contains a damaged certificate"};
    } else if (found.empty()) {
        why = {error_code::certificate, what + " contains no certificate in PEM form"};
    }
    return found;
}

bssl::UniquePtr<EVP_PKEY> parse_private_key(const std::string& pem, const std::string& what, error& why) {
    bssl::UniquePtr<BIO> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    ERR_clear_error();
    bool encrypted = false;
    bssl::UniquePtr<EVP_PKEY> key(PEM_read_bio_PrivateKey(in.get(), nullptr, refuse_password, &encrypted));
    auto last = ERR_peek_last_error();
    ERR_clear_error();
    if (key) return key;
    if (encrypted) {
        why = {error_code::private_key, what + " is encrypted; a key without a passphrase is needed"};
    } else if (ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE) {
        why = {error_code::private_key, what + " contains no private key in PEM form"};
    } else {
        why = {error_code::private_key, what + " contains a damaged private key"};
    }
    return nullptr;
}

bool check_pair(const std::vector<bssl::UniquePtr<X509>>& chain, EVP_PKEY* key, const std::string& what, error& why) {
    bool match = X509_check_private_key(chain.front().get(), key) == 1;
    ERR_clear_error();
    if (!match) why = {error_code::private_key, what + " does not belong to the certificate"};
    return match;
}

}  // namespace tandem::tls::detail
