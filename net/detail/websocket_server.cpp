// A WebSocket's stream at a server: an exchange that was answered with 101.
#include <utility>

#include <tandem/net/detail/exchange_pump.hpp>
#include <tandem/net/detail/websocket_state.hpp>

namespace tandem::net::detail {

namespace {

class server_channel final : public websocket_channel {
public:
    server_channel(const std::shared_ptr<websocket_state>& state, std::shared_ptr<http_exchange> exchange)
        : pump_(state, std::move(exchange)) {}

    void wake() override { pump_.wake(); }
    void reset() override { pump_.exchange().reset(); }

private:
    exchange_pump<websocket_state> pump_;
};

}  // namespace

std::shared_ptr<websocket_state> websocket_state::server(std::shared_ptr<http_exchange> exchange, websocket_options options,
                                                         std::string subprotocol) {
    auto state =
        std::make_shared<websocket_state>(exchange->get_executor(), http::websocket_engine::role::server, std::move(options));
    state->channel_ = std::make_unique<server_channel>(state, std::move(exchange));
    state->opened(std::move(subprotocol));
    state->wake();
    return state;
}

}  // namespace tandem::net::detail
