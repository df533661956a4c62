#include <tandem/tls/context.hpp>

#include <ctime>
#include <iterator>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <tandem/tls/detail/pem.hpp>
#include <tandem/tls/detail/ssl.hpp>

namespace tandem::tls {
namespace {

constexpr const char* system_roots[] = {
    "/etc/ssl/certs/ca-certificates.crt",  // Debian and its kin
    "/etc/pki/tls/certs/ca-bundle.crt",    // Fedora and its kin
    "/etc/ssl/cert.pem",                   // Alpine, BSDs
};

// Ed25519 is not in BoringSSL's own list.
constexpr std::uint16_t verify_algorithms[] = {
    SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_ED25519,
    SSL_SIGN_RSA_PSS_RSAE_SHA256,    SSL_SIGN_RSA_PKCS1_SHA256,
    SSL_SIGN_ECDSA_SECP384R1_SHA384, SSL_SIGN_RSA_PSS_RSAE_SHA384,
    SSL_SIGN_RSA_PKCS1_SHA384,       SSL_SIGN_RSA_PSS_RSAE_SHA512,
    SSL_SIGN_RSA_PKCS1_SHA512,
};

constexpr std::size_t max_tickets = 16;  // BoringSSL's own limit

// With post-quantum key shares where the BoringSSL at hand has them (draft-ietf-tls-ecdhe-mlkem): one that has not refuses the
// whole list.
bool set_groups(SSL_CTX* ctx) {
    if (SSL_CTX_set1_curves_list(ctx, "X25519MLKEM768:X25519:P-256:P-384") == 1) return true;
    ERR_clear_error();
    return SSL_CTX_set1_curves_list(ctx, "X25519:P-256:P-384") == 1;
}

template <class Options>
std::unique_ptr<context_state> new_state(const Options& options, error& why) {
    auto state = std::make_unique<context_state>();
    state->ctx.reset(SSL_CTX_new(TLS_method()));
    state->key_log = options.key_log;
    state->wall_clock = options.wall_clock;
    state->clock = options.clock;
    auto* ctx = state->ctx.get();
    // TLS 1.2 only with forward secrecy and authenticated encryption (RFC 9325 4.2).
    if (ctx == nullptr || !detail::attach(*state) || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_strict_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 || !set_groups(ctx)) {
        why = {error_code::internal, "cannot make a TLS context: " + detail::take_error_text()};
        return nullptr;
    }
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return state;
}

std::optional<std::string> roots_pem(const client_options& options, std::string& name, error& why) {
    if (!options.ca_pem.empty()) {
        name = "the text of trusted certificates";
        return options.ca_pem;
    }
    if (!options.ca_file.empty()) {
        name = options.ca_file;
        return detail::read_file(name, why);
    }
    for (const auto* file : system_roots) {
        name = file;
        if (auto pem = detail::read_file(name, why)) return pem;
    }
    why = {error_code::file, "this system has no file of trusted certificates (" + std::string(system_roots[0]) + ")"};
    return std::nullopt;
}

bool trust(SSL_CTX* ctx, const client_options& options, error& why) {
    std::string name;
    auto pem = roots_pem(options, name, why);
    if (!pem) return false;
    auto roots = detail::parse_certificates(*pem, name, why);
    for (const auto& root : roots) X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root.get());
    ERR_clear_error();
    return !roots.empty();
}

bool use_certificate(SSL_CTX* ctx, const certificate& given, error& why) {
    auto chain = detail::parse_certificates(given.chain_pem, "the certificate", why);
    if (chain.empty()) return false;
    auto key = detail::parse_private_key(given.key_pem, "the private key", why);
    if (!key || !detail::check_pair(chain, key.get(), "the private key", why)) return false;
    bool used = SSL_CTX_use_certificate(ctx, chain.front().get()) == 1;
    for (auto it = std::next(chain.begin()); used && it != chain.end(); ++it) used = SSL_CTX_add1_chain_cert(ctx, it->get()) == 1;
    used = used && SSL_CTX_use_PrivateKey(ctx, key.get()) == 1;
    if (!used) why = {error_code::certificate, "the certificate cannot be used: " + detail::take_error_text()};
    return used;
}

}  // namespace

std::int64_t context_state::now() const {
    if (clock) return clock();
    return wall_clock ? *wall_clock : static_cast<std::int64_t>(std::time(nullptr));
}

client_context::client_context(std::unique_ptr<context_state> state) : state_(std::move(state)) {}
client_context::~client_context() = default;
bool client_context::verifies() const { return state_->verifies; }
ssl_ctx_st* client_context::native() const { return state_->ctx.get(); }

std::shared_ptr<const client_context> client_context::create(const client_options& options, error& why) {
    why = {};
    auto state = new_state(options, why);
    if (!state) return nullptr;
    auto* ctx = state->ctx.get();
    state->verifies = options.verify;
    if (options.verify && !trust(ctx, options, why)) return nullptr;
    SSL_CTX_set_verify(ctx, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    detail::install_verification(ctx);
    if (options.certificate && !use_certificate(ctx, *options.certificate, why)) return nullptr;
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (SSL_CTX_set_verify_algorithm_prefs(ctx, verify_algorithms, std::size(verify_algorithms)) != 1) {
        why = {error_code::internal, "cannot make a TLS context: " + detail::take_error_text()};
        return nullptr;
    }
    return std::shared_ptr<const client_context>(new client_context(std::move(state)));
}

server_context::server_context(std::unique_ptr<context_state> state) : state_(std::move(state)) {}
server_context::~server_context() = default;
ssl_ctx_st* server_context::native() const { return state_->ctx.get(); }

std::shared_ptr<const server_context> server_context::create(const server_options& options, error& why) {
    why = {};
    if (options.tickets > max_tickets) {
        why = {error_code::option, "more than 16 tickets"};
        return nullptr;
    }
    auto state = new_state(options, why);
    if (!state) return nullptr;
    auto* ctx = state->ctx.get();
    if (!use_certificate(ctx, options.certificate, why)) return nullptr;
    if (!options.client_ca_pem.empty()) {
        client_options trusted;
        trusted.ca_pem = options.client_ca_pem;
        if (!trust(ctx, trusted, why)) return nullptr;
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        detail::install_verification(ctx);
        if (SSL_CTX_set_verify_algorithm_prefs(ctx, verify_algorithms, std::size(verify_algorithms)) != 1) return nullptr;
        static constexpr std::uint8_t id[] = {'t', 'a', 'n', 'd', 'e', 'm'};
        SSL_CTX_set_session_id_context(ctx, id, sizeof id);
    }
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);  // tickets only: no state per client
    if (options.tickets == 0) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    } else {
        SSL_CTX_set_num_tickets(ctx, options.tickets);
    }
    state->tickets = std::make_unique<detail::ticket_keys>(options.ticket_keys, state->now());
    detail::install_tickets(ctx);
    return std::shared_ptr<const server_context>(new server_context(std::move(state)));
}

}  // namespace tandem::tls
