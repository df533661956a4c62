#include <tandem/http/quic_server.hpp>

#include <tandem/http/http3_server.hpp>
#include <tandem/http/quic_transport.hpp>

namespace tandem::http {

struct quic_server::state {
    state(quic::connection& connection, const limits& limit) : transport(connection), http(transport, limit) {}

    quic_transport transport;
    http3_server http;
};

quic_server::quic_server(quic::connection& connection, const limits& limit)
    : state_(std::make_unique<state>(connection, limit)) {}
quic_server::~quic_server() = default;
quic_server::quic_server(quic_server&&) noexcept = default;
quic_server& quic_server::operator=(quic_server&&) noexcept = default;

void quic_server::on_event(const quic::connection_event& event, time_point now) {
    auto why = state_->transport.take(event, now);
    if (!why) return;
    state_->http.pump(now);  // what came before the end can still be read
    state_->http.connection_lost(*why, now);
}

void quic_server::pump(time_point now) {
    state_->transport.set_now(now);
    state_->http.pump(now);
}
server_session& quic_server::session() { return state_->http; }
const std::optional<session_error>& quic_server::error() const { return state_->http.error(); }

}  // namespace tandem::http
