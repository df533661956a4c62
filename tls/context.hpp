// What TLS sessions of one kind share: certificates, trust, ticket keys, key log. Immutable once made, so sessions on any
// thread may share one. Serves QUIC (quic_handshake, TLS 1.3 only) and byte streams (record_session, TLS 1.2 and 1.3) alike.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <tandem/tls/certificate.hpp>
#include <tandem/tls/error.hpp>

struct ssl_ctx_st;

namespace tandem::tls {

// Called with each SSLKEYLOGFILE line, without the line end. May be called from every thread that runs a session.
using key_log = std::function<void(std::string_view line)>;

struct client_options {
    // Checks the chain against trusted roots and the certificate's names against the session's server name.
    // With false anybody can pretend to be the server.
    bool verify = true;
    std::string ca_file;  // PEM file of trusted roots; empty: the system's (/etc/ssl/certs/ca-certificates.crt)
    std::string ca_pem;   // PEM text of trusted roots instead of a file
    std::optional<tls::certificate> certificate;  // shown to servers that ask for one
    // Seconds since 1970 that certificates and tickets are judged at; nothing: the system's clock. The simulator gives it.
    std::optional<std::int64_t> wall_clock;
    std::function<std::int64_t()> clock;  // the same where time must move on; goes before wall_clock
    tls::key_log key_log;
};

struct server_options {
    tls::certificate certificate;
    // Key material for session tickets, shared by the servers that accept each other's; nothing: random, renewed every two days.
    // Each context remembers by itself which tickets brought early data, so servers that share keys accept a copy of early data
    // once each (RFC 8446 8): let only one of them accept it at all, or only what may be repeated.
    std::optional<std::array<std::uint8_t, 48>> ticket_keys;
    // PEM text of the roots that clients' certificates must come from. Not empty: every client must show one (RFC 8446 4.3.2).
    std::string client_ca_pem;
    std::size_t tickets = 2;  // sent after a full handshake; 0: none. At most 16
    std::optional<std::int64_t> wall_clock;
    std::function<std::int64_t()> clock;  // see client_options
    tls::key_log key_log;
};

class context_state;

class client_context {
public:
    // Nothing on error: a file of roots that is missing or holds no certificate.
    static std::shared_ptr<const client_context> create(const client_options& options, error& why);
    ~client_context();
    client_context(const client_context&) = delete;
    client_context& operator=(const client_context&) = delete;

    bool verifies() const;
    ssl_ctx_st* native() const;  // for tls/ only

private:
    explicit client_context(std::unique_ptr<context_state> state);
    std::unique_ptr<context_state> state_;
};

class server_context {
public:
    // Nothing on error: no certificate or key in the text, or a key that belongs to another certificate.
    static std::shared_ptr<const server_context> create(const server_options& options, error& why);
    ~server_context();
    server_context(const server_context&) = delete;
    server_context& operator=(const server_context&) = delete;

    ssl_ctx_st* native() const;  // for tls/ only

private:
    explicit server_context(std::unique_ptr<context_state> state);
    std::unique_ptr<context_state> state_;
};

}  // namespace tandem::tls
