// What stands behind a websocket: between the engine, the operations of its user and the stream that HTTP gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

#include <tandem/bytes/time.hpp>
#include <tandem/http/message.hpp>
#include <tandem/http/url.hpp>
#include <tandem/http/websocket_engine.hpp>
#include <tandem/net/detail/pending.hpp>

namespace tandem::net {

class http_client;
class http_exchange;

struct websocket_options {
    http::websocket_limits limits;
    // A client offers them, a server takes the first it knows (RFC 6455 1.9).
    std::vector<std::string> subprotocols;
    http::fields fields;  // of a client's request, or a server's answer, besides those of the handshake: Origin, Cookie, ...
    // A client: from sending the request to the answer; zero: as long as it takes.
    duration handshake_timeout = std::chrono::seconds(30);
    // Nothing heard from the peer for half of it: a ping is sent. For the other half either: timed_out, and the WebSocket is cut
    // off. Only while messages are read: a peer that is held back need not answer. Zero: never.
    duration idle_timeout = std::chrono::seconds(60);
    // From the closing handshake's begin to its end, and to the end of the stream.
    duration close_timeout = std::chrono::seconds(5);
};

namespace detail {

// The stream of bytes beneath, of either end.
class websocket_channel {
public:
    virtual ~websocket_channel() = default;
    // The state wants bytes (websocket_state::hungry) or has some (produce). Must not call it back at once.
    virtual void wake() = 0;
    virtual void reset() = 0;
};

class websocket_state : public std::enable_shared_from_this<websocket_state> {
public:
    using read_operation = pending<boost::system::error_code, http::websocket_message>;
    using operation = pending<boost::system::error_code>;
    using connect_operation = pending<boost::system::error_code, std::shared_ptr<websocket_state>>;

    websocket_state(boost::asio::any_io_executor executor, http::websocket_engine::role side, websocket_options options);
    static std::shared_ptr<websocket_state> server(std::shared_ptr<http_exchange> exchange, websocket_options options,
                                                   std::string subprotocol);
    static std::shared_ptr<websocket_state> client(http_client& client, websocket_options options);

    // The user's side.
    const boost::asio::any_io_executor& executor() const { return executor_; }
    const std::string& subprotocol() const { return subprotocol_; }
    const http::response& response() const { return response_; }
    const std::string& failure_text() const { return failure_text_; }
    const http::websocket_close& peer_close() const;
    void connect(http::url url, connect_operation op);
    void cancel_connect();
    void read(read_operation op);
    void cancel_read();
    void write(bool text, std::span<const std::uint8_t> data, operation op);
    void cancel_write();
    void close(std::uint16_t code, std::string_view reason, operation op);
    void cancel_close();
    bool ping(std::string_view payload);
    void on_pong(std::function<void(std::string_view)> heard) { on_pong_ = std::move(heard); }
    void reset();
    void released();

    // The channel's side.
    const websocket_options& options() const { return options_; }
    void opened(std::string subprotocol);
    void refuse_answer(boost::system::error_code error, std::string why);  // the server's; there will be no WebSocket
    void set_response(const http::response& r) { response_ = r; }
    bool hungry() const;
    void on_bytes(std::span<const std::uint8_t> bytes);              // all of them are taken; hungry() says whether to give more
    void on_end();                                                   // the peer ended its side in order
    void on_gone(boost::system::error_code error, std::string why);  // the stream is no more
    // The executor is being destroyed: no operation completes any more. Lets go of their handlers, which may hold what owns this.
    void dropped();
    struct produced {
        std::size_t n = 0;
        bool end = false;  // nothing comes after these
    };
    produced produce(std::span<std::uint8_t> out);
    bool has_output() const { return engine_.wants_to_transmit(); }
    // The closing handshake is complete: what is left is to end the stream.
    bool closing() const { return engine_.over(); }

private:
    void refused(boost::system::error_code error, std::string why);
    void advance();
    void feed();
    void deliver(http::websocket_event event);
    void look_at_end();
    void fail(boost::system::error_code error, std::string why);
    void end_operations();
    void finish_write();
    void wake();
    void begin_closing();
    void arm();
    void on_timer();

    boost::asio::any_io_executor executor_;
    websocket_options options_;
    http::websocket_engine engine_;
    std::unique_ptr<websocket_channel> channel_;
    std::string subprotocol_;
    http::response response_{0, {}};
    std::string failure_text_;
    std::function<void(std::string_view)> on_pong_;

    connect_operation connecting_;
    read_operation reading_;
    operation writing_;
    operation closing_;
    std::optional<http::websocket_message> inbox_;         // nobody reads yet
    std::vector<std::uint8_t> held_;                       // bytes that the engine does not take yet
    std::optional<boost::system::error_code> end_;         // what reads end with from now on
    std::optional<boost::system::error_code> stream_end_;  // the same, once what is held was read
    bool open_ = false;
    bool gone_ = false;        // the channel is not to be used any more
    bool released_ = false;    // the user let go of it
    bool discarding_ = false;  // messages are thrown away: it is being closed
    time_point heard_;
    std::optional<time_point> pinged_;  // since something was heard
    std::optional<time_point> close_deadline_;
    boost::asio::steady_timer timer_;
    std::optional<time_point> armed_;
};

}  // namespace detail
}  // namespace tandem::net
