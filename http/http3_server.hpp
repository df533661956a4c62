// HTTP/3 (RFC 9114) on any stream_transport: the server's end.
#pragma once

#include <memory>
#include <optional>

#include <tandem/http/limits.hpp>
#include <tandem/http/server_session.hpp>
#include <tandem/http/stream_transport.hpp>

namespace tandem::http {

class http3_server final : public server_session {
public:
    // The transport must outlive the session.
    explicit http3_server(stream_transport& transport, const limits& = {});
    ~http3_server() override;

    void pump(time_point now);
    void connection_lost(const session_error&, time_point now);
    const std::optional<session_error>& error() const;

    // The stream that carries a request; nothing if it is over.
    std::optional<quic::stream_id> stream_of(request_id) const;
    // The request a stream carries or carried; client bidirectional streams are numbered as they come (RFC 9000 2.1), requests too
    // unless a client's stream carried none.
    std::optional<request_id> request_on(quic::stream_id) const;

    void respond(request_id, response, std::unique_ptr<body_source> body, time_point now) override;
    void resume_body(request_id) override;
    std::size_t read_body(request_id, std::span<std::uint8_t> out, time_point now) override;
    void reset(request_id, h3_error code, time_point now) override;
    void close(time_point now) override;
    std::optional<server_event> poll_event() override;
    std::size_t active_requests() const override;
    const wait_ledger& ledger() const override;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace tandem::http
