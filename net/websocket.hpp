// A WebSocket (RFC 6455) over HTTP/1.1, HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220): messages both ways on one request's stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>

#include <tandem/http/url.hpp>
#include <tandem/http/websocket_engine.hpp>
#include <tandem/http/websocket_handshake.hpp>
#include <tandem/net/detail/websocket_state.hpp>
#include <tandem/net/http_client.hpp>
#include <tandem/net/http_exchange.hpp>

namespace tandem::net {

using http::websocket_close;
using http::websocket_message;
namespace websocket_code = http::websocket_code;

// Everything happens on the executor of the server or client beneath, which must be a strand or be run by one thread. One read,
// one write and one close at a time (error::already_started). No extensions: messages are not compressed.
//
// Letting go of it closes it with code 1001. Terminal, partial and total cancellation are honoured: a read or a close that is
// cancelled leaves it as it was; so does a write of which nothing has gone yet, while in the middle of a message it cuts the
// WebSocket off.
class websocket {
public:
    using executor_type = boost::asio::any_io_executor;

    websocket() = default;  // none
    explicit websocket(std::shared_ptr<detail::websocket_state> state) : state_(std::move(state)) {}
    ~websocket() { release(); }
    websocket(websocket&& other) noexcept = default;
    websocket& operator=(websocket&& other) noexcept {
        if (this != &other) release();
        state_ = std::move(other.state_);
        return *this;
    }

    // A server's end: answers the request. Nothing if it is none for a WebSocket; then it was answered 426 or 400. The server
    // must offer http::websocket_protocol in http_server_options::limits.tunnel_protocols. HTTP/1.1 asks with GET, the others
    // with CONNECT: a route for both has the method "*". Whether a browser's page may ask (the Origin field) is for the handler
    // to decide before.
    static std::optional<websocket> accept(std::shared_ptr<http_exchange> exchange, websocket_options options = {});

    // A client's end, over whichever protocol `client` uses; the client must live as long as the WebSocket is wanted. The URL is
    // https: or http: (for wss: and ws:). void(error_code, websocket): connection_refused if the server answers otherwise, its
    // answer is response() then; errc::protocol_error for a wrong answer; else why there was none (failure() has a line of text).
    // A server that speaks HTTP/2 or HTTP/3 but no extended CONNECT there is asked over HTTP/1.1, where the client's protocols
    // permit that (they have http1 or http2); else it is operation_not_supported.
    template <class CompletionToken>
    static auto async_connect(http_client& client, http::url url, websocket_options options, CompletionToken&& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, websocket)>(
            [&client](auto handler, http::url to, websocket_options with) {
                auto state = detail::websocket_state::client(client, std::move(with));
                auto convert = [](std::shared_ptr<detail::websocket_state> s) { return websocket(std::move(s)); };
                state->connect(std::move(to), detail::adapt<std::shared_ptr<detail::websocket_state>>(
                                                  state->executor(), std::move(handler),
                                                  [weak = std::weak_ptr(state)] {
                                                      if (auto s = weak.lock()) s->cancel_connect();
                                                  },
                                                  convert));
            },
            token, std::move(url), std::move(options));
    }

    explicit operator bool() const { return state_ != nullptr; }
    const executor_type& get_executor() const { return state_->executor(); }
    const std::string& subprotocol() const { return state_->subprotocol(); }  // empty: none
    const http::response& response() const { return state_->response(); }     // a client's end: the server's answer
    const std::string& failure() const { return state_->failure_text(); }     // why it ended, if not by its closing handshake
    // The peer's Close frame; websocket_code::abnormal while there is none.
    const websocket_close& peer_close() const { return state_->peer_close(); }

    // void(error_code, websocket_message): a whole message. error::eof after the peer's Close frame; connection_reset if the
    // stream ended without one; timed_out; of what the peer did wrong, message_size, errc::illegal_byte_sequence and
    // errc::protocol_error. Pings are answered whether or not this is called.
    template <class CompletionToken>
    auto async_read(CompletionToken&& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, websocket_message)>(
            [state = state_](auto handler) {
                auto cancel = [weak = std::weak_ptr(state)] {
                    if (auto s = weak.lock()) s->cancel_read();
                };
                state->read({state->executor(), std::move(handler), std::move(cancel)});
            },
            token);
    }

    // void(error_code): completes when HTTP has taken the whole message; the bytes must stay until then. A text that is not UTF-8
    // is errc::illegal_byte_sequence; after the closing handshake began it is error::shut_down.
    template <class CompletionToken>
    auto async_write_text(std::string_view text, CompletionToken&& token) {
        return write(true, {text.data(), text.size()}, std::forward<CompletionToken>(token));
    }
    template <class CompletionToken>
    auto async_write_binary(boost::asio::const_buffer data, CompletionToken&& token) {
        return write(false, data, std::forward<CompletionToken>(token));
    }
    template <class CompletionToken>
    auto async_write(const websocket_message& message, CompletionToken&& token) {
        return write(message.text, boost::asio::buffer(message.data), std::forward<CompletionToken>(token));
    }

    // void(error_code): the closing handshake (RFC 6455 7.1.2). Completes when both sides have said Close, or with why that did
    // not come to pass: timed_out after websocket_options::close_timeout. The message under way is sent to its end first; what
    // the peer still sends is thrown away unless it is read. invalid_argument: a code that may not be sent, a reason above 123
    // bytes or no UTF-8.
    template <class CompletionToken>
    auto async_close(std::uint16_t code, std::string reason, CompletionToken&& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
            [state = state_](auto handler, std::uint16_t c, std::string why) {
                auto cancel = [weak = std::weak_ptr(state)] {
                    if (auto s = weak.lock()) s->cancel_close();
                };
                state->close(c, why, {state->executor(), std::move(handler), std::move(cancel)});
            },
            token, code, std::move(reason));
    }

    // False if the payload is above 125 bytes or the closing handshake has begun.
    bool ping(std::string_view payload = {}) { return state_->ping(payload); }
    // Called with the payload of each pong while a read is under way or the peer's next message waits.
    void on_pong(std::function<void(std::string_view)> heard) { state_->on_pong(std::move(heard)); }
    // Cuts it off, without a closing handshake. Operations under way end with error::operation_aborted.
    void reset() { state_->reset(); }

private:
    template <class CompletionToken>
    auto write(bool text, boost::asio::const_buffer data, CompletionToken&& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
            [state = state_](auto handler, bool is_text, boost::asio::const_buffer bytes) {
                auto cancel = [weak = std::weak_ptr(state)] {
                    if (auto s = weak.lock()) s->cancel_write();
                };
                state->write(is_text, {static_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                             {state->executor(), std::move(handler), std::move(cancel)});
            },
            token, text, data);
    }
    void release() {
        if (state_) state_->released();
    }

    std::shared_ptr<detail::websocket_state> state_;
};

}  // namespace tandem::net
