// A datagram tunnel at a server: an exchange that was answered with 101.
#include <utility>

#include <tandem/net/detail/datagram_tunnel_state.hpp>
#include <tandem/net/detail/exchange_pump.hpp>

namespace tandem::net::detail {

namespace {

class server_channel final : public datagram_channel {
public:
    server_channel(const std::shared_ptr<datagram_tunnel_state>& state, std::shared_ptr<http_exchange> exchange)
        : pump_(state, std::move(exchange)) {
        pump_.exchange().on_datagrams([this] { take_datagrams(); });
    }
    ~server_channel() override { pump_.exchange().on_datagrams({}); }

    void take_datagrams() {
        const auto s = pump_.state();
        while (auto datagram = s ? pump_.exchange().receive_datagram() : std::nullopt) s->on_datagram(std::move(*datagram));
    }
    void wake() override { pump_.wake(); }
    void reset(http::h3_error code) override { pump_.exchange().reset(code); }
    std::size_t max_datagram() const override { return pump_.exchange().max_datagram(); }
    http::datagram_result send(std::span<const std::uint8_t> datagram) override {
        return pump_.exchange().send_datagram(datagram);
    }

private:
    exchange_pump<datagram_tunnel_state> pump_;
};

}  // namespace

std::shared_ptr<datagram_tunnel_state> datagram_tunnel_state::server(std::shared_ptr<http_exchange> exchange,
                                                                     datagram_tunnel_options options) {
    auto state = std::make_shared<datagram_tunnel_state>(exchange->get_executor(), std::move(options));
    auto channel = std::make_unique<server_channel>(state, std::move(exchange));
    auto& beneath = *channel;
    state->channel_ = std::move(channel);
    state->opened();
    beneath.take_datagrams();  // those that came with the request
    state->wake();
    return state;
}

}  // namespace tandem::net::detail
