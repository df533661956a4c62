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

    // The stream that carries a request, and back: a client's bidirectional streams are numbered as requests are.
    static quic::stream_id stream_of(request_id id) {
        return quic::stream_id::make(quic::perspective::client, quic::direction::bidirectional, id);
    }
    static request_id request_on(quic::stream_id stream) { return stream.index(); }

    void respond(request_id, response, std::unique_ptr<body_source> body, time_point now) override;
    void inform(request_id, response, time_point now) override;
    void resume_body(request_id) override;
    std::size_t read_body(request_id, std::span<std::uint8_t> out, time_point now) override;
    void refuse_body(request_id, time_point now) override;
    void reset(request_id, h3_error code, time_point now) override;
    void close(time_point now) override;
    std::size_t max_datagram(request_id) const override;
    datagram_result send_datagram(request_id, std::span<const std::uint8_t>, time_point now) override;
    std::optional<std::vector<std::uint8_t>> receive_datagram(request_id) override;
    datagram_counts datagram_statistics() const override;
    std::optional<server_event> poll_event() override;
    std::size_t active_requests() const override;
    std::optional<time_point> unfinished_head() const override;
    const wait_ledger& ledger() const override;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace tandem::http
