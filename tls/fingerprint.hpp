// Certificates as people compare them.
#pragma once

#include <string>

#include <tandem/tls/certificate.hpp>

namespace tandem::tls {

// SHA-256 of the leaf certificate's DER form, "AB:CD:..."; empty if there is no certificate in the text.
std::string fingerprint(const certificate&);

}  // namespace tandem::tls
