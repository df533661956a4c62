// Moves bytes between a TCP socket, the kernel's or our own, and a sans-IO engine that speaks over a byte stream.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <tandem/net/byte_transport.hpp>
#include <tandem/net/clock.hpp>
#include <tandem/net/lazy_timer.hpp>
#include <tandem/net/lingering_close.hpp>

namespace tandem::net {

struct pump_hooks {
    // After bytes moved or a deadline passed, before sending: read events, submit, respond.
    std::function<void(time_point now)> application;
    // The connection is over; `error` if the network ended it. Called once; nothing is called after it.
    std::function<void(boost::system::error_code error)> ended;
};

// Engine: http::byte_stream_client, http::byte_stream_server or anything with their verbs. Hold it by shared_ptr.
template <class Engine, class Socket = boost::asio::ip::tcp::socket>
class byte_stream_pump : public std::enable_shared_from_this<byte_stream_pump<Engine, Socket>> {
public:
    byte_stream_pump(Socket socket, Engine engine, pump_hooks hooks, const lingering_limits& lingering = {})
        : socket_(std::move(socket)),
          engine_(std::move(engine)),
          hooks_(std::move(hooks)),
          timer_(socket_.get_executor()),
          lingering_(lingering) {}

    void start();
    void wake();  // the application gave the engine work outside of a hook
    void stop();  // closes the socket at once; no hook is called any more

    Engine& engine() { return engine_; }
    const Engine& engine() const { return engine_; }
    const Socket& socket() const { return socket_; }
    // The end was sent: the peer is given time to read it, and the pump ends by itself.
    bool lingering() const { return lingering_.begun(); }
    // Bytes sent that the peer has not acknowledged.
    std::uint64_t unacknowledged() { return net::unacknowledged(socket_); }
    std::uint64_t bytes_received() const { return bytes_received_; }
    std::uint64_t bytes_sent() const { return bytes_sent_; }

private:
    static constexpr std::size_t piece = 64 * 1024;
    static constexpr int max_pieces = 16;  // of one turn, so that others run too

    // One buffer for all connections of a thread: only what a socket did not take is kept per connection.
    static std::array<std::uint8_t, piece>& scratch() {
        static thread_local std::array<std::uint8_t, piece> buffer;
        return buffer;
    }

    void wait_readable();
    void wait_writable();
    void read();
    void turn(time_point at);
    bool flush(time_point at);
    bool write(std::span<const std::uint8_t> bytes);
    void read_rest(time_point at);
    void end(boost::system::error_code error);
    void finish_if_done(time_point at);

    Socket socket_;
    Engine engine_;
    pump_hooks hooks_;
    lazy_timer timer_;
    std::vector<std::uint8_t> unsent_;  // what the socket did not take
    lingering_close lingering_;
    boost::system::error_code broken_;
    std::uint64_t bytes_received_ = 0;
    std::uint64_t bytes_sent_ = 0;
    bool woken_ = false;
    bool reading_ = false;
    bool writing_ = false;
    bool end_of_input_ = false;
    bool over_ = false;
};

template <class Engine, class Socket>
void byte_stream_pump<Engine, Socket>::start() {
    boost::system::error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);  // the engine makes whole records; nothing to gather
    wake();
}

template <class Engine, class Socket>
void byte_stream_pump<Engine, Socket>::wake() {
    if (woken_ || over_) return;
    woken_ = true;
    boost::asio::post(socket_.get_executor(), [self = this->shared_from_this()] {
        self->woken_ = false;
        if (!self->over_) self->turn(now());
    });
}

template <class Engine, class Socket>
void byte_stream_pump<Engine, Socket>::stop() {
    over_ = true;
    timer_.cancel();
    boost::system::error_code ignored;
    socket_.close(ignored);
}

template <class Engine, class Socket>
void byte_stream_pump<Engine, Socket>::end(boost::system::error_code error) {
    if (over_) return;
    stop();
    if (hooks_.ended) hooks_.ended(error);
}

template <class Engine, class Socket>
void byte_stream_pump<Engine, Socket>::wait_readable() {
    if (end_of_input_ || (!lingering_.begun() && !engine_.wants_to_receive()) || std::exchange(reading_, true)) return;
    socket_.async_wait(boost::asio::socket_base::wait_read,
                       [self = this->shared_from_this()](const boost::system::error_code& error) {
                           self->reading_ = false;
                           if (!error && !self->over_) self->read();
                       });
}

