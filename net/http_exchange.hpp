// One request at a server and the way to answer it: at once, later, or piece by piece; with the request's body as a stream.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>

#include <tandem/bytes/address.hpp>
#include <tandem/http/body.hpp>
#include <tandem/http/message.hpp>
#include <tandem/net/detail/exchange.hpp>

namespace tandem::net {

// Everything happens on the server's executor, which must be a strand or be run by one thread. An AsyncReadStream of the
// request's body and an AsyncWriteStream of the response's. May outlive the connection and the server: then everything fails with
// an error. Who lets go of it without an answer has answered 500; who lets go of it in the middle of an answer has cut it off.
class http_exchange {
public:
    using executor_type = boost::asio::any_io_executor;

    explicit http_exchange(std::shared_ptr<detail::exchange> state) : state_(std::move(state)) {}
    ~http_exchange() { state_->released(); }
    http_exchange(const http_exchange&) = delete;
    http_exchange& operator=(const http_exchange&) = delete;

    const executor_type& get_executor() const { return state_->executor(); }
    const http::request& request() const { return state_->request(); }
    const request_source& source() const { return state_->source(); }
    bool has_body() const { return state_->has_body(); }
    // The exchange ended: the response was taken whole, the client gave up, or the connection went.
    bool over() const { return state_->over(); }
    // Calls `done` when it ends, once, from the server's executor; not if it is over already.
    void on_over(std::function<void()> done) { state_->on_over(std::move(done)); }

    // void(error_code, std::size_t): bytes of the request's body; boost::asio::error::eof after the last one. One read at a time
    // (error::already_started). A client that waits for "100 Continue" gets it unless the answer is there first. A body longer
    // than request_limits::largest_body ends with errc::message_size; it was answered 413 then, or cut off if it was answered
    // before.
    template <class MutableBuffers, class CompletionToken>
    auto async_read_some(const MutableBuffers& buffers, CompletionToken&& token) {
        boost::asio::mutable_buffer out;
        for (auto at = boost::asio::buffer_sequence_begin(buffers);
             at != boost::asio::buffer_sequence_end(buffers) && out.size() == 0; ++at)
            out = *at;
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, std::size_t)>(
            [state = state_](auto handler, boost::asio::mutable_buffer into) {
                auto cancel = [weak = std::weak_ptr<detail::exchange>(state)] {
                    if (auto s = weak.lock()) s->cancel_read();
                };
                state->read({static_cast<std::uint8_t*>(into.data()), into.size()},
                            {state->executor(), std::move(handler), std::move(cancel)});
            },
            token, out);
    }
    // The request's trailer section; complete when the body has ended.
    const http::fields& trailers() const { return state_->trailers(); }

    // Interim responses (1xx, not 101) before the answer: 103 Early Hints, say. Any number; clients of HTTP/1.0 get none.
    void inform(http::response head) { state_->inform(std::move(head)); }
    // The whole answer. Only the first answer counts. What is left of the request's body is thrown away.
    void respond(http::response head, std::unique_ptr<http::body_source> body = nullptr) {
        state_->respond(std::move(head), std::move(body));
    }
    void respond(int status, std::string_view content_type, std::string text);

    // Status 101 takes a request with a protocol (http::request::protocol) in every version of HTTP: the two bodies are the
    // protocol's bytes from then on, however long it is quiet. In HTTP/1.1 finish() closes the connection. An answer in pieces:
    // its head, then async_write_some() and finish(). `length`: of the whole body, in bytes, if it is known.
    void begin(http::response head, std::optional<std::uint64_t> length = {}) { state_->begin(std::move(head), length); }
    // void(error_code, std::size_t): completes when the connection has room (64 KiB are held). One write at a time.
    template <class ConstBuffers, class CompletionToken>
    auto async_write_some(const ConstBuffers& buffers, CompletionToken&& token) {
        boost::asio::const_buffer in;
        for (auto at = boost::asio::buffer_sequence_begin(buffers);
             at != boost::asio::buffer_sequence_end(buffers) && in.size() == 0; ++at)
            in = *at;
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, std::size_t)>(
            [state = state_](auto handler, boost::asio::const_buffer from) {
                auto cancel = [weak = std::weak_ptr<detail::exchange>(state)] {
                    if (auto s = weak.lock()) s->cancel_write();
                };
                state->write({static_cast<const std::uint8_t*>(from.data()), from.size()},
                             {state->executor(), std::move(handler), std::move(cancel)});
            },
            token, in);
    }
    // The answer is complete. Trailers are sent where the version and the framing have a place for them.
    void finish(http::fields trailers = {}) { state_->finish(std::move(trailers)); }
    // Cuts the exchange off; the client is told that it is not whole, and why where its version can say so
    // (http::h3_error::version_fallback: ask over HTTP/1.1).
    void reset(http::h3_error code = http::h3_error::internal_error) { state_->reset(code); }

    // The HTTP datagrams of a tunnel, where QUIC carries them (http::server_session): datagram_tunnel joins them with those in
    // capsules. `heard` is called when some have come, until receive_datagram() has given nothing.
    std::size_t max_datagram() const { return state_->max_datagram(); }
    http::datagram_result send_datagram(std::span<const std::uint8_t> datagram) { return state_->send_datagram(datagram); }
    std::optional<std::vector<std::uint8_t>> receive_datagram() { return state_->receive_datagram(); }
    void on_datagrams(std::function<void()> heard) { state_->on_datagrams(std::move(heard)); }

private:
    std::shared_ptr<detail::exchange> state_;
};

// Answers a request now or later; keeps the exchange for as long as that takes.
using http_handler = std::function<void(std::shared_ptr<http_exchange>)>;

}  // namespace tandem::net
