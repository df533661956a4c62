#include <tandem/net/detail/tls_state.hpp>

#include <cstring>

namespace tandem::net::detail {

tls_state::tls_state(const boost::asio::any_io_executor& executor)
    : input(input_size), outgoing(output_size), write_turn(executor, boost::asio::steady_timer::time_point::max()) {}

std::unique_ptr<tls_state> tls_state::client(const boost::asio::any_io_executor& executor,
                                             std::shared_ptr<const tls::client_context> context,
                                             const tls::client_session_options& options) {
    auto state = std::make_unique<tls_state>(executor);
    state->session = tls::record_session::client(std::move(context), options, {}, state->creation_error);
    return state;
}

std::unique_ptr<tls_state> tls_state::server(const boost::asio::any_io_executor& executor,
                                             std::shared_ptr<const tls::server_context> context,
                                             const tls::server_session_options& options) {
    auto state = std::make_unique<tls_state>(executor);
    state->session = tls::record_session::server(std::move(context), options, {}, state->creation_error);
    return state;
}

std::span<const std::uint8_t> tls_state::output() {
    // A copy: what the session holds may move while a write is under way.
    if (output_begin == output_end && session) {
        output_begin = 0;
        output_end = session->transmit(outgoing);
    }
    return {outgoing.data() + output_begin, output_end - output_begin};
}

void tls_state::received(std::size_t n) {
    input_begin = 0;
    input_end = n;
    offer();
}

void tls_state::offer() {
    if (input_begin == input_end) return;
    input_begin += session->receive({input.data() + input_begin, input_end - input_begin});
}

boost::system::error_code tls_state::error() const {
    if (session->failed()) {
        return session->failure().code == tls::error_code::verification ? tls_error::certificate : tls_error::failed;
    }
    if (session->truncated()) return tls_error::truncated;
    return {};
}

std::string tls_state::failure() const {
    if (!session) return creation_error.text;
    return session->failed() ? session->failure().text : std::string();
}

void tls_state::end_turn() { write_turn.cancel(); }

}  // namespace tandem::net::detail
