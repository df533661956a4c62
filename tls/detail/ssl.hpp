// Private to tls/: what its sources share over BoringSSL. Included by no public header.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/ssl.h>

#include <tandem/tls/context.hpp>
#include <tandem/tls/detail/ticket_keys.hpp>
#include <tandem/tls/error.hpp>
#include <tandem/tls/session.hpp>

namespace tandem::tls {

class context_state {
public:
    bssl::UniquePtr<SSL_CTX> ctx;
    tls::key_log key_log;
    bool verifies = false;
    std::optional<std::int64_t> wall_clock;
    std::function<std::int64_t()> clock;
    std::unique_ptr<detail::ticket_keys> tickets;  // server

    std::int64_t now() const;  // seconds since 1970
};

namespace detail {

// A server may send tickets without end; the client keeps the first few that nobody took.
constexpr std::size_t max_waiting_tickets = 8;

// What the callbacks of one SSL object write into.
struct session_state {
    std::string server_name;              // client: as asked for, without a final dot
    std::vector<std::uint8_t> protocols;  // server: its ALPN list, as on the wire
    bool verifies = false;
    error failure;
    std::optional<std::uint8_t> alert;
    bool alert_received = false;
    std::deque<session_ticket> tickets;
    bool early_data_offered = false;  // server: the ClientHello says that early data follows
    // Server, QUIC: sees the client's transport parameters before anything is answered; what it returns replaces ours, unless
    // empty.
    std::function<std::vector<std::uint8_t>(std::span<const std::uint8_t>)> choose_parameters;
};

// Connect an SSL_CTX with its context_state, and make the callbacks known that find a session_state by its SSL.
bool attach(context_state& state);
void install_verification(SSL_CTX* ctx);
void install_tickets(SSL_CTX* ctx);  // server
context_state* context_of(const SSL_CTX* ctx);
session_state* session_of(const SSL* ssl);

// While one of these lives, BoringSSL takes the time from the session's context, if that has a clock of its own: around all that
// may judge the age of a ticket.
class time_scope {
public:
    explicit time_scope(const SSL* ssl);
    ~time_scope();
    time_scope(const time_scope&) = delete;
    time_scope& operator=(const time_scope&) = delete;

private:
    const context_state* before_;
};

// An SSL object for one session, its callbacks bound to `session`, which must outlive it. Null on error.
bssl::UniquePtr<SSL> new_client(const client_context& context, const client_session_options& options, session_state& session,
                                error& why);
bssl::UniquePtr<SSL> new_server(const server_context& context, const server_session_options& options, session_state& session,
                                error& why);

// What the selected protocol, or a client's SNI, is; views into the SSL object.
std::string_view selected_protocol(const SSL* ssl);
std::string_view requested_name(const SSL* ssl, const session_state& session);

// Fills in session.failure, unless something better is known already, from the alert or BoringSSL's error queue.
void explain_failure(session_state& session);
// The oldest error in BoringSSL's queue in words, for example "wrong version number"; empties the queue.
std::string take_error_text();
// Text of a peer's for a message to a person: printable, and not long.
std::string printable(std::string_view text);

}  // namespace detail
}  // namespace tandem::tls
