// Runs one network_node on a UDP socket (more than one while connections migrate) and a timer: reads a batch, hands it in, lets
// the application act, sends trains until there is nothing to send, and sleeps until the next datagram or deadline.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

#include <tandem/bytes/datagram.hpp>
#include <tandem/net/clock.hpp>
#include <tandem/net/lazy_timer.hpp>
#include <tandem/net/route.hpp>
#include <tandem/net/udp_socket.hpp>

namespace tandem::net {

// What a driver tells its owner. All run on the driver's executor, never inside a call of the owner's.
struct driver_hooks {
    // After each batch or deadline, before sending: read events and data, write, open, close.
    std::function<void(time_point now)> application;
    // The network reported an error (udp_options::report_errors).
    std::function<void(const udp_error&, time_point now)> error;
    // If given, sees each datagram first: true if it is another's, and not to be handed in.
    std::function<bool(const received_datagram&)> divert;
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
        core_->wait_readable(core_->channels.front());
        wake();
    }
    // One more socket: what the node sends from its address and port, or at least from its port, leaves there. Make room first.
    void add_socket(udp_socket socket) { add(std::move(socket), false); }
    // One that never gives way to others, and so need not have room made.
    void keep_socket(udp_socket socket) { add(std::move(socket), true); }
    // For one more of at most max_sockets: the oldest of which needed(its local endpoint) is false gives way, but never the
    // first, nor one to be kept. False if there is none.
    template <class Needed>
    bool make_room(Needed&& needed) {
        auto& channels = core_->channels;
        if (channels.size() < max_sockets) return true;
        auto idle = std::find_if(channels.begin() + 1, channels.end(),
                                 [&](const auto& c) { return !c->kept && !needed(c->socket.local_endpoint()); });
        if (idle == channels.end()) return false;
        (*idle)->socket.close();
        channels.erase(idle);
        return true;
    }
    // A datagram that came another way; to be followed by wake().
    void deliver(received_datagram& datagram) {
        if (!core_->stopped) core_->node->receive(datagram, now());
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

    const boost::asio::any_io_executor& get_executor() const { return core_->executor; }
    // The first socket.
    const udp_socket& socket() const { return core_->channels.front()->socket; }

    // Of one driver: the ones that connections use or have just left.
    static constexpr std::size_t max_sockets = 8;

private:
    struct channel {
        explicit channel(udp_socket s, bool keep = true) : socket(std::move(s)), kept(keep) {}
        udp_socket socket;
        bool kept;
        bool waiting_writable = false;
    };

    struct core : std::enable_shared_from_this<core> {
        core(udp_socket s, Node& n, driver_hooks h)
            : executor(s.get_executor()), node(&n), hooks(std::move(h)), timer(executor), buffer(udp_socket::max_train_bytes) {
            channels.push_back(std::make_shared<channel>(std::move(s)));
        }

        void stop();
        void wake();
        void wait_readable(const std::shared_ptr<channel>& on);
        void wait_writable(const std::shared_ptr<channel>& on);
        void read(channel& from);
        const std::shared_ptr<channel>& channel_for(const ip_endpoint& local) const;
        void turn(time_point at);
        void measure_new_paths();
        void flush(time_point at);
        void arm();
        void report_errors(time_point at);

        boost::asio::any_io_executor executor;
        std::vector<std::shared_ptr<channel>> channels;  // never empty
        Node* node;
        driver_hooks hooks;
        lazy_timer timer;
        std::vector<std::uint8_t> buffer;
        train pending;  // being sent when progress < pending.size
        std::size_t progress = 0;
        bool woken = false;
        bool stopped = false;
    };

    void add(udp_socket socket, bool keep) {
        core_->channels.push_back(std::make_shared<channel>(std::move(socket), keep));
        core_->wait_readable(core_->channels.back());
    }

    // Bounds of one turn, so that neither reading nor sending starves the other (or other users of the executor).
    static constexpr int max_reads = 4;
    static constexpr int max_trains = 32;

    std::shared_ptr<core> core_;
};

template <network_node Node>
void driver<Node>::core::stop() {
    stopped = true;
    timer.cancel();
    for (auto& c : channels) c->socket.close();
}

template <network_node Node>
void driver<Node>::core::wake() {
    if (woken || stopped) return;
    woken = true;
    boost::asio::post(executor, [self = this->shared_from_this()] {
        self->woken = false;
        if (!self->stopped) self->turn(now());
    });
}

template <network_node Node>
void driver<Node>::core::wait_readable(const std::shared_ptr<channel>& on) {
    on->socket.native().async_wait(boost::asio::socket_base::wait_read,
                                   [self = this->shared_from_this(), on](const boost::system::error_code& error) {
                                       if (error || self->stopped || !on->socket.is_open()) return;
                                       self->read(*on);
                                       if (!self->stopped && on->socket.is_open()) self->wait_readable(on);
                                   });
}

template <network_node Node>
void driver<Node>::core::wait_writable(const std::shared_ptr<channel>& on) {
    if (std::exchange(on->waiting_writable, true)) return;
    on->socket.native().async_wait(boost::asio::socket_base::wait_write,
                                   [self = this->shared_from_this(), on](const boost::system::error_code& error) {
                                       on->waiting_writable = false;
                                       if (error && on->socket.is_open()) return;
                                       if (!self->stopped) self->turn(now());
                                   });
}

template <network_node Node>
void driver<Node>::core::read(channel& from) {
    auto at = now();  // one reading for all of the batch: it arrived while we were elsewhere
    for (int i = 0; i < max_reads; ++i) {
        auto messages = from.socket.receive([&](received_datagram& d) {
            if (!hooks.divert || !hooks.divert(d)) node->receive(d, at);
        });
        if (messages == 0) break;
    }
    report_errors(at);
    if (!stopped) turn(at);
}

// A node that was not told its address sends from the first.
template <network_node Node>
auto driver<Node>::core::channel_for(const ip_endpoint& local) const -> const std::shared_ptr<channel>& {
    if (channels.size() == 1) return channels.front();
    const std::shared_ptr<channel>* same_port = nullptr;
    for (const auto& c : channels) {
        const auto bound = c->socket.local_endpoint();
        if (bound == local) return c;
        if (bound.port == local.port && same_port == nullptr) same_port = &c;
    }
    return same_port ? *same_port : channels.front();
}

template <network_node Node>
void driver<Node>::core::turn(time_point at) {
    if (auto deadline = node->next_timeout(); deadline && *deadline <= at) node->on_timeout(at);
    if (hooks.application) hooks.application(at);
    if (stopped) return;
    measure_new_paths();
    flush(at);
    report_errors(at);
    if (!stopped) arm();
}

template <network_node Node>
void driver<Node>::core::measure_new_paths() {
    if constexpr (requires { node->poll_new_path(); }) {
        while (const auto found = node->poll_new_path()) {
            const auto bytes = largest_udp_payload(found->path.remote);
            if (bytes > 0) node->interface_takes(found->connection, found->path, bytes);
        }
    }
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
        const auto& to = channel_for(pending.path.local);
        const auto refused = to->socket.statistics().too_large;
        const auto result = to->socket.send(pending, progress);
        if (to->socket.statistics().too_large != refused) {
            if constexpr (requires { node->datagram_too_large(pending.path, pending.segment_size, at); }) {
                node->datagram_too_large(pending.path, pending.segment_size, at);
            }
        }
        if (result == udp_socket::send_result::would_block) return wait_writable(to);
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
    for (std::size_t i = 0; i < channels.size(); ++i) {
        while (auto error = channels[i]->socket.poll_error()) {
            if (hooks.error) hooks.error(*error, at);
            if (stopped) return;
        }
    }
}

}  // namespace tandem::net
