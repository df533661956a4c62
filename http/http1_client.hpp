// HTTP/1.1 (RFC 9112) over a byte stream of plaintext: the client's end. One request at a time is on the connection, others
// wait; HTTP/1.0 answers are understood.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>

#include <tandem/http/client_session.hpp>
#include <tandem/http/limits.hpp>
#include <tandem/tls/record_session.hpp>

namespace tandem::http {

class http1_client final : public client_session {
public:
    explicit http1_client(const limits& = {});
    ~http1_client() override;

    // Takes bytes of the stream; returns how many: fewer while the application has body bytes to read. `times` are of exactly
    // these bytes, or empty (nothing is recorded then).
    std::size_t receive(std::span<const std::uint8_t> plaintext, std::span<const tls::record_times> times, time_point now);
    // The stream ended. `clean`: the peer said so (close_notify, or FIN without TLS), so that a body without a length is
    // complete.
    void receive_end(bool clean, time_point now);
    // Puts bytes to send into `out`; returns how many, 0 if there are none now.
    std::size_t transmit(std::span<std::uint8_t> out, time_point now);
    bool wants_to_receive() const;
    // Called from read_body() when everything received was read and more is wanted; it should call receive() if it can.
    void on_room(std::function<void(time_point)> refill);
    // No more will be sent or is awaited: the stream should be closed.
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
