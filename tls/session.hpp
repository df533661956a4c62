// What one client or server session is told when it is made; the same for QUIC and for byte streams.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tandem::tls {

// A ticket with its secrets, serialised: what a client keeps to resume a session. Treat it as a secret.
using session_ticket = std::vector<std::uint8_t>;

struct client_session_options {
    // A DNS name or an IP address without brackets: what the certificate must be for. Sent as SNI if it is a DNS name.
    // Must not be empty if the context verifies.
    std::string server_name;
    std::vector<std::string> alpn;  // offered, in order of preference; each 1 to 255 bytes. Empty: none offered
    session_ticket ticket;          // of an earlier session with this server; empty or unusable: a full handshake
    // QUIC: offer early data (0-RTT) if the ticket permits it. An observer can send a copy of it to the server (RFC 8446 8).
    bool early_data = false;
};

struct server_session_options {
    // In order of preference: the first that the client offers is selected. If it offers none of them, or nothing, while this
    // is not empty, the handshake fails with no_application_protocol (RFC 7301 3.2, RFC 9001 8.1).
    std::vector<std::string> alpn;
    // A ticket resumes only where this is what it was where the ticket was given out. At most 32 bytes.
    std::string session_context;
    // QUIC: not empty: accept early data that comes with a ticket which was given out where this was the same, once for each
    // ticket. It should stand for all that the client remembers: transport parameters and the application's settings (RFC
    // 9001 4.6.1).
    std::vector<std::uint8_t> early_data_context;
};

}  // namespace tandem::tls
