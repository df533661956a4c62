#include <tandem/http/byte_stream_client.hpp>

#include <utility>

#include <tandem/http/byte_stream_core.hpp>
#include <tandem/http/http1_client.hpp>
#include <tandem/http/http2_client.hpp>
#include <tandem/http/http3_client.hpp>

namespace tandem::http {

struct byte_stream_client::state {
    state(std::unique_ptr<tls::record_session> tls, const tls::error& why, byte_stream_client_config c, time_point now)
        : config(std::move(c)),
          core(
              std::move(tls), why, config.max_record_size,
              [this](std::string_view alpn, time_point at) { return make(alpn, at); }, now) {}

    std::unique_ptr<plaintext_peer> make(std::string_view alpn, time_point now) {
        if (alpn == alpn_h3_qmux) {
            auto peer = std::make_unique<qmux_peer<http3_client>>(quic::perspective::client, config.qmux, config.limits, now);
            session = &peer->session();
            return peer;
        }
        if (alpn == alpn_h2) {
            auto http2 = std::make_unique<http2_client>(config.limits);
            session = http2.get();
            return std::make_unique<http2_peer<http2_client>>(std::move(http2));
        }
        auto http1 = std::make_unique<http1_client>(config.limits);
        session = http1.get();
        return std::make_unique<http1_peer<http1_client>>(std::move(http1));
    }

    byte_stream_client_config config;
    client_session* session = nullptr;
    byte_stream_core core;
};

byte_stream_client::byte_stream_client(std::shared_ptr<const tls::client_context> context, std::string server_name,
                                       byte_stream_client_config config, time_point now) {
    tls::error why;
    auto tls = tls::record_session::client(std::move(context),
                                           {.server_name = std::move(server_name), .alpn = config.alpn, .ticket = config.ticket},
                                           {.max_record_size = config.max_record_size}, why);
    state_ = std::make_unique<state>(std::move(tls), why, std::move(config), now);
}

byte_stream_client::~byte_stream_client() = default;
byte_stream_client::byte_stream_client(byte_stream_client&&) noexcept = default;
byte_stream_client& byte_stream_client::operator=(byte_stream_client&&) noexcept = default;

void byte_stream_client::receive(std::span<const std::uint8_t> ciphertext, std::span<const byte_times> times, time_point now) {
    state_->core.receive(ciphertext, times, now);
}
void byte_stream_client::receive_end(time_point now) { state_->core.receive_end(now); }
std::size_t byte_stream_client::transmit(std::span<std::uint8_t> out, time_point now) { return state_->core.transmit(out, now); }
bool byte_stream_client::finished_sending() const { return state_->core.finished_sending(); }
bool byte_stream_client::wants_to_receive() const { return state_->core.wants_to_receive(); }
std::optional<time_point> byte_stream_client::next_timeout() const { return state_->core.next_timeout(); }
void byte_stream_client::on_timeout(time_point now) { state_->core.on_timeout(now); }
client_session* byte_stream_client::session() { return state_->session; }
bool byte_stream_client::handshake_complete() const { return state_->core.handshake_complete(); }
bool byte_stream_client::resumed() const { return state_->core.resumed(); }
std::optional<tls::session_ticket> byte_stream_client::poll_ticket() { return state_->core.poll_ticket(); }
std::string_view byte_stream_client::alpn() const { return state_->core.alpn(); }
const std::optional<session_error>& byte_stream_client::error() const { return state_->core.error(); }

}  // namespace tandem::http
