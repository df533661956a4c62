// Answers the requests of one HTTP connection, whatever carries it, and says when the connection has been quiet for too long.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/http/server_session.hpp>
#include <tandem/net/static_files.hpp>

namespace tandem::net {

// Who asks.
struct request_source {
    ip_endpoint remote;
    std::string_view protocol;  // "HTTP/1.1", "HTTP/3", "HTTP/3 over QMux"
};

// Answers one request from its header section; a request body is read and thrown away.
using request_handler = std::function<http_answer(const http::request&, const request_source&)>;

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
    duration stall_timeout = std::chrono::seconds(60);      // with a request under way, but no byte moving
    std::uint64_t requests_per_connection = 100000;         // then the connection is ended in good order
    std::uint64_t request_body = 1 << 20;                   // bytes thrown away; a longer body ends the exchange
};

class request_loop {
public:
    request_loop(const request_handler& handler, const access_log& log, const request_limits& limits, request_source source, time_point now)
        : handler_(handler), log_(log), limits_(limits), source_(source), opened_(now), quiet_since_(now) {}

    // Fields that every response gets: Date, Server, Alt-Svc. Kept by the owner.
    void set_common_fields(const http::fields* fields) { common_ = fields; }
    void set_protocol(std::string_view protocol) { source_.protocol = protocol; }

    // Takes the session's events. Call after bytes moved either way.
    void run(http::server_session& session, time_point now);
    // The connection should be dropped: no handshake, no whole header section or no progress in time.
    bool overdue(const http::server_session* session, time_point now) const;
    // Nothing was asked for a long time: end the connection in good order.
    bool idle_for_long(const http::server_session& session, time_point now) const;
    // Bytes came or went.
    void progress(time_point now, bool received);
    std::uint64_t requests() const { return requests_; }

private:
    struct exchange {
        http::request request;
        time_point begun;
        int status = 0;
        std::optional<std::uint64_t> bytes;
        std::uint64_t discarded = 0;
    };

    void answer(http::server_session& session, http::server_events::request& event, time_point now);
    void discard_body(http::server_session& session, http::request_id id, time_point now);
    void over(http::request_id id, bool complete, time_point now);

    const request_handler& handler_;
    const access_log& log_;
    const request_limits& limits_;
    request_source source_;
    const http::fields* common_ = nullptr;
    std::unordered_map<http::request_id, exchange> exchanges_;
    std::uint64_t requests_ = 0;
    time_point opened_;
    time_point quiet_since_;                     // the last byte, or the end of the last exchange
    std::optional<time_point> header_begun_;     // first byte since the last exchange
    bool closing_ = false;
};

}  // namespace tandem::net
