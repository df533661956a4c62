// HTTP/3 (RFC 9114) on any stream_transport: the client's end.
#pragma once

#include <memory>
#include <optional>

#include <tandem/http/client_session.hpp>
#include <tandem/http/limits.hpp>
#include <tandem/http/stream_transport.hpp>

namespace tandem::http {

class http3_client final : public client_session {
public:
    // The transport must outlive the session.
    explicit http3_client(stream_transport& transport, const limits& = {});
    ~http3_client() override;

    // Takes the transport's events, reads and writes as far as it goes. Nothing moves between calls.
    void pump(time_point now);
    // The transport is gone: what is under way fails.
    void connection_lost(const session_error&, time_point now);
    const std::optional<session_error>& error() const;

    bool can_submit() const override;
    request_id submit(request, std::unique_ptr<body_source> body, time_point now) override;
    void resume_body(request_id) override;
    std::size_t read_body(request_id, std::span<std::uint8_t> out, time_point now) override;
    void cancel(request_id, time_point now, h3_error code = h3_error::request_cancelled) override;
    std::size_t max_datagram(request_id) const override;
    datagram_result send_datagram(request_id, std::span<const std::uint8_t>, time_point now) override;
    std::optional<std::vector<std::uint8_t>> receive_datagram(request_id) override;
    datagram_counts datagram_statistics() const override;
    void close(time_point now) override;
    std::optional<client_event> poll_event() override;
    const wait_ledger& ledger(request_id) const override;
    const wait_ledger& ledger() const override;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace tandem::http
