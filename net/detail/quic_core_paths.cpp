// Connections of quic_core that move to other local addresses (RFC 9000 9).
#include <utility>

#include <boost/asio/error.hpp>

#include <tandem/net/detail/quic_core.hpp>
#include <tandem/net/route.hpp>

namespace tandem::net::detail {

namespace error = boost::asio::error;

// Binds one more socket and has the connection go on from there.
error_code quic_core::move_to(quic::connection_handle handle, connection_state& c, const ip_endpoint& local) {
    auto* transport = endpoint_.find(handle);
    if (transport == nullptr || c.closed) return closed_error(c);
    if (local.address.is_v6 != transport->path().remote.address.is_v6) return error::address_family_not_supported;
    const auto needed = [&](const ip_endpoint& bound) {
        for (const auto& [other, state] : connections_) {
            const auto* t = endpoint_.find(other);
            if ((t != nullptr && t->path().local.port == bound.port) || state.left_port == bound.port) return true;
        }
        return false;
    };
    if (!driver_->make_room(needed)) return error::no_buffer_space;
    udp_socket socket(executor_);
    if (auto failed = socket.open(local, options_)) return failed;
    const auto bound = socket.local_endpoint();
    const auto left = transport->path().local.port;
    if (!transport->migrate(bound, now())) return error::operation_not_supported;
    c.left_port = left;
    c.moving_to = bound;
    driver_->add_socket(std::move(socket));
    wake();
    return {};
}

void quic_core::migrate(std::uint64_t operation, quic::connection_handle handle, const ip_endpoint& local, plain_operation op) {
    auto it = connections_.find(handle);
    if (stopped_ || it == connections_.end()) return op.complete(error::operation_aborted);
    auto& c = it->second;
    const auto* transport = endpoint_.find(handle);
    const bool later = transport != nullptr && !c.closed && !transport->may_move() && !transport->never_moves();
    c.move_wanted.reset();
    if (later) {
        c.move_wanted = local;
        ++moves_wanted_;
    } else if (auto failed = move_to(handle, c, local)) {
        return op.complete(failed);
    }
    if (c.migrating.op) c.migrating.op.complete(error::operation_aborted);  // the later one counts
    c.migrating = {operation, std::move(op)};
}

void quic_core::cancel_migrate(quic::connection_handle handle, std::uint64_t operation) {
    auto it = connections_.find(handle);
    if (it == connections_.end() || !it->second.migrating.op || it->second.migrating.number != operation) return;
    it->second.migrating.op.complete(error::operation_aborted);
}

// The handshake is confirmed, or the peer gave a connection ID to spare: what waited for it moves.
void quic_core::move_who_can() {
    if (std::exchange(moves_wanted_, 0) == 0) return;
    for (auto& [handle, c] : connections_) {
        if (!c.move_wanted) continue;
        const auto* transport = endpoint_.find(handle);
        if (transport != nullptr && !c.closed && !transport->may_move() && !transport->never_moves()) {
            ++moves_wanted_;
            continue;
        }
        const auto local = *std::exchange(c.move_wanted, std::nullopt);
        if (auto failed = move_to(handle, c, local); failed && c.migrating.op) c.migrating.op.complete(failed);
    }
}

void quic_core::on_path_changed(connection_state& c, const quic::path_changed& event) {
    if (!c.moving_to || !event.validated) return;
    const bool arrived = event.path.local == *c.moving_to;
    c.moving_to.reset();
    if (!arrived) c.source.reset();  // fell back: to be looked at again
    if (c.migrating.op) c.migrating.op.complete(arrived ? error_code() : error_code(error::host_unreachable));
}

error_code quic_core::follow_addresses() {
    if (stopped_ || !driver_) return error::operation_aborted;
    if (follower_) return {};
    for (auto& [handle, c] : connections_) note_source(handle, c);
    follower_ = std::make_unique<path_follower>(executor_, [this] { return look_at_addresses(); });
    auto failed = follower_->start();
    if (failed) follower_.reset();
    return failed;
}

void quic_core::note_source(quic::connection_handle handle, connection_state& c) {
    const auto* transport = endpoint_.find(handle);
    if (transport != nullptr && transport->side() == quic::perspective::client)
        c.source = source_address(transport->path().remote);
}

// False if a connection should move and cannot yet.
bool quic_core::look_at_addresses() {
    bool all_done = true;
    for (auto& [handle, c] : connections_) {
        const auto* transport = endpoint_.find(handle);
        if (transport == nullptr || transport->side() != quic::perspective::client || !c.established || c.closed) continue;
        const auto source = source_address(transport->path().remote);
        if (!source || source == c.source) continue;  // no way at all: there will be news when there is one
        if (move_to(handle, c, {*source, 0})) {
            all_done = false;
        } else {
            c.source = source;
        }
    }
    return all_done;
}

}  // namespace tandem::net::detail
