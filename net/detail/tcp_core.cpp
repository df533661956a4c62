#include <tandem/net/detail/tcp_core.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <tandem/net/clock.hpp>
#include <tandem/net/entropy.hpp>

namespace tandem::net::detail {

namespace error = boost::asio::error;

namespace {

constexpr std::size_t train_bytes = 65536;
constexpr int max_last_turns = 2048;  // of sending resets when the stack ends: as many as there can be connections

tcp::endpoint_config endpoint_config_for(tcp::endpoint_config c, const packet_carrier& carrier) {
    c.checksum_offload = carrier.completes_checksums();
    c.addresses = carrier.addresses();
    return c;
}

error_code meaning(tcp::event e) {
    switch (e) {
        case tcp::event::refused:
            return error::connection_refused;
        case tcp::event::reset:
            return error::connection_reset;
        case tcp::event::timed_out:
            return error::timed_out;
        case tcp::event::unreachable:
            return error::host_unreachable;
        default:
            return {};
    }
}

error_code meaning(tcp::connect_error e) {
    switch (e) {
        case tcp::connect_error::none:
            return {};
        case tcp::connect_error::no_free_port:
            return {EADDRNOTAVAIL, boost::system::system_category()};  // as Linux says it
        case tcp::connect_error::port_in_use:
            return error::address_in_use;
        case tcp::connect_error::bad_address:
            return error::invalid_argument;
    }
    return error::invalid_argument;
}

}  // namespace

tcp_core::tcp_core(boost::asio::any_io_executor executor, std::unique_ptr<packet_carrier> carrier, tcp::endpoint_config endpoint,
                   tcp::config connection)
    : executor_(std::move(executor)),
      carrier_(std::move(carrier)),
      config_(std::move(connection)),
      first_ephemeral_(endpoint.first_ephemeral_port),
      last_ephemeral_(endpoint.last_ephemeral_port),
      endpoint_(endpoint_config_for(endpoint, *carrier_), random_source(random_seed())),
      timer_(executor_),
      buffer_(train_bytes) {}

void tcp_core::start() {
    carrier_hooks hooks;
    hooks.readable = [weak = weak_from_this()] {
        if (auto self = weak.lock(); self && !self->stopped_) self->read_batch();
    };
    hooks.writable = [weak = weak_from_this()] {
        auto self = weak.lock();
        if (!self || self->stopped_) return;
        self->blocked_ = false;
        self->turn(now());
    };
    hooks.error = [weak = weak_from_this()](const ip_path& path, tcp::icmp_error::kind what, std::uint16_t mtu) {
        if (auto self = weak.lock(); self && !self->stopped_) self->endpoint_.on_carrier_error(path, what, mtu, now());
    };
    carrier_->start(std::move(hooks));
}

void tcp_core::stop() {
    if (stopped_) return;
    std::vector<handle> all;
    endpoint_.for_each([&all](handle h, const tcp::connection&) { all.push_back(h); });
    for (const auto h : all) {
        if (auto* c = endpoint_.find(h)) c->abort();
    }
    const auto at = now();
    for (int i = 0; i < max_last_turns; ++i) {
        woken_ = false;
        flush(at);
        if (!woken_) break;  // nothing is left, or the carrier takes no more
    }
    stopped_ = true;
    timer_.cancel();
    carrier_->close();
    for (auto& [h, s] : connections_) fail_all(s, error::operation_aborted);
    for (auto& [local, l] : listeners_) {
        for (auto& w : l.accepting) w.op.complete(error::operation_aborted, {});
        if (l.acceptable.op) l.acceptable.op.complete(error::operation_aborted);
    }
    listeners_.clear();
    if (auto done = std::exchange(drained_, {})) boost::asio::post(executor_, std::move(done));
}

void tcp_core::drain(time_point deadline, std::function<void()> done) {
    drain_until_ = deadline;
    drained_ = std::move(done);
    if (stopped_) {
        boost::asio::post(executor_, std::exchange(drained_, {}));
    } else {
        wake();
    }
}

void tcp_core::check_drained(time_point at) {
    if (!drained_) return;
    bool busy = false;
    endpoint_.for_each([&busy](handle, const tcp::connection& c) {
        busy = busy || (c.state() != tcp::state::closed && c.state() != tcp::state::time_wait);
    });
    if (busy && at < *drain_until_) return;
    drain_until_.reset();
    boost::asio::post(executor_, std::exchange(drained_, {}));
}

// --- the loop

void tcp_core::wake() {
    if (woken_ || stopped_) return;
    woken_ = true;
    boost::asio::post(executor_, [self = shared_from_this()] {
        self->woken_ = false;
        if (!self->stopped_) self->turn(now());
    });
}

// Everything that has arrived first, then one answer to all of it.
void tcp_core::read_batch() {
    const auto at = now();
    for (int i = 0; i < max_batches; ++i) {
        if (carrier_->receive(endpoint_, at) == 0) break;
    }
    turn(at);
}

void tcp_core::turn(time_point at) {
    if (const auto deadline = endpoint_.next_timeout(); deadline && *deadline <= at) endpoint_.on_timeout(at);
    poll_events(at);
    flush(at);
    poll_events(at);  // sending may have made room
    close_unused_locals();
    check_drained(at);
    arm();
}

void tcp_core::poll_events(time_point at) {
    while (const auto e = endpoint_.poll_event()) on_event(*e, at);
}

void tcp_core::flush(time_point at) {
    if (blocked_) return;
    for (int i = 0; i < max_trains; ++i) {
        if (progress_ == pending_.size) {
            pending_ = train{};
            pending_.buffer = buffer_;
            progress_ = 0;
            if (!endpoint_.transmit(at, pending_)) {
                pending_.size = 0;
                return;
            }
        }
        if (carrier_->send(pending_, progress_) == packet_carrier::send_result::would_block) {
            blocked_ = true;
            return;
        }
    }
    wake();
}

void tcp_core::arm() {
    auto deadline = endpoint_.next_timeout();
    if (drain_until_ && (!deadline || *drain_until_ < *deadline)) deadline = drain_until_;
    timer_.arm(deadline, [self = shared_from_this()] {
        if (!self->stopped_) self->turn(now());
    });
}

void tcp_core::close_unused_locals() {
    // Looked at when connections have come or gone, not at every turn.
    if (std::exchange(seen_connections_, endpoint_.connection_count()) == endpoint_.connection_count() &&
        closed_listeners_.empty())
        return;
    std::erase_if(locals_, [this](const local_in_use& l) {
        if (endpoint_.find(l.connection) != nullptr || endpoint_.in_time_wait({l.local, l.remote})) return false;
        carrier_->close_local(l.local);
        return true;
    });
    // A listener's end serves the connections that were accepted there, too.
    std::erase_if(closed_listeners_, [this](const ip_endpoint& local) {
        bool used = listeners_.contains(local);
        endpoint_.for_each([&](handle, const tcp::connection& c) { used = used || c.path().local.port == local.port; });
        endpoint_.for_each_time_wait([&](const ip_path& path, time_point) { used = used || path.local.port == local.port; });
        if (!used) carrier_->close_local(local);
        return !used;
    });
}

// --- events

void tcp_core::on_event(const tcp::endpoint_event& e, time_point at) {
    if (e.what == tcp::event::accepted) return on_accepted(e, at);
    auto* s = state(e.connection);
    if (s == nullptr) return;
    switch (e.what) {
        case tcp::event::connected:
            s->connected = true;
            if (s->connecting.op) s->connecting.op.complete({});
            if (s->writable.op) s->writable.op.complete({});
            return try_write(*s, e.connection);
        case tcp::event::readable:
            return try_read(*s, e.connection);
        case tcp::event::peer_closed:
            s->peer_closed = true;
            s->peer_closed_at = at;
            return try_read(*s, e.connection);
        case tcp::event::writable:
            if (s->writable.op) s->writable.op.complete({});
            return try_write(*s, e.connection);
        default:
            return on_ended(*s, e.connection, meaning(e.what));
    }
}

void tcp_core::on_accepted(const tcp::endpoint_event& e, time_point at) {
    const auto* c = endpoint_.find(e.connection);
    const auto it = listeners_.find(e.listener);
    if (c == nullptr || it == listeners_.end()) {  // nobody listens any more
        if (auto* live = endpoint_.find(e.connection)) live->abort();
        endpoint_.release(e.connection, at);
        return;
    }
    auto& s = connections_[e.connection];
    s.path = c->path();
    s.connected = true;
    auto& l = it->second;
    if (!l.accepting.empty()) {
        auto op = std::move(l.accepting.front().op);
        l.accepting.pop_front();
        op.complete({}, e.connection);
        return;
    }
    l.queue.push_back(e.connection);
    update_backlog(it->first, l);
    if (l.acceptable.op) l.acceptable.op.complete({});
}

void tcp_core::on_ended(connection_state& s, handle h, error_code why) {
    s.ended = why;
    if (s.connecting.op) s.connecting.op.complete(why ? why : error_code(error::operation_aborted));
    if (s.writable.op) s.writable.op.complete({});
    try_read(s, h);
    try_write(s, h);
}

void tcp_core::try_read(connection_state& s, handle h) {
    if (s.readable.op && readable_now(s, h)) s.readable.op.complete({});
    if (!s.reading.op) return;
    error_code why;
    const auto n = move_in(s, h, s.read_into, why);
    if (n > 0 || why != error::would_block) s.reading.op.complete(why, n);
}

void tcp_core::try_write(connection_state& s, handle h) {
    if (!s.writing.op) return;
    error_code why;
    const auto n = move_out(s, h, s.write_from, why);
    if (n > 0 || why != error::would_block) s.writing.op.complete(why, n);
}

// --- bytes

bool tcp_core::readable_now(const connection_state& s, handle h) {
    const auto* c = endpoint_.find(h);
    return s.receive_shut || s.peer_closed || s.ended || (c != nullptr && (c->readable() > 0 || c->peer_closed()));
}

std::size_t tcp_core::move_in(connection_state& s, handle h, const read_buffers& buffers, error_code& why) {
    why = {};
    auto* c = endpoint_.find(h);
    std::size_t total = 0;
    if (c != nullptr && !s.receive_shut) {
        const auto at = now();
        for (std::size_t i = 0; i < buffers.count; ++i) {
            const auto& b = buffers.buffers[i];
            const auto n = c->read({static_cast<std::uint8_t*>(b.data()), b.size()}, at);
            total += n;
            if (n < b.size()) break;
        }
    }
    if (total > 0) {
        wake();  // the window may have opened
        return total;
    }
    if (s.ended && *s.ended) {
        why = *s.ended;
    } else if (s.receive_shut || s.peer_closed || s.ended || (c != nullptr && c->peer_closed())) {
        why = error::eof;
    } else if (!s.connected) {
        why = error::not_connected;
    } else {
        why = error::would_block;
    }
    return 0;
}

std::size_t tcp_core::move_out(connection_state& s, handle h, const write_buffers& buffers, error_code& why) {
    why = {};
    if (s.ended) {
        why = *s.ended ? *s.ended : error_code(error::broken_pipe);
    } else if (s.send_shut) {
        why = error::broken_pipe;
    } else if (!s.connected) {
        why = error::not_connected;
    }
    auto* c = endpoint_.find(h);
    if (!why && c == nullptr) why = error::broken_pipe;
    if (why) return 0;
    std::size_t total = 0;
    for (std::size_t i = 0; i < buffers.count; ++i) {
        const auto& b = buffers.buffers[i];
        const auto n = c->write({static_cast<const std::uint8_t*>(b.data()), b.size()});
        total += n;
        if (n < b.size()) break;
    }
    if (total == 0) {
        why = error::would_block;  // the writable event comes
    } else {
        wake();
    }
    return total;
}

tcp_core::connection_state* tcp_core::state(handle h) {
    const auto it = connections_.find(h);
    return it == connections_.end() ? nullptr : &it->second;
}

const tcp_core::connection_state* tcp_core::state(handle h) const { return const_cast<tcp_core*>(this)->state(h); }

void tcp_core::fail_all(connection_state& s, error_code why) {
    for (auto* op : {&s.connecting, &s.readable, &s.writable}) {
        if (op->op) op->op.complete(why);
    }
    if (s.reading.op) s.reading.op.complete(why, 0);
    if (s.writing.op) s.writing.op.complete(why, 0);
}

// --- connecting; what is done at once

tcp_core::handle tcp_core::connect(const ip_endpoint& from, const ip_endpoint& remote, error_code& why) {
    if (stopped_) return why = error::operation_aborted, handle{};
    auto local = from;
    local.address.is_v6 = remote.address.is_v6;
    why = carrier_->open_local(remote, local);
    if (why) return {};
    auto config = config_;
    config.mtu = std::min(config.mtu, carrier_->mtu(remote.address.is_v6));
    tcp::connect_error failure{};
    const auto h = endpoint_.connect(local, remote, config, now(), &failure);
    if (!h) {
        if (failure == tcp::connect_error::no_free_port) ++no_port_failures_;
        carrier_->close_local(local);
        why = meaning(failure);
        return {};
    }
    local = endpoint_.find(h)->path().local;
    locals_.push_back({h, local, remote});
    connections_[h].path = {local, remote};
    wake();
    return h;
}

std::size_t tcp_core::read_now(handle h, const read_buffers& buffers, error_code& why) {
    auto* s = state(h);
    if (s == nullptr || stopped_) return why = error::bad_descriptor, 0;
    if (buffers.empty()) return why = {}, 0;
    return move_in(*s, h, buffers, why);
}

std::size_t tcp_core::write_now(handle h, const write_buffers& buffers, error_code& why) {
    auto* s = state(h);
    if (s == nullptr || stopped_) return why = error::bad_descriptor, 0;
    if (buffers.empty()) return why = {}, 0;
    return move_out(*s, h, buffers, why);
}

void tcp_core::shutdown(handle h, bool receive, bool send, error_code& why) {
    why = {};
    auto* s = state(h);
    if (s == nullptr || stopped_) return void(why = error::bad_descriptor);
    if (!s->connected || s->ended) return void(why = error::not_connected);
    if (receive) {
        s->receive_shut = true;
        try_read(*s, h);
    }
    if (!send || std::exchange(s->send_shut, true)) return;
    try_write(*s, h);
    if (auto* c = endpoint_.find(h)) c->shutdown_send();
    wake();
}

void tcp_core::release(handle h) {
    auto* s = state(h);
    if (s == nullptr) return;
    fail_all(*s, error::operation_aborted);
    connections_.erase(h);
    if (stopped_) return;
    endpoint_.release(h, now());
    wake();
}

void tcp_core::abort(handle h) {
    if (auto* c = endpoint_.find(h); c != nullptr && !stopped_) c->abort();
    release(h);
}

void tcp_core::set_no_delay(handle h, bool on) {
    if (auto* c = endpoint_.find(h)) c->set_nagle(!on);
}

ip_path tcp_core::path(handle h) const {
    const auto* s = state(h);
    return s ? s->path : ip_path{};
}

std::uint64_t tcp_core::unacknowledged(handle h) {
    const auto* connection = endpoint_.find(h);
    return connection ? connection->unacknowledged() : 0;
}

std::optional<recovery::connection_statistics> tcp_core::summary(handle h) {
    const auto* connection = endpoint_.find(h);
    return connection ? std::optional(connection->summary(now())) : std::nullopt;
}

bool tcp_core::is_connected(handle h) const {
    const auto* s = state(h);
    return s != nullptr && s->connected && !s->ended;
}

}  // namespace tandem::net::detail
