// HTTP/1.1 (RFC 9112) over a byte stream of plaintext: the server's end. Pipelined requests are answered one after the other;
// the next one is not read before the answer to the last is on its way.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tandem/http/limits.hpp>
#include <tandem/http/server_session.hpp>
#include <tandem/tls/record_session.hpp>

namespace tandem::http {

class http1_server final : public server_session {
public:
    // Bytes [begin, end) of what transmit() gave belong to the response to this request.
    struct carried {
        std::uint64_t begin = 0;
        std::uint64_t end = 0;
        request_id request = 0;
    };

    // `scheme` is that of every request ("https" over TLS, else "http").
    explicit http1_server(const limits& = {}, std::string scheme = "https", bool report_carried = false);
    ~http1_server() override;

    // As in http1_client.
    std::size_t receive(std::span<const std::uint8_t> plaintext, std::span<const tls::record_times> times, time_point now);
    void receive_end(bool clean, time_point now);
    std::size_t transmit(std::span<std::uint8_t> out, time_point now);
    bool wants_to_receive() const;
    void on_room(std::function<void(time_point)> refill);
    // When a header section that has begun must be complete (limits::head_time), or the client must have moved
    // (limits::idle_time).
    std::optional<time_point> next_timeout() const;
    void on_timeout(time_point now);
    bool finished_sending() const;
    void connection_lost(const session_error&, time_point now);
    const std::optional<session_error>& error() const;
    std::vector<carried> drain_carried();

    void respond(request_id, response, std::unique_ptr<body_source> body, time_point now) override;
    void inform(request_id, response, time_point now) override;
    void resume_body(request_id) override;
    std::size_t read_body(request_id, std::span<std::uint8_t> out, time_point now) override;
    void refuse_body(request_id, time_point now) override;
    void reset(request_id, h3_error code, time_point now) override;
    void close(time_point now) override;
    std::optional<server_event> poll_event() override;
    std::size_t active_requests() const override;
    std::optional<time_point> unfinished_head() const override;
    const wait_ledger& ledger() const override;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace tandem::http
