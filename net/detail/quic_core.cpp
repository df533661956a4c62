#include <tandem/net/detail/quic_core.hpp>

#include <algorithm>
#include <utility>
#include <variant>

#include <boost/asio/error.hpp>

#include <tandem/net/detail/preferred_address.hpp>
#include <tandem/net/entropy.hpp>
#include <tandem/net/quic_error.hpp>

namespace tandem::net::detail {

namespace error = boost::asio::error;

namespace {

// Clients are told of a preferred address once it is bound.
std::vector<ip_endpoint> take_preferred(quic::endpoint_config& config) {
    std::vector<ip_endpoint> out;
    for (auto* where : {&config.preferred_v4, &config.preferred_v6}) {
        if (where->port != 0) out.push_back(std::exchange(*where, {}));
    }
    return out;
}

quic::endpoint_config configured(quic::endpoint_config config, const quic_worker& worker) {
    worker.configure(config);
    return config;
}

}  // namespace

quic_core::quic_core(boost::asio::any_io_executor executor, quic::endpoint_config config, quic_worker worker)
    : executor_(std::move(executor)),
      worker_(std::move(worker)),
      preferred_(take_preferred(config)),
      endpoint_(configured(std::move(config), worker_), random_seed()) {}

error_code quic_core::open(const ip_endpoint& local, udp_options options) {
    udp_socket socket(executor_);
    options.report_errors = true;  // counts for connections that are being made only
    options_ = options;
    options.sharing = worker_.sharing();
    if (auto failed = socket.open(local, options)) return failed;
    std::weak_ptr<quic_core> weak = weak_from_this();
    driver_ = std::make_unique<driver<quic::endpoint>>(std::move(socket), endpoint_,
                                                       driver_hooks{[weak](time_point at) {
                                                                        if (auto self = weak.lock()) self->application(at);
                                                                    },
                                                                    [weak](const udp_error& e, time_point at) {
                                                                        if (auto self = weak.lock()) self->on_udp_error(e, at);
                                                                    },
                                                                    divert_to(worker_)});
    attach(worker_, executor_, *driver_);
    driver_->start();
    for (const auto& where : std::exchange(preferred_, {})) {
        if (auto failed = prefer(where)) {
            driver_.reset();
            return failed;
        }
    }
    return {};
}

error_code quic_core::prefer(const ip_endpoint& where) {
    if (stopped_ || !driver_) return error::operation_aborted;
    return listen_on_preferred(*driver_, endpoint_, where, options_);
}

void quic_core::stop(std::uint64_t code, std::string_view reason) {
    if (std::exchange(stopped_, true)) return;
    worker_.detach();
    if (driver_) {
        auto at = now();
        endpoint_.close(code, reason, at);
        driver_->send_and_stop(at);
    }
    follower_.reset();
    for (auto& [handle, c] : connections_) fail_all(c, error::operation_aborted);
    for (auto& w : accepting_) w.op.complete(error::operation_aborted, 0);
    accepting_.clear();
    unaccepted_.clear();
}

void quic_core::accept(std::uint64_t operation, handle_operation op) {
    if (stopped_ || !driver_) return op.complete(error::operation_aborted, 0);
    if (unaccepted_.empty()) {
        accepting_.push_back({operation, std::move(op)});
        return;
    }
    auto handle = unaccepted_.front();
    unaccepted_.pop_front();
    connections_[handle].ours = true;
    op.complete({}, handle);
}

void quic_core::cancel_accept(std::uint64_t operation) {
    auto it = std::find_if(accepting_.begin(), accepting_.end(), [&](const auto& w) { return w.number == operation; });
    if (it == accepting_.end()) return;
    it->op.complete(error::operation_aborted, 0);
    accepting_.erase(it);
}

void quic_core::connect(std::uint64_t operation, const quic::connect_options& options, handle_operation op) {
    if (stopped_ || !driver_) return op.complete(error::operation_aborted, 0);
    tls::error why;
    auto handle = endpoint_.connect(options, now(), why);
    if (!handle) return op.complete(error::invalid_argument, 0);
    connections_[*handle].connecting = {operation, std::move(op)};
    wake();
}

void quic_core::cancel_connect(std::uint64_t operation) {
    for (auto& [handle, c] : connections_) {
        if (c.connecting.number != operation || !c.connecting.op) continue;
        c.connecting.op.complete(error::operation_aborted, 0);
        close_connection(handle, 0, "");
        connections_.erase(handle);
        return;
    }
}

void quic_core::on_udp_error(const udp_error& failure, time_point at) {
    std::vector<quic::connection_handle> failed;
    for (auto& [handle, c] : connections_) {
        auto* transport = endpoint_.find(handle);
        if (c.connecting.op && transport != nullptr && transport->path().remote == failure.remote) failed.push_back(handle);
    }
    for (auto handle : failed) {
        auto node = connections_.extract(handle);
        node.mapped().connecting.op.complete(failure.code, 0);
        if (auto* transport = endpoint_.find(handle)) transport->close(0, "", at);
    }
}

void quic_core::close_connection(quic::connection_handle handle, std::uint64_t code, std::string_view reason) {
    if (stopped_) return;
    auto* transport = endpoint_.find(handle);
    if (transport == nullptr) return;
    transport->close(code, reason, now());
    wake();
}

void quic_core::release_connection(quic::connection_handle handle) {
    auto it = connections_.find(handle);
    if (it == connections_.end()) return;
    if (!it->second.closed) close_connection(handle, 0, "");
    fail_all(it->second, error::operation_aborted);
    connections_.erase(it);
}

std::optional<quic::connection_closed> quic_core::close_reason(quic::connection_handle handle) const {
    auto it = connections_.find(handle);
    return it == connections_.end() ? std::nullopt : it->second.closed;
}

error_code quic_core::closed_error(const connection_state& c) {
    return c.closed ? make_error_code(*c.closed) : error_code(error::operation_aborted);
}

void quic_core::open_stream(std::uint64_t operation, quic::connection_handle handle, quic::direction kind, stream_operation op) {
    auto it = connections_.find(handle);
    auto* transport = endpoint_.find(handle);
    if (stopped_ || it == connections_.end() || it->second.closed || transport == nullptr) {
        return op.complete(it == connections_.end() ? error_code(error::operation_aborted) : closed_error(it->second),
                           std::nullopt);
    }
    it->second.opening_streams.push_back({operation, kind, std::move(op)});
    try_open(*transport, it->second);
}

void quic_core::try_open(quic::connection& transport, connection_state& c) {
    bool blocked[2] = {false, false};  // by kind; in each the first come is the first served
    for (auto it = c.opening_streams.begin(); it != c.opening_streams.end();) {
        auto& kind_blocked = blocked[it->kind == quic::direction::unidirectional];
        auto id = kind_blocked ? std::nullopt : transport.open(it->kind);
        if (!id) {
            kind_blocked = true;
            ++it;
            continue;
        }
        c.streams.try_emplace(id->value);
        it->op.complete({}, id);
        it = c.opening_streams.erase(it);
    }
    wake();
}

void quic_core::accept_stream(std::uint64_t operation, quic::connection_handle handle, quic::direction kind,
                              stream_operation op) {
    auto it = connections_.find(handle);
    if (stopped_ || it == connections_.end()) return op.complete(error::operation_aborted, std::nullopt);
    auto& c = it->second;
    auto& unaccepted = c.unaccepted[static_cast<std::size_t>(kind)];
    if (!unaccepted.empty()) {
        auto id = unaccepted.front();
        unaccepted.pop_front();
        return op.complete({}, id);
    }
    if (c.closed) return op.complete(closed_error(c), std::nullopt);
    c.accepting[static_cast<std::size_t>(kind)].push_back({operation, std::move(op)});
}

void quic_core::cancel_stream_operation(quic::connection_handle handle, std::uint64_t operation) {
    auto it = connections_.find(handle);
    if (it == connections_.end()) return;
    auto& c = it->second;
    for (auto& accepting : c.accepting) {
        auto w = std::find_if(accepting.begin(), accepting.end(), [&](const auto& a) { return a.number == operation; });
        if (w == accepting.end()) continue;
        w->op.complete(error::operation_aborted, std::nullopt);
        accepting.erase(w);
        return;
    }
    for (auto w = c.opening_streams.begin(); w != c.opening_streams.end(); ++w) {
        if (w->number != operation) continue;
        w->op.complete(error::operation_aborted, std::nullopt);
        c.opening_streams.erase(w);
        return;
    }
}

void quic_core::receive_datagram(std::uint64_t operation, quic::connection_handle handle, datagram_operation op) {
    auto it = connections_.find(handle);
    if (stopped_ || it == connections_.end()) return op.complete(error::operation_aborted, {});
    auto& c = it->second;
    if (c.receiving.op) return op.complete(error::already_started, {});
    auto* transport = endpoint_.find(handle);
    if (auto datagram = transport ? transport->receive_datagram() : std::nullopt) return op.complete({}, std::move(*datagram));
    if (c.closed) return op.complete(closed_error(c), {});
    c.receiving = {operation, std::move(op)};
}

void quic_core::cancel_receive_datagram(quic::connection_handle handle, std::uint64_t operation) {
    auto it = connections_.find(handle);
    if (it == connections_.end() || !it->second.receiving.op || it->second.receiving.number != operation) return;
    it->second.receiving.op.complete(error::operation_aborted, {});
}

void quic_core::application(time_point at) {
    while (auto event = endpoint_.poll_event()) on_event(event->connection, event->event, at);
    move_who_can();
}

void quic_core::on_event(quic::connection_handle handle, const quic::connection_event& event, time_point at) {
    if (std::holds_alternative<quic::handshake_started>(event)) {
        connections_.try_emplace(handle);
        return;
    }
    auto it = connections_.find(handle);
    if (it == connections_.end()) return;  // released by the application
    auto& c = it->second;
    if (std::holds_alternative<quic::handshake_completed>(event)) {
        on_established(handle, c);
    } else if (const auto* stream_happened = std::get_if<quic::stream_event>(&event)) {
        on_stream_event(handle, c, *stream_happened, at);
    } else if (const auto* moved = std::get_if<quic::path_changed>(&event)) {
        on_path_changed(c, *moved);
    } else if (std::holds_alternative<quic::datagrams_available>(event)) {
        auto* transport = endpoint_.find(handle);
        if (!c.receiving.op || transport == nullptr) return;  // kept until somebody asks
        if (auto datagram = transport->receive_datagram()) c.receiving.op.complete({}, std::move(*datagram));
    } else if (const auto* why = std::get_if<quic::connection_closed>(&event)) {
        on_closed(handle, c, *why);
    }
}

void quic_core::on_established(quic::connection_handle handle, connection_state& c) {
    c.established = true;
    if (c.connecting.op) {
        c.ours = true;
        if (follower_) note_source(handle, c);
        return c.connecting.op.complete({}, handle);
    }
    if (!accepting_.empty()) {
        c.ours = true;
        accepting_.front().op.complete({}, handle);
        accepting_.pop_front();
    } else if (unaccepted_.size() < max_unaccepted_connections) {
        unaccepted_.push_back(handle);
    } else {
        close_connection(handle, 0, "nobody accepts");
        connections_.erase(handle);
    }
}

void quic_core::on_closed(quic::connection_handle handle, connection_state& c, const quic::connection_closed& why) {
    c.closed = why;
    std::erase(unaccepted_, handle);
    // What came before the end can still be read.
    if (auto* transport = endpoint_.find(handle)) {
        for (auto& [id, s] : c.streams) try_read(*transport, s, quic::stream_id(id), now());
    }
    fail_all(c, closed_error(c));
    if (!c.ours) connections_.erase(handle);
}

void quic_core::fail_all(connection_state& c, error_code failure) {
    if (c.connecting.op) c.connecting.op.complete(failure, 0);
    if (c.receiving.op) c.receiving.op.complete(failure, {});
    if (c.migrating.op) c.migrating.op.complete(failure);
    for (auto& accepting : c.accepting) {
        for (auto& w : accepting) w.op.complete(failure, std::nullopt);
        accepting.clear();
    }
    for (auto& w : c.opening_streams) w.op.complete(failure, std::nullopt);
    c.opening_streams.clear();
    for (auto& [id, s] : c.streams) {
        if (s.reading.op) s.reading.op.complete(failure, 0);
        if (s.writing.op) s.writing.op.complete(failure, 0);
        if (s.finishing.op) s.finishing.op.complete(failure);
    }
}

}  // namespace tandem::net::detail
