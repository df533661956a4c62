// A datagram tunnel at a server: an exchange that was answered with 101.
#include <array>
#include <utility>
#include <vector>

#include <boost/asio/error.hpp>

#include <tandem/net/detail/datagram_tunnel_state.hpp>
#include <tandem/net/detail/state_keeper.hpp>
#include <tandem/net/http_exchange.hpp>

namespace tandem::net::detail {

namespace {

constexpr std::size_t write_size = 16 * 1024;

// Belongs to the state, which every operation on the exchange keeps.
class server_channel final : public datagram_channel {
public:
    server_channel(const std::shared_ptr<datagram_tunnel_state>& state, std::shared_ptr<http_exchange> exchange)
        : state_(state), exchange_(std::move(exchange)) {
        exchange_->on_over([weak = state_] {
            if (auto s = weak.lock()) s->on_gone(boost::asio::error::connection_reset, "the connection is gone");
        });
        exchange_->on_datagrams([this] { take_datagrams(); });
    }
    ~server_channel() override { exchange_->on_datagrams({}); }

    void take_datagrams() {
        const auto s = state_.lock();
        while (auto datagram = s ? exchange_->receive_datagram() : std::nullopt) s->on_datagram(std::move(*datagram));
    }
    void wake() override {
        if (auto s = state_.lock()) {
            read(s);
            write(s);
        }
    }
    void reset(http::h3_error code) override { exchange_->reset(code); }
    std::size_t max_datagram() const override { return exchange_->max_datagram(); }
    http::datagram_result send(std::span<const std::uint8_t> datagram) override { return exchange_->send_datagram(datagram); }

private:
    void read(const std::shared_ptr<datagram_tunnel_state>& s);
    void write(const std::shared_ptr<datagram_tunnel_state>& s);
    void write_rest(const std::shared_ptr<datagram_tunnel_state>& s, std::size_t from);

    std::weak_ptr<datagram_tunnel_state> state_;
    std::shared_ptr<http_exchange> exchange_;
    std::array<std::uint8_t, 4096> incoming_;  // small: an idle tunnel waits with it
    std::vector<std::uint8_t> outgoing_;       // only while there is something to send
    bool reading_ = false;
    bool read_to_end_ = false;
    bool writing_ = false;
    bool last_ = false;  // nothing comes after `outgoing_`
};

void server_channel::read(const std::shared_ptr<datagram_tunnel_state>& s) {
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

void server_channel::write(const std::shared_ptr<datagram_tunnel_state>& s) {
    if (writing_ || last_ || (!s->has_output() && !s->closing())) return;
    writing_ = true;
    outgoing_.resize(write_size);
    const auto made = s->produce(outgoing_);
    outgoing_.resize(made.n);
    last_ = made.end;
    write_rest(s, 0);
}

void server_channel::write_rest(const std::shared_ptr<datagram_tunnel_state>& s, std::size_t from) {
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
