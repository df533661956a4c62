// HTTP/1.1 without TLS, with the verbs of http::byte_stream_client.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <tandem/bytes/byte_times.hpp>
#include <tandem/http/http1_client.hpp>

namespace tandem::net {

class plain_http1_client {
public:
    explicit plain_http1_client(const http::limits& limits) : http_(std::make_unique<http::http1_client>(limits)) {}

    void receive(std::span<const std::uint8_t> bytes, std::span<const byte_times>, time_point now);
    void receive_end(time_point now);
    std::size_t transmit(std::span<std::uint8_t> out, time_point now);
    bool finished_sending() const { return http_->finished_sending(); }
    bool wants_to_receive() const { return held_.empty() && http_->wants_to_receive(); }
    std::optional<time_point> next_timeout() const { return std::nullopt; }
    void on_timeout(time_point) {}
    http::client_session* session() { return http_.get(); }
    std::string_view alpn() const { return {}; }
    const std::optional<http::session_error>& error() const { return http_->error(); }

private:
    void offer(time_point now);

    std::unique_ptr<http::http1_client> http_;
    std::vector<std::uint8_t> held_;  // received, but the session had no room
    bool ended_ = false;
};

}  // namespace tandem::net
