// Runs one network_node on a UDP socket and a timer: reads a batch, hands it in, lets the application act, sends trains
// until there is nothing to send, and sleeps until the next datagram or deadline.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

#include <tandem/bytes/datagram.hpp>
#include <tandem/net/clock.hpp>
#include <tandem/net/lazy_timer.hpp>
#include <tandem/net/udp_socket.hpp>

namespace tandem::net {

// What a driver tells its owner. All run on the driver's executor, never inside a call of the owner's.
struct driver_hooks {
    // After each batch or deadline, before sending: read events and data, write, open, close.
    std::function<void(time_point now)> application;
    // The network reported an error (udp_options::report_errors).
    std::function<void(const udp_error&, time_point now)> error;
};

// The node must outlive the driver. Not thread-safe: everything happens on the socket's executor, which must be a
// strand or be run by one thread.
template <network_node Node>
class driver {
public:
    driver(udp_socket socket, Node& node, driver_hooks hooks)
        : core_(std::make_shared<core>(std::move(socket), node, std::move(hooks))) {}
    driver(const driver&) = delete;
    driver& operator=(const driver&) = delete;
    ~driver() { stop(); }

    void start() {
        core_->wait_readable();
        wake();
    }
    // The application changed something outside of a hook: run a turn soon. Cheap to call often.
    void wake() { core_->wake(); }
    // Sends what the node has to send now, as far as the socket takes it at once, then stops.
    void send_and_stop(time_point at) {
        if (!core_->stopped) core_->flush(at);
        core_->stop();
    }
    // Closes the socket; the node and the hooks are not used any more.
    void stop() { core_->stop(); }

    const udp_socket& socket() const { return core_->socket; }

private:
    struct core : std::enable_shared_from_this<core> {
        core(udp_socket s, Node& n, driver_hooks h)
            : socket(std::move(s)), node(&n), hooks(std::move(h)), timer(socket.get_executor()), buffer(udp_socket::max_train_bytes) {}

        void stop();
        void wake();
        void wait_readable();
        void wait_writable();
        void read();
        void turn(time_point at);
        void flush(time_point at);
        void arm();
        void report_errors(time_point at);

        udp_socket socket;
        Node* node;
        driver_hooks hooks;
        lazy_timer timer;
        std::vector<std::uint8_t> buffer;
        train pending;                 // being sent when progress < pending.size
        std::size_t progress = 0;
        bool woken = false;
        bool waiting_writable = false;
        bool stopped = false;
    };

    // Bounds of one turn, so that neither reading nor sending starves the other (or other users of the executor).
    static constexpr int max_reads = 4;
    static constexpr int max_trains = 32;

    std::shared_ptr<core> core_;
};

template <network_node Node>
void driver<Node>::core::stop() {
    stopped = true;
    timer.cancel();
    socket.close();
}

template <network_node Node>
void driver<Node>::core::wake() {
    if (woken || stopped) return;
    woken = true;
    boost::asio::post(socket.get_executor(), [self = this->shared_from_this()] {
        self->woken = false;
        if (!self->stopped) self->turn(now());
    });
}

template <network_node Node>
void driver<Node>::core::wait_readable() {
    socket.native().async_wait(boost::asio::socket_base::wait_read,
                               [self = this->shared_from_this()](const boost::system::error_code& error) {
                                   if (error || self->stopped) return;
                                   self->read();
                                   if (!self->stopped) self->wait_readable();
                               });
}

template <network_node Node>
void driver<Node>::core::wait_writable() {
    if (std::exchange(waiting_writable, true)) return;
    socket.native().async_wait(boost::asio::socket_base::wait_write,
                               [self = this->shared_from_this()](const boost::system::error_code& error) {
                                   self->waiting_writable = false;
                                   if (!error && !self->stopped) self->turn(now());
                               });
}

template <network_node Node>
void driver<Node>::core::read() {
    auto at = now();  // one reading for all of the batch: it arrived while we were elsewhere
    for (int i = 0; i < max_reads; ++i) {
        auto messages = socket.receive([&](received_datagram& d) { node->receive(d, at); });
        if (messages == 0) break;
    }
    report_errors(at);
    if (!stopped) turn(at);
}

template <network_node Node>
void driver<Node>::core::turn(time_point at) {
    if (auto deadline = node->next_timeout(); deadline && *deadline <= at) node->on_timeout(at);
    if (hooks.application) hooks.application(at);
    if (stopped) return;
    flush(at);
    report_errors(at);
    if (!stopped) arm();
}

template <network_node Node>
void driver<Node>::core::flush(time_point at) {
    for (int i = 0; i < max_trains; ++i) {
        if (progress == pending.size) {
            pending = train{};
            pending.buffer = buffer;
            progress = 0;
            if (!node->transmit(at, pending)) {
                pending.size = 0;
                return;
            }
        }
        if (socket.send(pending, progress) == udp_socket::send_result::would_block) return wait_writable();
    }
    wake();
}

template <network_node Node>
void driver<Node>::core::arm() {
    timer.arm(node->next_timeout(), [self = this->shared_from_this()] {
        if (!self->stopped) self->turn(now());
    });
}

template <network_node Node>
void driver<Node>::core::report_errors(time_point at) {
    while (auto error = socket.poll_error()) {
        if (hooks.error) hooks.error(*error, at);
        if (stopped) return;
    }
}

}  // namespace tandem::net
