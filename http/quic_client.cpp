#include <tandem/http/quic_client.hpp>

#include <tandem/http/http3_client.hpp>
#include <tandem/http/quic_transport.hpp>

namespace tandem::http {

struct quic_client::state {
    state(quic::connection& connection, const limits& limit) : transport(connection), http(transport, limit) {}

    quic_transport transport;
    http3_client http;
};

quic_client::quic_client(quic::connection& connection, const limits& limit)
    : state_(std::make_unique<state>(connection, limit)) {}
quic_client::~quic_client() = default;
quic_client::quic_client(quic_client&&) noexcept = default;
quic_client& quic_client::operator=(quic_client&&) noexcept = default;

void quic_client::on_event(const quic::connection_event& event, time_point now) {
    auto why = state_->transport.take(event, now);
    if (!why) return;
    state_->http.pump(now);  // what came before the end can still be read
    state_->http.connection_lost(*why, now);
}

void quic_client::pump(time_point now) {
    state_->transport.set_now(now);
    state_->http.pump(now);
}
client_session& quic_client::session() { return state_->http; }
const std::optional<session_error>& quic_client::error() const { return state_->http.error(); }

}  // namespace tandem::http
