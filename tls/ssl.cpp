#include <tandem/tls/detail/ssl.hpp>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <span>
#include <utility>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <tandem/bytes/address.hpp>

namespace tandem::tls::detail {
namespace {

constexpr std::size_t max_host_name = 253;  // RFC 1035 2.3.4, as text

int context_index() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

int session_index() {
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

void on_key_log(const SSL* ssl, const char* line) { context_of(SSL_get_SSL_CTX(ssl))->key_log(line); }

void on_info(const SSL* ssl, int type, int value) {
    if (type != SSL_CB_READ_ALERT && type != SSL_CB_WRITE_ALERT) return;
    auto description = static_cast<std::uint8_t>(value & 0xff);
    auto* session = session_of(ssl);
    if (description == SSL_AD_CLOSE_NOTIFY || session->alert) return;
    session->alert = description;
    session->alert_received = type == SSL_CB_READ_ALERT;
}

int on_select_protocol(SSL* ssl, const std::uint8_t** out, std::uint8_t* out_size, const std::uint8_t* in, unsigned in_size,
                       void*) {
    const auto& own = session_of(ssl)->protocols;
    if (own.empty()) return SSL_TLSEXT_ERR_NOACK;
    for (std::size_t i = 0; i < own.size(); i += 1U + own[i]) {
        auto wanted = std::span(own).subspan(i, 1U + own[i]);
        for (std::size_t j = 0; j < in_size; j += 1U + in[j]) {
            if (!std::equal(wanted.begin(), wanted.end(), in + j, in + j + 1 + in[j])) continue;
            *out = in + j + 1;
            *out_size = in[j];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // RFC 7301 3.2: no_application_protocol
}

// A ticket is only good for the server it came from, and not where certificates are checked if it comes from a session
// where they were not. So both stand before the session itself: 'v' or 'n', size of the name, name.
session_ticket ticket_prefix(const session_state& session) {
    session_ticket prefix;
    prefix.push_back(session.verifies ? 'v' : 'n');
    prefix.push_back(static_cast<std::uint8_t>(session.server_name.size()));
    prefix.insert(prefix.end(), session.server_name.begin(), session.server_name.end());
    return prefix;
}

thread_local const context_state* judging = nullptr;

// BoringSSL does not say for which session it asks.
void on_time(const SSL*, timeval* out) {
    *out = {};
    out->tv_sec = static_cast<decltype(out->tv_sec)>(judging != nullptr ? judging->now() : std::time(nullptr));
}

ssl_select_cert_result_t on_client_hello(const SSL_CLIENT_HELLO* hello) {
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
    session_of(hello->ssl)->early_data_offered =
        SSL_early_callback_ctx_extension_get(hello, TLSEXT_TYPE_early_data, &data, &size) == 1;
    const auto& choose = session_of(hello->ssl)->choose_parameters;
    constexpr std::uint16_t quic_transport_parameters = 0x39;  // RFC 9001 8.2
    if (choose && SSL_early_callback_ctx_extension_get(hello, quic_transport_parameters, &data, &size) == 1) {
        const auto ours = choose({data, size});
        if (!ours.empty() && SSL_set_quic_transport_params(hello->ssl, ours.data(), ours.size()) != 1)
            return ssl_select_cert_error;
    }
    return ssl_select_cert_success;
}

std::size_t ticket_overhead(SSL*) { return ticket_keys::overhead; }

int seal_ticket(SSL* ssl, std::uint8_t* out, std::size_t* out_size, std::size_t room, const std::uint8_t* in, std::size_t size) {
    auto* context = context_of(SSL_get_SSL_CTX(ssl));
    *out_size = size + ticket_keys::overhead;
    return room >= *out_size && context->tickets->seal({in, size}, {out, *out_size}, context->now()) ? 1 : 0;
}

ssl_ticket_aead_result_t open_ticket(SSL* ssl, std::uint8_t* out, std::size_t* out_size, std::size_t room, const std::uint8_t* in,
                                     std::size_t size) {
    auto* context = context_of(SSL_get_SSL_CTX(ssl));
    const auto now = context->now();
    if (size < ticket_keys::overhead || room < size - ticket_keys::overhead) return ssl_ticket_aead_ignore_ticket;
    *out_size = size - ticket_keys::overhead;
    if (!context->tickets->open({in, size}, {out, *out_size}, now)) return ssl_ticket_aead_ignore_ticket;
    // This is the last moment before BoringSSL decides whether it accepts early data. Resumption alone is safe (RFC 8446 8).
    if (session_of(ssl)->early_data_offered && !context->tickets->first_early_data({in, size}, now)) {
        SSL_set_early_data_enabled(ssl, 0);
    }
    return ssl_ticket_aead_success;
}

constexpr SSL_TICKET_AEAD_METHOD ticket_method = {ticket_overhead, seal_ticket, open_ticket};

int on_new_session(SSL* ssl, SSL_SESSION* received) {
    auto* session = session_of(ssl);
    if (session->tickets.size() >= max_waiting_tickets) return 0;
    std::uint8_t* data = nullptr;
    std::size_t size = 0;
    if (SSL_SESSION_to_bytes(received, &data, &size) != 1) return 0;
    bssl::UniquePtr<std::uint8_t> owner(data);
    auto ticket = ticket_prefix(*session);
    ticket.insert(ticket.end(), data, data + size);
    session->tickets.push_back(std::move(ticket));
    return 0;
}

void resume(SSL* ssl, const session_ticket& ticket, const session_state& session) {
    auto prefix = ticket_prefix(session);
    // A session whose certificate was checked serves a client that does not check.
    bool fits = ticket.size() > prefix.size() && std::equal(prefix.begin() + 1, prefix.end(), ticket.begin() + 1) &&
                (ticket[0] == 'v' || (ticket[0] == 'n' && !session.verifies));
    if (!fits) return;
    auto bytes = std::span(ticket).subspan(prefix.size());
    bssl::UniquePtr<SSL_SESSION> old(SSL_SESSION_from_bytes(bytes.data(), bytes.size(), SSL_get_SSL_CTX(ssl)));
    if (old) SSL_set_session(ssl, old.get());
    ERR_clear_error();
}

// The list as on the wire (RFC 7301 3.1).
bool encode_protocols(const std::vector<std::string>& names, std::vector<std::uint8_t>& out, error& why) {
    for (const auto& name : names) {
        if (name.empty() || name.size() > 255) {
            why = {error_code::option, "an application protocol's name must have 1 to 255 bytes"};
            return false;
        }
        out.push_back(static_cast<std::uint8_t>(name.size()));
        out.insert(out.end(), name.begin(), name.end());
    }
    if (out.size() > 0xffff - 2) why = {error_code::option, "too many application protocols"};
    return out.size() <= 0xffff - 2;
}

bool set_server_name(SSL* ssl, session_state& session, error& why) {
    const auto& name = session.server_name;
    if (name.find('\0') != std::string::npos || name.size() > max_host_name) {
        why = {error_code::option, "not a server name: " + printable(name)};
        return false;
    }
    if (name.empty()) {
        if (session.verifies) why = {error_code::option, "a certificate cannot be verified without a server name"};
        return !session.verifies;
    }
    auto* param = SSL_get0_param(ssl);
    if (auto address = ip_address::parse(name)) {  // RFC 6066 3: no literal addresses in SNI
        return X509_VERIFY_PARAM_set1_ip(param, address->bytes.data(), address->size()) == 1;
    }
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, name.data(), name.size()) == 1 && SSL_set_tlsext_host_name(ssl, name.c_str()) == 1;
}

bssl::UniquePtr<SSL> new_session(SSL_CTX* ctx, session_state& session, error& why) {
    why = {};
    ERR_clear_error();
    bssl::UniquePtr<SSL> ssl(SSL_new(ctx));
    if (!ssl || SSL_set_ex_data(ssl.get(), session_index(), &session) != 1) {
        why = {error_code::internal, "cannot make a TLS session: " + take_error_text()};
        return nullptr;
    }
    SSL_set_info_callback(ssl.get(), on_info);
    return ssl;
}

}  // namespace

bool attach(context_state& state) {
    auto* ctx = state.ctx.get();
    if (SSL_CTX_set_ex_data(ctx, context_index(), &state) != 1) return false;
    if (state.key_log) SSL_CTX_set_keylog_callback(ctx, on_key_log);
    SSL_CTX_sess_set_new_cb(ctx, on_new_session);
    SSL_CTX_set_alpn_select_cb(ctx, on_select_protocol, nullptr);
    if (state.clock || state.wall_clock) SSL_CTX_set_current_time_cb(ctx, on_time);
    return true;
}

time_scope::time_scope(const SSL* ssl) : before_(std::exchange(judging, context_of(SSL_get_SSL_CTX(ssl)))) {}
time_scope::~time_scope() { judging = before_; }

void install_tickets(SSL_CTX* ctx) {
    SSL_CTX_set_select_certificate_cb(ctx, on_client_hello);
    SSL_CTX_set_ticket_aead_method(ctx, &ticket_method);
}

context_state* context_of(const SSL_CTX* ctx) { return static_cast<context_state*>(SSL_CTX_get_ex_data(ctx, context_index())); }

session_state* session_of(const SSL* ssl) { return static_cast<session_state*>(SSL_get_ex_data(ssl, session_index())); }

bssl::UniquePtr<SSL> new_client(const client_context& context, const client_session_options& options, session_state& session,
                                error& why) {
    auto ssl = new_session(context.native(), session, why);
    if (!ssl) return nullptr;
    session.verifies = context.verifies();
    session.server_name = options.server_name;
    if (session.server_name.ends_with('.')) session.server_name.pop_back();
    std::vector<std::uint8_t> protocols;
    if (!encode_protocols(options.alpn, protocols, why)) return nullptr;
    // Returns zero on success.
    bool done = SSL_set_alpn_protos(ssl.get(), protocols.data(), static_cast<unsigned>(protocols.size())) == 0 &&
                set_server_name(ssl.get(), session, why);
    if (!done) {
        if (!why) why = {error_code::option, "cannot make a TLS session: " + take_error_text()};
        return nullptr;
    }
    resume(ssl.get(), options.ticket, session);
    SSL_set_connect_state(ssl.get());
    return ssl;
}

bssl::UniquePtr<SSL> new_server(const server_context& context, const server_session_options& options, session_state& session,
                                error& why) {
    auto ssl = new_session(context.native(), session, why);
    if (!ssl || !encode_protocols(options.alpn, session.protocols, why)) return nullptr;
    const auto* id = reinterpret_cast<const std::uint8_t*>(options.session_context.data());
    if (SSL_set_session_id_context(ssl.get(), id, options.session_context.size()) != 1) {
        why = {error_code::option, "a session context has at most 32 bytes"};
        return nullptr;
    }
    SSL_set_accept_state(ssl.get());
    return ssl;
}

std::string_view selected_protocol(const SSL* ssl) {
    const std::uint8_t* data = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl, &data, &size);
    return {reinterpret_cast<const char*>(data), size};
}

std::string_view requested_name(const SSL* ssl, const session_state& session) {
    if (SSL_is_server(ssl) == 0) return session.server_name;
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    return name != nullptr ? name : "";
}

void explain_failure(session_state& session) {
    auto text = take_error_text();
    if (session.failure) return;
    if (session.alert && session.alert_received) {
        text = std::string("the peer ended the session: ") + SSL_alert_desc_string_long(*session.alert);
    }
    session.failure = {error_code::protocol, text.empty() ? "the TLS session failed" : text};
}

std::string take_error_text() {
    auto code = ERR_get_error();
    ERR_clear_error();
    const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
    std::string text = reason != nullptr ? reason : "";
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(c == '_' ? ' ' : std::tolower(c)); });
    return text;
}

std::string printable(std::string_view text) {
    constexpr std::size_t longest = 100;
    std::string out(text.substr(0, longest));
    std::replace_if(
        out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
    return text.size() > longest ? out + "..." : out;
}

}  // namespace tandem::tls::detail
