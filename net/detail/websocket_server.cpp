// A WebSocket's stream at a server: an exchange that was answered with 101.
#include <array>
#include <utility>
#include <vector>

#include <boost/asio/error.hpp>

#include <tandem/net/detail/state_keeper.hpp>
#include <tandem/net/detail/websocket_state.hpp>
#include <tandem/net/http_exchange.hpp>

namespace tandem::net::detail {

namespace {

constexpr std::size_t write_size = 16 * 1024;

// Belongs to the state, which every operation on the exchange keeps.
class server_channel final : public websocket_channel {
public:
    server_channel(const std::shared_ptr<websocket_state>& state, std::shared_ptr<http_exchange> exchange)
        : state_(state), exchange_(std::move(exchange)) {
        exchange_->on_over([weak = state_] {
            if (auto s = weak.lock()) s->on_gone(boost::asio::error::connection_reset, "the connection is gone");
        });
    }

    void wake() override {
        if (auto s = state_.lock()) {
            read(s);
            write(s);
        }
    }
    void reset() override { exchange_->reset(); }

private:
    void read(const std::shared_ptr<websocket_state>& s);
    void write(const std::shared_ptr<websocket_state>& s);
    void write_rest(const std::shared_ptr<websocket_state>& s, std::size_t from);

    std::weak_ptr<websocket_state> state_;
    std::shared_ptr<http_exchange> exchange_;
    std::array<std::uint8_t, 4096> incoming_;  // small: an idle WebSocket waits with it
    std::vector<std::uint8_t> outgoing_;       // only while there is something to send
    bool reading_ = false;
    bool read_to_end_ = false;
    bool writing_ = false;
    bool last_ = false;  // nothing comes after `outgoing_`
};

void server_channel::read(const std::shared_ptr<websocket_state>& s) {
    if (reading_ || read_to_end_ || !s->hungry()) return;
    reading_ = true;
    exchange_->async_read_some(boost::asio::buffer(incoming_),
                               [this, kept = state_keeper(s)](boost::system::error_code error, std::size_t n) mutable {
                                   const auto state = kept.take();
                                   reading_ = false;
                                   read_to_end_ = static_cast<bool>(error);
                                   if (n > 0) state->on_bytes({incoming_.data(), n});
                                   if (error == boost::asio::error::eof) {
                                       state->on_end();
                                   } else if (error) {
                                       return state->on_gone(error, error.message());
                                   }
                                   read(state);
                               });
}

void server_channel::write(const std::shared_ptr<websocket_state>& s) {
    if (writing_ || last_ || (!s->has_output() && !s->over())) return;
    writing_ = true;
    outgoing_.resize(write_size);
    const auto made = s->produce(outgoing_);
    outgoing_.resize(made.n);
    last_ = made.end;
    write_rest(s, 0);
}

void server_channel::write_rest(const std::shared_ptr<websocket_state>& s, std::size_t from) {
    if (from == outgoing_.size()) {
        writing_ = false;
        outgoing_ = {};
        if (last_) return exchange_->finish();
        return write(s);
    }
    exchange_->async_write_some(boost::asio::buffer(outgoing_) + from,
                                [this, kept = state_keeper(s), from](boost::system::error_code error, std::size_t n) mutable {
                                    const auto state = kept.take();
                                    if (error) return state->on_gone(error, error.message());
                                    write_rest(state, from + n);
                                });
}

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
