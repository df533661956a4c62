// The server's counterpart of quic_client.
#pragma once

#include <memory>
#include <optional>

#include <tandem/bytes/time.hpp>
#include <tandem/http/error.hpp>
#include <tandem/http/limits.hpp>
#include <tandem/http/server_session.hpp>
#include <tandem/quic/connection.hpp>
#include <tandem/quic/event.hpp>

namespace tandem::http {

class quic_server {
public:
    explicit quic_server(quic::connection& connection, const limits& = {});
    ~quic_server();
    quic_server(quic_server&&) noexcept;
    quic_server& operator=(quic_server&&) noexcept;

    // As in quic_client; pump() again after the session's events were taken.
    void on_event(const quic::connection_event&, time_point now);
    void pump(time_point now);

    server_session& session();
    const std::optional<session_error>& error() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace tandem::http
