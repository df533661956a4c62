// TLS over any stream that Asio can read and write: a TCP socket, a QUIC stream, one end of a pipe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/coroutine.hpp>
#include <boost/asio/steady_timer.hpp>

#include <tandem/net/detail/tls_state.hpp>

namespace tandem::net {

// NextLayer: an AsyncReadStream and AsyncWriteStream. One read and one write may be under way at a time; use it from its executor
// only. Reads and writes honour total cancellation: they end with operation_aborted only if no plaintext was moved.
//
// Errors: those of the next layer; asio::error::eof after the peer's close_notify; tls_error::truncated where the stream ended
// without one; other tls_error values where TLS failed (failure() has the words).
template <class NextLayer>
class tls_stream {
public:
    using next_layer_type = std::remove_reference_t<NextLayer>;
    using executor_type = typename next_layer_type::executor_type;
    using lowest_layer_type = typename next_layer_type::lowest_layer_type;

    // A client's end. `session.server_name` is what the certificate must be for.
    template <class Arg>
    tls_stream(Arg&& next, std::shared_ptr<const tls::client_context> context, const tls::client_session_options& session)
        : next_(std::forward<Arg>(next)), state_(detail::tls_state::client(next_.get_executor(), std::move(context), session)) {}
    // A server's end.
    template <class Arg>
    tls_stream(Arg&& next, std::shared_ptr<const tls::server_context> context, const tls::server_session_options& session)
        : next_(std::forward<Arg>(next)), state_(detail::tls_state::server(next_.get_executor(), std::move(context), session)) {}

    executor_type get_executor() { return next_.get_executor(); }
    next_layer_type& next_layer() { return next_; }
    const next_layer_type& next_layer() const { return next_; }
    lowest_layer_type& lowest_layer() { return next_.lowest_layer(); }

    std::string_view alpn() const { return state_->session ? state_->session->alpn() : std::string_view(); }
    std::string_view server_name() const { return state_->session ? state_->session->server_name() : std::string_view(); }
    // One line that says why TLS failed.
    std::string failure() const { return state_->failure(); }

    // void(error_code)
    template <class CompletionToken>
    auto async_handshake(CompletionToken&& token) {
        return boost::asio::async_compose<CompletionToken, void(boost::system::error_code)>(
            detail::tls_handshake_operation<next_layer_type>{next_, *state_}, token, next_);
    }

    // void(error_code, std::size_t)
    template <class MutableBufferSequence, class CompletionToken>
    auto async_read_some(const MutableBufferSequence& buffers, CompletionToken&& token) {
        return boost::asio::async_compose<CompletionToken, void(boost::system::error_code, std::size_t)>(
            detail::tls_read_operation<next_layer_type, MutableBufferSequence>{next_, *state_, buffers}, token, next_);
    }

    // void(error_code, std::size_t). Completes when the next layer took the records made of the bytes.
    template <class ConstBufferSequence, class CompletionToken>
    auto async_write_some(const ConstBufferSequence& buffers, CompletionToken&& token) {
        return boost::asio::async_compose<CompletionToken, void(boost::system::error_code, std::size_t)>(
            detail::tls_write_operation<next_layer_type, ConstBufferSequence>{next_, *state_, buffers}, token, next_);
    }

    // void(error_code). Sends close_notify; the peer's is not awaited, and reading goes on.
    template <class CompletionToken>
    auto async_shutdown(CompletionToken&& token) {
        return boost::asio::async_compose<CompletionToken, void(boost::system::error_code)>(
            detail::tls_shutdown_operation<next_layer_type>{next_, *state_}, token, next_);
    }

private:
    NextLayer next_;
    std::unique_ptr<detail::tls_state> state_;
};

}  // namespace tandem::net
