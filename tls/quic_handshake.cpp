#include <tandem/tls/quic_handshake.hpp>

#include <algorithm>
#include <deque>

#include <openssl/err.h>

#include <tandem/tls/detail/ssl.hpp>

namespace tandem::tls {

static_assert(static_cast<int>(level::initial) == ssl_encryption_initial);
static_assert(static_cast<int>(level::early_data) == ssl_encryption_early_data);
static_assert(static_cast<int>(level::handshake) == ssl_encryption_handshake);
static_assert(static_cast<int>(level::application) == ssl_encryption_application);

class quic_handshake::state : public detail::session_state {
public:
    std::shared_ptr<const client_context> client;
    std::shared_ptr<const server_context> server;
    bssl::UniquePtr<SSL> ssl;
    std::array<std::vector<std::uint8_t>, level_count> output;
    std::deque<installed_secret> secrets;
    bool complete = false;
    bool failed = false;
    early_data_state early = early_data_state::none;

    static state* of(SSL* ssl) { return static_cast<state*>(detail::session_of(ssl)); }
    static const SSL_QUIC_METHOD method;

    bool prepare(std::span<const std::uint8_t> transport_parameters, error& why);
    bool fail(std::uint8_t default_alert);
    bool advance();

private:
    static int add_secret(SSL* ssl, ssl_encryption_level_t level, const SSL_CIPHER* cipher, const std::uint8_t* secret,
                          std::size_t size, installed_secret::use direction);
    static int on_read_secret(SSL* ssl, ssl_encryption_level_t level, const SSL_CIPHER* cipher, const std::uint8_t* secret,
                              std::size_t size) {
        return add_secret(ssl, level, cipher, secret, size, installed_secret::use::read);
    }
    static int on_write_secret(SSL* ssl, ssl_encryption_level_t level, const SSL_CIPHER* cipher, const std::uint8_t* secret,
                               std::size_t size) {
        return add_secret(ssl, level, cipher, secret, size, installed_secret::use::write);
    }
    static int on_handshake_data(SSL* ssl, ssl_encryption_level_t level, const std::uint8_t* data, std::size_t size) {
        auto& out = of(ssl)->output[level];
        out.insert(out.end(), data, data + size);
        return 1;
    }
    static int on_flush(SSL*) { return 1; }
    static int on_alert(SSL* ssl, ssl_encryption_level_t, std::uint8_t alert) {
        of(ssl)->alert = alert;
        return 1;
    }
};

const SSL_QUIC_METHOD quic_handshake::state::method = {on_read_secret, on_write_secret, on_handshake_data, on_flush, on_alert};

int quic_handshake::state::add_secret(SSL* ssl, ssl_encryption_level_t level, const SSL_CIPHER* cipher,
                                      const std::uint8_t* secret, std::size_t size, installed_secret::use direction) {
    installed_secret installed{static_cast<tls::level>(level), direction, cipher_suite{SSL_CIPHER_get_protocol_id(cipher)}, {}};
    if (size != hash_size(installed.suite)) return 0;
    std::copy_n(secret, size, installed.bytes.begin());
    of(ssl)->secrets.push_back(installed);
    return 1;
}

bool quic_handshake::state::prepare(std::span<const std::uint8_t> transport_parameters, error& why) {
    auto* s = ssl.get();
    SSL_set_quic_use_legacy_codepoint(s, 0);
    // RFC 9001 4.2: TLS 1.3 or later.
    bool done = SSL_set_min_proto_version(s, TLS1_3_VERSION) == 1 && SSL_set_quic_method(s, &method) == 1 &&
                SSL_set_quic_transport_params(s, transport_parameters.data(), transport_parameters.size()) == 1;
    if (!done) why = {error_code::internal, "cannot make a QUIC handshake: " + detail::take_error_text()};
    return done;
}

bool quic_handshake::state::fail(std::uint8_t default_alert) {
    failed = true;
    if (!alert) alert = default_alert;
    detail::explain_failure(*this);
    return false;
}

bool quic_handshake::state::advance() {
    auto* s = ssl.get();
    const detail::time_scope time(s);
    while (!complete) {
        const int result = SSL_do_handshake(s);
        if (result == 1) {
            // It also returns at the point from which early data can flow, to be called again.
            if (SSL_in_early_data(s) == 1) early = SSL_is_server(s) == 1 ? early_data_state::accepted : early_data_state::offered;
            complete = SSL_in_init(s) == 0;
            continue;
        }
        const int why = SSL_get_error(s, result);
        if (why == SSL_ERROR_WANT_READ) return true;
        if (why != SSL_ERROR_EARLY_DATA_REJECTED) return fail(SSL_AD_INTERNAL_ERROR);
        early = early_data_state::rejected;
        SSL_reset_early_data_reject(s);
    }
    if (early_data_offered && early == early_data_state::none) early = early_data_state::rejected;
    if (early == early_data_state::offered) early = early_data_state::accepted;
    return SSL_process_quic_post_handshake(ssl.get()) == 1 || fail(SSL_AD_INTERNAL_ERROR);
}

quic_handshake::quic_handshake(std::unique_ptr<state> s) : state_(std::move(s)) {}
quic_handshake::~quic_handshake() = default;

std::unique_ptr<quic_handshake> quic_handshake::client(std::shared_ptr<const client_context> context,
                                                       const client_session_options& options,
                                                       std::span<const std::uint8_t> transport_parameters, error& why) {
    auto s = std::make_unique<state>();
    s->client = std::move(context);
    s->ssl = detail::new_client(*s->client, options, *s, why);
    if (!s->ssl) return nullptr;
    if (options.alpn.empty()) {  // RFC 9001 8.1
        why = {error_code::option, "QUIC needs an application protocol"};
        return nullptr;
    }
    if (!s->prepare(transport_parameters, why)) return nullptr;
    SSL_set_early_data_enabled(s->ssl.get(), options.early_data ? 1 : 0);
    if (!s->advance()) {
        why = s->failure;
        return nullptr;
    }
    return std::unique_ptr<quic_handshake>(new quic_handshake(std::move(s)));
}

std::unique_ptr<quic_handshake> quic_handshake::server(std::shared_ptr<const server_context> context,
                                                       const server_session_options& options,
                                                       std::span<const std::uint8_t> transport_parameters, error& why) {
    auto s = std::make_unique<state>();
    s->server = std::move(context);
    s->ssl = detail::new_server(*s->server, options, *s, why);
    if (!s->ssl) return nullptr;
    if (options.alpn.empty()) {
        why = {error_code::option, "QUIC needs an application protocol"};
        return nullptr;
    }
    if (!s->prepare(transport_parameters, why)) return nullptr;
    if (const auto& accepts = options.early_data_context; !accepts.empty()) {
        SSL_set_early_data_enabled(s->ssl.get(), 1);
        if (SSL_set_quic_early_data_context(s->ssl.get(), accepts.data(), accepts.size()) != 1) {
            why = {error_code::internal, "cannot make a QUIC handshake: " + detail::take_error_text()};
            return nullptr;
        }
    }
    return std::unique_ptr<quic_handshake>(new quic_handshake(std::move(s)));
}

void quic_handshake::set_parameter_chooser(parameter_chooser chooser) {
    state_->choose_parameters = [s = state_.get(), chooser = std::move(chooser)](std::span<const std::uint8_t> peers) {
        return chooser(peers, s->early_data_offered);
    };
}

bool quic_handshake::provide(tls::level level, std::span<const std::uint8_t> bytes) {
    if (state_->failed) return false;
    ERR_clear_error();
    // Refused are bytes of a level whose time is not now, and more than a flight can have.
    if (SSL_provide_quic_data(state_->ssl.get(), static_cast<ssl_encryption_level_t>(level), bytes.data(), bytes.size()) != 1) {
        return state_->fail(SSL_AD_UNEXPECTED_MESSAGE);
    }
    return state_->advance();
}

std::span<const std::uint8_t> quic_handshake::output(tls::level level) const {
    return state_->output[static_cast<std::size_t>(level)];
}

void quic_handshake::discard_output(tls::level level) { state_->output[static_cast<std::size_t>(level)].clear(); }

std::optional<installed_secret> quic_handshake::poll_secret() {
    if (state_->secrets.empty()) return std::nullopt;
    auto secret = state_->secrets.front();
    state_->secrets.pop_front();
    return secret;
}

bool quic_handshake::complete() const { return state_->complete; }
bool quic_handshake::resumed() const { return SSL_session_reused(state_->ssl.get()) == 1; }
early_data_state quic_handshake::early_data() const {
    const bool answered = state_->early == early_data_state::offered && !peer_transport_parameters().empty();
    if (!answered) return state_->early;
    return SSL_early_data_accepted(state_->ssl.get()) == 1 ? early_data_state::accepted : early_data_state::rejected;
}
bool quic_handshake::failed() const { return state_->failed; }
std::optional<std::uint8_t> quic_handshake::alert() const { return state_->alert; }
const error& quic_handshake::failure() const { return state_->failure; }

std::span<const std::uint8_t> quic_handshake::peer_transport_parameters() const {
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
    SSL_get_peer_quic_transport_params(state_->ssl.get(), &data, &size);
    return {data, size};
}

std::string_view quic_handshake::alpn() const { return detail::selected_protocol(state_->ssl.get()); }
std::string_view quic_handshake::server_name() const { return detail::requested_name(state_->ssl.get(), *state_); }

std::optional<cipher_suite> quic_handshake::suite() const {
    const auto* cipher = SSL_get_pending_cipher(state_->ssl.get());
    if (cipher == nullptr) cipher = SSL_get_current_cipher(state_->ssl.get());
    if (cipher == nullptr) return std::nullopt;
    return cipher_suite{SSL_CIPHER_get_protocol_id(cipher)};
}

std::optional<session_ticket> quic_handshake::poll_ticket() {
    if (state_->tickets.empty()) return std::nullopt;
    auto ticket = std::move(state_->tickets.front());
    state_->tickets.pop_front();
    return ticket;
}

}  // namespace tandem::tls
