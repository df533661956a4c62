// HTTP datagrams both ways on one request (RFC 9297), over HTTP/1.1, HTTP/2 or HTTP/3: what protocols such as connect-udp (RFC
// 9298) are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>

#include <tandem/http/url.hpp>
#include <tandem/net/detail/datagram_tunnel_state.hpp>
#include <tandem/net/http_client.hpp>
#include <tandem/net/http_exchange.hpp>

namespace tandem::net {

// Everything happens on the executor of the server or client beneath, which must be a strand or be run by one thread. Over
// HTTP/3, where both sides have http::limits::datagram_buffer, datagrams go in QUIC datagrams; everywhere else in capsules on the
// stream, which arrive in order. Nothing keeps a quiet tunnel alive but what its users send: QUIC's idle timeout ends it.
//
// Letting go of it closes it.
class datagram_tunnel {
public:
    using executor_type = boost::asio::any_io_executor;

    datagram_tunnel() = default;  // none
    explicit datagram_tunnel(std::shared_ptr<detail::datagram_tunnel_state> state) : state_(std::move(state)) {}
    ~datagram_tunnel() { release(); }
    datagram_tunnel(datagram_tunnel&& other) noexcept = default;
    datagram_tunnel& operator=(datagram_tunnel&& other) noexcept {
        if (this != &other) release();
        state_ = std::move(other.state_);
        return *this;
    }

    // A server's end: answers the request. Nothing if it is none for `protocol`; then it was answered 426 or 400. The server must
    // name the protocol in http_server_options::limits.tunnel_protocols and datagram_protocols. HTTP/1.1 asks with GET, the
    // others with CONNECT: a route for both has the method "*".
    static std::optional<datagram_tunnel> accept(std::shared_ptr<http_exchange> exchange, std::string_view protocol,
                                                 datagram_tunnel_options options = {});

    // A client's end, over whichever protocol `client` uses; the client must live as long as the tunnel is wanted.
    // void(error_code, datagram_tunnel): connection_refused if the server answers otherwise, its answer is response() then;
    // errc::protocol_error for a malformed answer; operation_not_supported, invalid_argument for fields that the Capsule Protocol
    // does not go with; else why there was no answer (failure() has a line of text). A server that offers no extended CONNECT is
    // asked over HTTP/1.1, as for a websocket.
    template <class CompletionToken>
    static auto async_connect(http_client& client, http::url url, std::string protocol, datagram_tunnel_options options,
                              CompletionToken&& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, datagram_tunnel)>(
            [&client](auto handler, http::url to, std::string by, datagram_tunnel_options with) {
                using state_ptr = std::shared_ptr<detail::datagram_tunnel_state>;
                auto state = detail::datagram_tunnel_state::client(client, std::move(with));
                auto convert = [](state_ptr s) { return datagram_tunnel(std::move(s)); };
                state->connect(std::move(to), std::move(by),
                               detail::adapt<state_ptr>(
                                   state->executor(), std::move(handler),
                                   [weak = std::weak_ptr(state)] {
                                       if (auto s = weak.lock()) s->cancel_connect();
                                   },
                                   convert));
            },
            token, std::move(url), std::move(protocol), std::move(options));
    }

    explicit operator bool() const { return state_ != nullptr; }
    const executor_type& get_executor() const { return state_->executor(); }
    const http::response& response() const { return state_->response(); }  // a client's end: the server's answer
    const std::string& failure() const { return state_->failure_text(); }  // why it ended, if not in good order
    datagram_tunnel_counts counts() const { return state_->counts(); }

    // void(error_code, std::vector<std::uint8_t>): one datagram. After the last one: error::eof if the peer ended the tunnel
    // (this side may go on, but not over HTTP/1.1), errc::protocol_error if it ended within a capsule, connection_reset;
    // operation_aborted after close(). One at a time (error::already_started).
    template <class CompletionToken>
    auto async_receive(CompletionToken&& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, std::vector<std::uint8_t>)>(
            [state = state_](auto handler) {
                auto cancel = [weak = std::weak_ptr(state)] {
                    if (auto s = weak.lock()) s->cancel_receive();
                };
                state->receive({state->executor(), std::move(handler), std::move(cancel)});
            },
            token);
    }

    // Says how it goes, at once; the bytes are copied.
    datagram_carrier send(std::span<const std::uint8_t> datagram) { return state_->send(datagram); }
    // The largest that goes in a QUIC datagram now, in bytes; it changes with the path. 0: all go in capsules.
    std::size_t max_quic_datagram() const { return state_->max_datagram(); }

    // Ends this side when what waits is sent; what still comes is thrown away until the peer ends too, or
    // datagram_tunnel_options::close_timeout has passed.
    void close() { state_->close(); }
    // Cuts it off.
    void reset() { state_->reset(); }

private:
    void release() {
        if (state_) state_->close();
    }

    std::shared_ptr<detail::datagram_tunnel_state> state_;
};

}  // namespace tandem::net
