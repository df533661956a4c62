// Why a TLS context or session could not be made, or failed, in words for a person.
#pragma once

#include <cstdint>
#include <string>

namespace tandem::tls {

enum class error_code : std::uint8_t {
    none,
    file,          // missing or unreadable; the text names it and says why
    certificate,   // a file or text without a usable certificate
    private_key,   // a file or text without a usable private key, or one that does not belong to the certificate
    option,        // an argument that makes no sense, for example verification without a server name
    verification,  // the peer's certificate was not accepted
    protocol,      // the peer broke TLS, or sent a fatal alert
    internal,      // BoringSSL could not do what was asked; should not happen
};

struct error {
    error_code code = error_code::none;
    std::string text;  // one line, no final full stop, for example "certificate is for other.example, not localhost"

    explicit operator bool() const { return code != error_code::none; }
};

}  // namespace tandem::tls
