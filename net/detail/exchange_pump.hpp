// Moves the bytes of a protocol that took a request over (status 101) between its exchange and its state, both ways at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

#include <tandem/net/detail/state_keeper.hpp>
#include <tandem/net/http_exchange.hpp>

namespace tandem::net::detail {

// State: websocket_state, datagram_tunnel_state. The pump belongs to the state, which every operation on the exchange keeps.
template <class State>
class exchange_pump {
public:
    exchange_pump(const std::shared_ptr<State>& state, std::shared_ptr<http_exchange> exchange)
        : state_(state), exchange_(std::move(exchange)) {
        exchange_->on_over([weak = state_] {
            if (auto s = weak.lock()) s->on_gone(boost::asio::error::connection_reset, "the connection is gone");
        });
    }

    std::shared_ptr<State> state() const { return state_.lock(); }
    http_exchange& exchange() const { return *exchange_; }
    // The state may want bytes now, or have some.
    void wake() {
        if (auto s = state_.lock()) {
            read(s);
            write(s);
        }
    }

private:
    static constexpr std::size_t write_size = 16 * 1024;

    void read(const std::shared_ptr<State>& s);
    void write(const std::shared_ptr<State>& s);
    void write_rest(const std::shared_ptr<State>& s, std::size_t from);

    std::weak_ptr<State> state_;
    std::shared_ptr<http_exchange> exchange_;
    std::array<std::uint8_t, 4096> incoming_;  // small: who is idle waits with it
    std::vector<std::uint8_t> outgoing_;       // only while there is something to send
    bool reading_ = false;
    bool read_to_end_ = false;
    bool writing_ = false;
    bool last_ = false;  // nothing comes after `outgoing_`
};

template <class State>
void exchange_pump<State>::read(const std::shared_ptr<State>& s) {
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

template <class State>
void exchange_pump<State>::write(const std::shared_ptr<State>& s) {
    if (writing_ || last_ || (!s->has_output() && !s->closing())) return;
    writing_ = true;
    outgoing_.resize(write_size);
    const auto made = s->produce(outgoing_);
    outgoing_.resize(made.n);
    last_ = made.end;
    write_rest(s, 0);
}

template <class State>
void exchange_pump<State>::write_rest(const std::shared_ptr<State>& s, std::size_t from) {
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

}  // namespace tandem::net::detail
