// The operations of tcp_core that wait; listeners.
#include <algorithm>

#include <boost/asio/error.hpp>

#include <tandem/net/clock.hpp>
#include <tandem/net/detail/tcp_core.hpp>

namespace tandem::net::detail {

namespace error = boost::asio::error;

void tcp_core::wait_connected(handle h, std::uint64_t operation, plain_operation op) {
    auto* s = state(h);
    if (s == nullptr || stopped_) return op.complete(error::operation_aborted);
    if (s->connecting.op) return op.complete(error::already_started);
    if (s->ended) return op.complete(*s->ended ? *s->ended : error_code(error::operation_aborted));
    if (s->connected) return op.complete({});
    s->connecting = {operation, std::move(op)};
}

void tcp_core::read(handle h, std::uint64_t operation, const read_buffers& buffers, io_operation op) {
    auto* s = state(h);
    if (s == nullptr || stopped_) return op.complete(error::bad_descriptor, 0);
    if (s->reading.op) return op.complete(error::already_started, 0);
    if (buffers.empty()) return op.complete({}, 0);
    s->reading = {operation, std::move(op)};
    s->read_into = buffers;
    try_read(*s, h);
}

void tcp_core::write(handle h, std::uint64_t operation, const write_buffers& buffers, io_operation op) {
    auto* s = state(h);
    if (s == nullptr || stopped_) return op.complete(error::bad_descriptor, 0);
    if (s->writing.op) return op.complete(error::already_started, 0);
    if (buffers.empty()) return op.complete({}, 0);
    s->writing = {operation, std::move(op)};
    s->write_from = buffers;
    try_write(*s, h);
}

void tcp_core::wait_readable(handle h, std::uint64_t operation, plain_operation op) {
    auto* s = state(h);
    if (s == nullptr || stopped_) return op.complete(error::bad_descriptor);
    if (s->readable.op) return op.complete(error::already_started);
    if (readable_now(*s, h)) return op.complete({});
    s->readable = {operation, std::move(op)};
}

void tcp_core::wait_writable(handle h, std::uint64_t operation, plain_operation op) {
    auto* s = state(h);
    if (s == nullptr || stopped_) return op.complete(error::bad_descriptor);
    if (s->writable.op) return op.complete(error::already_started);
    auto* c = endpoint_.find(h);
    if (s->ended || s->send_shut || c == nullptr || (s->connected && c->send_room() > 0)) return op.complete({});
    static_cast<void>(c->writable_without_queueing());  // asks for the writable event
    s->writable = {operation, std::move(op)};
}

void tcp_core::cancel(handle h, std::uint64_t operation) {
    auto* s = state(h);
    if (s == nullptr) return;
    for (auto* w : {&s->connecting, &s->readable, &s->writable}) {
        if (w->op && w->number == operation) w->op.complete(error::operation_aborted);
    }
    for (auto* w : {&s->reading, &s->writing}) {
        if (w->op && w->number == operation) w->op.complete(error::operation_aborted, 0);
    }
}

void tcp_core::cancel_all(handle h) {
    if (auto* s = state(h)) fail_all(*s, error::operation_aborted);
}

// --- listeners

error_code tcp_core::listen(ip_endpoint& local, std::size_t backlog) {
    if (stopped_) return error::operation_aborted;
    if (listeners_.contains(local)) return error::address_in_use;
    if (std::erase(closed_listeners_, local) == 0) {
        if (auto why = carrier_->open_listener(local)) return why;
    }
    if (local.port == 0) {  // the carrier has no ports of its own
        for (std::uint32_t port = first_ephemeral_; port <= last_ephemeral_ && local.port == 0; ++port) {
            if (!listeners_.contains({local.address, static_cast<std::uint16_t>(port)}))
                local.port = static_cast<std::uint16_t>(port);
        }
        if (local.port == 0) return error::address_in_use;
    }
    tcp::listen_config config;
    config.connection = config_;
    config.connection.mtu = std::min(config_.mtu, carrier_->mtu(local.address.is_v6));
    config.backlog = backlog;
    config.max_half_open = std::max<std::size_t>(config.max_half_open, backlog);
    if (!endpoint_.listen(local, config)) {
        carrier_->close_local(local);
        return error::address_in_use;
    }
    listeners_[local].backlog = backlog;
    return {};
}

// Connections that nobody accepted are reset, as the kernel does it.
void tcp_core::close_listener(const ip_endpoint& local) {
    auto node = listeners_.extract(local);
    if (node.empty()) return;
    auto& l = node.mapped();
    for (auto& w : l.accepting) w.op.complete(error::operation_aborted, {});
    if (l.acceptable.op) l.acceptable.op.complete(error::operation_aborted);
    if (stopped_) return;
    endpoint_.close_listener(local);
    for (const auto h : l.queue) abort(h);
    closed_listeners_.push_back(local);
    wake();
}

// The endpoint counts those that wait there; those that wait here take up room as well.
void tcp_core::update_backlog(const ip_endpoint& local, const listener_state& l) {
    endpoint_.set_backlog(local, l.backlog - std::min(l.backlog, l.queue.size()));
}

tcp_core::handle tcp_core::accept_now(const ip_endpoint& listener, error_code& why) {
    const auto it = listeners_.find(listener);
    if (it == listeners_.end() || stopped_) return why = error::bad_descriptor, handle{};
    auto& l = it->second;
    if (l.queue.empty()) return why = error::would_block, handle{};
    why = {};
    const auto h = l.queue.front();
    l.queue.pop_front();
    update_backlog(listener, l);
    return h;
}

void tcp_core::accept(const ip_endpoint& listener, std::uint64_t operation, handle_operation op) {
    error_code why;
    const auto h = accept_now(listener, why);
    if (why == error::would_block) {
        listeners_[listener].accepting.push_back({operation, std::move(op)});
    } else {
        op.complete(why, h);
    }
}

void tcp_core::wait_acceptable(const ip_endpoint& listener, std::uint64_t operation, plain_operation op) {
    const auto it = listeners_.find(listener);
    if (it == listeners_.end() || stopped_) return op.complete(error::bad_descriptor);
    if (it->second.acceptable.op) return op.complete(error::already_started);
    if (!it->second.queue.empty()) return op.complete({});
    it->second.acceptable = {operation, std::move(op)};
}

void tcp_core::cancel_accept(const ip_endpoint& listener, std::uint64_t operation) {
    const auto it = listeners_.find(listener);
    if (it == listeners_.end()) return;
    auto& l = it->second;
    if (l.acceptable.op && l.acceptable.number == operation) l.acceptable.op.complete(error::operation_aborted);
    const auto found = std::find_if(l.accepting.begin(), l.accepting.end(), [&](const auto& w) { return w.number == operation; });
    if (found == l.accepting.end()) return;
    auto op = std::move(found->op);
    l.accepting.erase(found);
    op.complete(error::operation_aborted, {});
}

// --- looking in

tcp_snapshot tcp_core::snapshot(time_point now) const {
    tcp_snapshot out;
    out.carrier = std::string(carrier_->name());
    endpoint_.for_each_listener(
        [&](const ip_endpoint& local, const tcp::listen_config&, std::size_t half_open, std::size_t pending) {
            const auto it = listeners_.find(local);
            if (it == listeners_.end()) return;
            out.listeners.push_back({local, pending + it->second.queue.size(), it->second.backlog, half_open});
        });
    endpoint_.for_each([&](handle h, const tcp::connection& c) {
        tcp_socket_info i;
        i.state = c.state();
        i.path = c.path();
        i.receive_queue = c.readable();
        i.send_queue = c.unacknowledged();
        i.unsent = c.unsent();
        i.mss = c.send_mss();
        i.congestion = c.congestion(now);
        i.has_rtt = c.rtt().has_sample();
        i.rtt_variation = c.rtt().variation();
        const auto packets = c.reordering().packets();
        if (packets != recovery::reordering_tolerance::time_only) i.reordering = packets;
        i.reordering_time = c.reordering().time(c.rtt());
        i.min_rtt = c.rtt().minimum();
        i.controller = std::string(c.controller().name());
        i.pacing_rate = c.controller().pacing_rate().value_or(0);
        i.memory = c.memory();
        i.statistics = c.stats();
        const auto summary = c.summary(now);
        i.limited = summary.limited;
        i.limits = summary.limits;
        if (const auto* s = state(h)) {
            i.owned = true;
            if (s->peer_closed_at) i.peer_closed_for = now - *s->peer_closed_at;
        }
        out.sockets.push_back(std::move(i));
    });
    endpoint_.for_each_time_wait([&](const ip_path& path, time_point) {
        tcp_socket_info i;
        i.state = tcp::state::time_wait;
        i.path = path;
        out.sockets.push_back(std::move(i));
    });
    out.totals = endpoint_.totals();
    out.endpoint = endpoint_.stats();
    out.packets = carrier_->statistics();
    out.no_port_failures = no_port_failures_;
    out.ephemeral_ports = static_cast<std::size_t>(last_ephemeral_ - first_ephemeral_) + 1;
    return out;
}

}  // namespace tandem::net::detail
