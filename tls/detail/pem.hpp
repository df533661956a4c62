// Private to tls/: PEM text and files.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <tandem/tls/error.hpp>

namespace tandem::tls::detail {

std::optional<std::string> read_file(const std::string& name, error& why);

// `what` names the text in errors: a file, or "certificate". At least one certificate, else nothing.
std::vector<bssl::UniquePtr<X509>> parse_certificates(const std::string& pem, const std::string& what, error& why);
bssl::UniquePtr<EVP_PKEY> parse_private_key(const std::string& pem, const std::string& what, error& why);

// Whether the key belongs to the first certificate.
bool check_pair(const std::vector<bssl::UniquePtr<X509>>& chain, EVP_PKEY* key, const std::string& what, error& why);

}  // namespace tandem::tls::detail
