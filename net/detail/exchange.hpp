// What stands behind an http_exchange: between a request_loop, which owns the session, and a handler that answers in its own
// time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/system/error_code.hpp>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/http/server_session.hpp>
#include <tandem/net/detail/pending.hpp>

namespace tandem::net {

// Who asks.
struct request_source {
    ip_endpoint remote;
    std::string_view protocol;  // "HTTP/1.1", "HTTP/2", "HTTP/3", "HTTP/3 over QMux"
};

namespace detail {

// What an exchange needs of the connection that carries it.
class exchange_host {
public:
    virtual ~exchange_host() = default;
    virtual http::server_session& session() = 0;
    virtual void wake() = 0;                      // the session was given work
    virtual void decorate(http::fields&) = 0;     // adds what every response gets
    virtual void moved(std::uint64_t bytes) = 0;  // of a request's body, to the handler, or of a response's, to the session
};

class exchange : public std::enable_shared_from_this<exchange> {
public:
    using operation = pending<boost::system::error_code, std::size_t>;
    // Bytes of a response in pieces that are held before writes wait: enough to fill a turn of the connection.
    static constexpr std::size_t write_buffer = 64 * 1024;

    exchange(exchange_host& host, http::server_events::request& event, const request_source& source,
             boost::asio::any_io_executor executor, time_point begun);

    // The handler's side.
    const boost::asio::any_io_executor& executor() const { return executor_; }
    const http::request& request() const { return request_; }
    const request_source& source() const { return source_; }
    const http::fields& trailers() const { return trailers_; }
    bool has_body() const { return has_body_; }
    bool over() const { return host_ == nullptr; }
    void on_over(std::function<void()> done) { on_over_ = std::move(done); }
    void read(std::span<std::uint8_t> out, operation op);
    void cancel_read();
    void inform(http::response head);
    void respond(http::response head, std::unique_ptr<http::body_source> body);
    void begin(http::response head, std::optional<std::uint64_t> length);
    void write(std::span<const std::uint8_t> bytes, operation op);
    void cancel_write();
    void finish(http::fields trailers);
    void reset(http::h3_error code);
    // HTTP datagrams (exchange_datagrams.cpp).
    std::size_t max_datagram() const;
    http::datagram_result send_datagram(std::span<const std::uint8_t> datagram);
    std::optional<std::vector<std::uint8_t>> receive_datagram();
    void on_datagrams(std::function<void()> heard) { on_datagrams_ = std::move(heard); }
    void released();

    // The loop's side.
    void set_limits(std::uint64_t largest_body, std::uint64_t discarded) {
        largest_body_ = largest_body;
        discard_limit_ = discarded;
    }
    void body_available(time_point now);
    void datagrams_available();
    void set_trailers(http::fields fields) { trailers_ = std::move(fields); }
    void received();
    void ended();  // nothing of the connection is used after it
    int status() const { return status_; }
    bool is_tunnel() const { return status_ == 101; }
    // Whose turn it is. The client's: bytes of its request are wanted, or bytes of the response wait for it to take them.
    enum class turn : std::uint8_t {
        handler,
        client,
        conversation,  // the client's, in a response that has begun: who answers while he is asked may speak rarely
    };
    turn whose_turn() const;
    std::optional<std::uint64_t> bytes() const { return bytes_; }
    time_point begun() const { return begun_; }

private:
    struct outgoing;
    class streamed_body;
    class metered_body;

    std::size_t take(std::span<std::uint8_t> out, time_point now);
    bool body_too_large(time_point now);
    void discard(time_point now);

    exchange_host* host_;
    http::request_id id_;
    http::request request_;
    request_source source_;
    boost::asio::any_io_executor executor_;
    time_point begun_;
    http::fields trailers_;
    std::function<void()> on_over_;
    std::function<void()> on_datagrams_;
    int status_ = 0;                      // 0: not answered
    std::optional<std::uint64_t> bytes_;  // of the response's body, if known
    std::shared_ptr<outgoing> outgoing_;  // of a response in pieces
    std::span<std::uint8_t> reading_into_;
    operation reading_;
    std::uint64_t largest_body_ = UINT64_MAX;
    std::uint64_t body_taken_ = 0;  // of the request's
    std::uint64_t discard_limit_ = 0;
    std::uint64_t discarded_ = 0;
    bool has_body_ = false;
    bool received_ = false;    // the request's body was read to its end
    bool discarding_ = false;  // nobody wants the rest of it
};

}  // namespace detail
}  // namespace tandem::net
