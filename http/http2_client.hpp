// HTTP/2 (RFC 9113) over a byte stream of plaintext: the client's end.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include <tandem/http/client_session.hpp>
#include <tandem/http/limits.hpp>
#include <tandem/tls/record_session.hpp>

namespace tandem::http {

class http2_client final : public client_session {
public:
    explicit http2_client(const limits& = {});
    ~http2_client() override;

    // Takes bytes of the stream, all of them: HTTP/2's flow control stops the peer. `times` are of exactly these bytes, or empty.
    void receive(std::span<const std::uint8_t> plaintext, std::span<const tls::record_times> times, time_point now);
    // The stream ended. `clean`: the peer said so (close_notify).
    void receive_end(bool clean, time_point now);
    // Puts frames into `out`; returns how many bytes, 0 if there is nothing to send now.
    std::size_t transmit(std::span<std::uint8_t> out, time_point now);
    // Nothing more will be sent or is awaited: the stream should be closed.
    bool finished_sending() const;
    void connection_lost(const session_error&, time_point now);
    const std::optional<session_error>& error() const;

    bool can_submit() const override;
    request_id submit(request, std::unique_ptr<body_source> body, time_point now) override;
    void resume_body(request_id) override;
    std::size_t read_body(request_id, std::span<std::uint8_t> out, time_point now) override;
    void cancel(request_id, time_point now, h3_error code = h3_error::request_cancelled) override;
    void close(time_point now) override;
    std::optional<client_event> poll_event() override;
    const wait_ledger& ledger(request_id) const override;
    const wait_ledger& ledger() const override;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace tandem::http
