// TLS contexts for simulated hosts: made once, shared by every run.
#pragma once

#include <memory>
#include <string>

#include <tandem/tls/context.hpp>

namespace tandem::sim {

// A server with an Ed25519 certificate for `server_name` (signatures of one length, so every handshake has the same sizes) and a
// client that trusts exactly that certificate and verifies it, at a wall clock that does not move. No session tickets.
struct credentials {
    static constexpr const char* server_name = "server.example";

    std::shared_ptr<const tls::server_context> server;
    std::shared_ptr<const tls::client_context> client;

    // The key log gets the client's SSLKEYLOGFILE lines; it may be empty. Nothing (and why) only if the TLS library fails.
    static std::optional<credentials> make(tls::error& why, tls::key_log key_log = {});
};

}  // namespace tandem::sim
