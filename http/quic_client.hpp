// HTTP/3 over one QUIC connection. The endpoint owns the connection and moves its datagrams; this object turns its events
// into HTTP and back.
#pragma once

#include <memory>
#include <optional>

#include <tandem/bytes/time.hpp>
#include <tandem/http/client_session.hpp>
#include <tandem/http/error.hpp>
#include <tandem/http/limits.hpp>
#include <tandem/quic/connection.hpp>
#include <tandem/quic/event.hpp>

namespace tandem::http {

class quic_client {
public:
    // The connection must outlive this object. It may still be in its handshake: requests wait for it.
    explicit quic_client(quic::connection& connection, const limits& = {});
    ~quic_client();
    quic_client(quic_client&&) noexcept;
    quic_client& operator=(quic_client&&) noexcept;

    // Pass every event of the connection, then pump() once.
    void on_event(const quic::connection_event&, time_point now);
    // Moves bytes between HTTP and the streams. Call after events, and after the session was given work; then let the connection
    // transmit.
    void pump(time_point now);

    client_session& session();
    // The connection is over. Requests have failed by then.
    const std::optional<session_error>& error() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace tandem::http