template <class Engine, class Socket>
void byte_stream_pump<Engine, Socket>::wait_writable() {
    if (std::exchange(writing_, true)) return;
    socket_.async_wait(boost::asio::socket_base::wait_write,
                       [self = this->shared_from_this()](const boost::system::error_code& error) {
                           self->writing_ = false;
                           if (!error && !self->over_) self->turn(now());
                       });
}

template <class Engine, class Socket>
void byte_stream_pump<Engine, Socket>::read() {
    auto at = now();
    auto& buffer = scratch();
    for (int i = 0; i < max_pieces; ++i) {
        boost::system::error_code error;
        auto n = socket_.read_some(boost::asio::buffer(buffer), error);
        if (error == boost::asio::error::would_block || error == boost::asio::error::try_again) break;
        if (error) {
            end_of_input_ = true;
            engine_.receive_end(at);
            if (error == boost::asio::error::eof) break;
            if (hooks_.application) hooks_.application(at);
            return end(error);
        }
        bytes_received_ += n;
        if (lingering_.begun()) {
            lingering_.received(at);
        } else {
            engine_.receive({buffer.data(), n}, {}, at);
            if (!engine_.wants_to_receive()) break;
        }
        if (n < buffer.size()) break;
    }
    turn(at);
}

template <class Engine, class Socket>
void byte_stream_pump<Engine, Socket>::turn(time_point at) {
    if (auto deadline = engine_.next_timeout(); deadline && *deadline <= at) engine_.on_timeout(at);
    for (int i = 0; i < max_pieces; ++i) {
        if (hooks_.application) hooks_.application(at);
        if (over_) return;
        bool moved = flush(at);
        if (broken_) return read_rest(at);
        if (!moved) break;  // else what was sent may have ended a request: the application hears of it
        if (i + 1 == max_pieces) wake();
    }
    if (over_) return;
    finish_if_done(at);
    if (over_) return;
    wait_readable();
    auto deadline = engine_.next_timeout();
    if (lingering_.begun() && (!deadline || lingering_.deadline() < *deadline)) deadline = lingering_.deadline();
    timer_.arm(deadline, [self = this->shared_from_this()] {
        if (!self->over_) self->turn(now());
    });
}

// Returns whether anything was sent.
template <class Engine, class Socket>
bool byte_stream_pump<Engine, Socket>::flush(time_point at) {
    bool any = false;
    if (!unsent_.empty()) {
        if (writing_) return false;
        auto rest = std::exchange(unsent_, {});
        if (!write(rest)) return false;
        any = true;
    }
    for (int i = 0; i < max_pieces; ++i) {
        auto n = engine_.transmit(scratch(), at);
        if (n == 0) return any;
        any = true;
        if (!write({scratch().data(), n})) return any;
    }
    return any;
}

// False if the socket did not take all (the rest is kept) or is broken.
template <class Engine, class Socket>
bool byte_stream_pump<Engine, Socket>::write(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
        boost::system::error_code error;
        auto n = socket_.write_some(boost::asio::buffer(bytes.data(), bytes.size()), error);
        bytes_sent_ += n;
        bytes = bytes.subspan(n);
        if (error == boost::asio::error::would_block || error == boost::asio::error::try_again) {
            unsent_.assign(bytes.begin(), bytes.end());
            wait_writable();
            return false;
        }
        if (error) {
            broken_ = error;
            return false;
        }
    }
    return true;
}

// The socket takes no more. What the peer sent before it closed may say why: that is read first.
template <class Engine, class Socket>
void byte_stream_pump<Engine, Socket>::read_rest(time_point at) {
    auto& buffer = scratch();
    for (int i = 0; i < max_pieces && engine_.wants_to_receive(); ++i) {
        boost::system::error_code error;
        auto n = socket_.read_some(boost::asio::buffer(buffer), error);
        if (error) break;
        engine_.receive({buffer.data(), n}, {}, at);
    }
    engine_.receive_end(at);
    if (hooks_.application) hooks_.application(at);
    end(broken_);
}

template <class Engine, class Socket>
void byte_stream_pump<Engine, Socket>::finish_if_done(time_point at) {
    if (!lingering_.begun()) {
        if (!unsent_.empty() || !engine_.finished_sending()) return;
        boost::system::error_code ignored;
        socket_.shutdown(boost::asio::socket_base::shutdown_send, ignored);
        lingering_.begin(at, unacknowledged());
    }
    if (end_of_input_ || lingering_.over(at, unacknowledged())) end({});
}

}  // namespace tandem::net
