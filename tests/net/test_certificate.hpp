// A certificate for localhost that signs itself, and TLS contexts with it: one per test program.
#pragma once

#include <chrono>
#include <memory>
#include <stdexcept>

#include <tandem/tls/context.hpp>

namespace tandem::test {

inline const tls::certificate& certificate() {
    static const tls::certificate made = [] {
        auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
        tls::self_signed_options options;
        options.not_before = now - 3600;
        options.not_after = now + 3600;
        tls::error why;
        auto c = tls::self_signed(options, why);
        if (!c) throw std::runtime_error(why.text);
        return *c;
    }();
    return made;
}

inline std::shared_ptr<const tls::server_context> server_context() {
    tls::server_options options;
    options.certificate = certificate();
    tls::error why;
    auto context = tls::server_context::create(options, why);
    if (!context) throw std::runtime_error(why.text);
    return context;
}

// Trusts that certificate and nothing else.
inline std::shared_ptr<const tls::client_context> client_context() {
    tls::client_options options;
    options.ca_pem = certificate().chain_pem;
    tls::error why;
    auto context = tls::client_context::create(options, why);
    if (!context) throw std::runtime_error(why.text);
    return context;
}

}  // namespace tandem::test
