// Answers the requests of one HTTP connection, whatever carries it, and says when the connection has been quiet for too long.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/recycled.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/http/server_session.hpp>
#include <tandem/net/http_exchange.hpp>
#include <tandem/net/static_files.hpp>

namespace tandem::net {

// Answers one request from its header section; a request body is read and thrown away.
using request_handler = std::function<http_answer(const http::request&, const request_source&)>;

// One of them answers all requests of a server.
struct server_handlers {
    request_handler answer;  // at once
    http_handler exchange;   // in its own time; used where `answer` is empty
};

// One line of an access log, when the exchange is over.
struct access_record {
    request_source source;
    const http::request& request;
    int status = 0;
    std::optional<std::uint64_t> bytes;  // of the response's body, if its length was known
    duration took{};
    bool complete = true;  // false: it ended early
};
using access_log = std::function<void(const access_record&)>;

struct request_limits {
    duration handshake_timeout = std::chrono::seconds(10);  // until TLS is done
    duration header_timeout = std::chrono::seconds(10);     // from the first byte of a request until its header section is whole
    duration idle_timeout = std::chrono::seconds(60);       // between requests
    // While it is the client's turn, to send a body that is wanted or to take a response: so long it may be quiet, and less than
    // so many bytes of bodies in so long count as quiet, over all requests under way. No phone is that slow; who sends or takes a
    // byte at a time, to hold on to a connection, is. A handler may take any time.
    duration stall_timeout = std::chrono::seconds(60);
    std::uint64_t stall_bytes = 4096;
    std::uint64_t requests_per_connection = 100000;  // then the connection is ended in good order
    std::uint64_t largest_body = 1 << 30;            // of a request that a handler reads: a longer one is answered 413
    std::uint64_t request_body = 1 << 20;            // bytes thrown away; a longer body ends the exchange
    // Hosts of which this server has something, in lower case, without port: requests for others are answered 421. Empty: all.
    std::vector<std::string> hosts;
};

class request_loop final : private detail::exchange_host {
public:
    // `executor`: where handlers and their operations complete.
    request_loop(const server_handlers& handlers, const access_log& log, const request_limits& limits, request_source source,
                 boost::asio::any_io_executor executor, time_point now)
        : handlers_(handlers),
          log_(log),
          limits_(limits),
          source_(source),
          executor_(std::move(executor)),
          opened_(now),
          quiet_since_(now),
          slow_since_(now) {}
    ~request_loop() override;
    request_loop(const request_loop&) = delete;
    request_loop& operator=(const request_loop&) = delete;

    // Fields that every response gets: Date, Server, Alt-Svc. Kept by the owner.
    void set_common_fields(const http::fields* fields) { common_ = fields; }
    void set_protocol(std::string_view protocol) { source_.protocol = protocol; }
    // Called when a handler gave the session work outside of run(); must not call back at once.
    void on_wake(std::function<void()> wake) { wake_ = std::move(wake); }

    // Takes the session's events; the session must stay where it is as long as this object. Call after bytes moved either way.
    void run(http::server_session& session, time_point now);
    // The connection should be dropped: no handshake, no whole header section or no progress in time.
    bool overdue(const http::server_session* session, time_point now);
    // Nothing was asked for a long time: end the connection in good order.
    bool idle_for_long(const http::server_session& session, time_point now) const;
    // Bytes came or went.
    void progress(time_point now, bool received);
    // The client goes on reading what it was sent before: it is not idle, and what it sends may be credit for that and no
    // request's begin.
    void still_read(time_point now, std::uint64_t bytes, std::uint64_t left);
    std::uint64_t requests() const { return requests_; }

private:
    void on_event(http::server_event& event, time_point now);
    void answer(http::server_events::request& event, time_point now);
    bool refused(detail::exchange& e) const;
    bool stalled(time_point now);
    void over(http::request_id id, bool complete, time_point now);
    std::shared_ptr<detail::exchange> find(http::request_id id) const;

    http::server_session& session() override { return *session_; }
    void wake() override;
    void decorate(http::fields& fields) override;
    void moved(std::uint64_t bytes) override { moved_ += bytes; }

    const server_handlers& handlers_;
    const access_log& log_;
    const request_limits& limits_;
    request_source source_;
    boost::asio::any_io_executor executor_;
    std::function<void()> wake_;
    http::server_session* session_ = nullptr;
    const http::fields* common_ = nullptr;
    recycled::map<http::request_id, std::shared_ptr<detail::exchange>> exchanges_;
    std::uint64_t requests_ = 0;
    time_point opened_;
    time_point quiet_since_;                  // the last byte, or the end of the last exchange
    std::optional<time_point> header_begun_;  // first byte since the last exchange
    time_point slow_since_;                   // since then `moved_` bytes of bodies went, less than stall_bytes
    std::uint64_t moved_ = 0;
    std::uint64_t taken_since_ = 0;  // bytes the client acknowledged since quiet_since_, with no request under way
    bool running_ = false;
    bool closing_ = false;
};

}  // namespace tandem::net
