// Time: loss timers, probe timeouts (RFC 9002 6.2), idle timeout, and the end of the connection.
#include <algorithm>
#include <utility>

#include <tandem/quic/connection.hpp>

namespace tandem::quic {
namespace {

// Bytes that hold any packet with an ACK frame of one range: 1 + 20 + 4 of header, 16 of tag, at most 41 of frame; and some to
// spare.
constexpr std::uint64_t least_packet = 128;

void take_earlier(std::optional<time_point>& earliest, std::optional<time_point> at) {
    if (at && (!earliest || *at < *earliest)) earliest = at;
}

}  // namespace

// RFC 9002 6.2.1, without backoff
duration connection::probe_timeout(packet_space_id id) const {
    auto timeout = path_.sender().rtt().timeout();
    const auto* peer = handshake_.peer_parameters();
    if (id == packet_space_id::application && peer != nullptr) timeout += ack_frequency_.max_ack_delay();
    return timeout;
}

// RFC 9002 6.2.2.1: whether the server is known not to be held back by its amplification limit.
bool connection::peer_validated_address() const { return is_server() || handshake_acknowledged_ || confirmed_; }

std::optional<time_point> connection::next_loss_time() const {
    std::optional<time_point> earliest;
    for (const auto& s : live_spaces()) take_earlier(earliest, s.sent.loss_time());
    return earliest;
}

// What the amplification limit must leave for a datagram: with an Initial packet in it that elicits an acknowledgment, 1200
// bytes.
std::size_t connection::least_datagram(bool with_initial) const {
    if (complete_) return least_packet;
    return with_initial ? min_initial_datagram_size : min_unvalidated_datagram;
}

// RFC 9002 A.8
std::optional<connection::probe_deadline> connection::next_probe() const {
    // A server that may not send anything waits for the client: RFC 9002 6.2.2.1.
    const auto& initial = space(packet_space_id::initial);
    if (path_.amplification_allowance() < least_datagram(initial.sent.ack_eliciting_outstanding() > 0)) return std::nullopt;
    const auto backoff = 1 << std::min(probe_count_, max_backoff);
    std::optional<probe_deadline> earliest;
    for (const auto& s : live_spaces()) {
        if (s.sent.ack_eliciting_outstanding() == 0) continue;
        if (s.id == packet_space_id::application && !confirmed_) continue;
        const auto at = *s.sent.last_ack_eliciting_sent() + probe_timeout(s.id) * backoff;
        if (!earliest || at < earliest->at) earliest = {at, s.id};
    }
    if (!earliest && !peer_validated_address()) {
        // Nothing is in flight, but the server may wait for more bytes from us to be allowed to send: the anti-deadlock probe.
        const auto id = can_write(packet_space_id::handshake) ? packet_space_id::handshake : packet_space_id::initial;
        earliest = {last_activity_ + probe_timeout(id) * backoff, id};
    }
    return earliest;
}

std::optional<time_point> connection::next_timeout() const {
    if (connection_state_ == connection_state::closed) return std::nullopt;
    if (close_.begun()) return close_.deadline();
    std::optional<time_point> earliest = next_loss_time();
    if (!earliest) {
        if (const auto probe = next_probe()) earliest = probe->at;
    }
    // What may not be sent is not waited for: an unproven address has had its share, and only the peer can change that.
    if (path_.amplification_allowance() >= least_packet) {
        for (const auto& s : live_spaces()) {
            if (!s.discarded) take_earlier(earliest, s.received.ack_timer());
        }
        take_earlier(earliest, pacer_release_);
    }
    take_earlier(earliest, path_.validation().timer());
    if (path_probe_) take_earlier(earliest, path_probe_->validation.timer());
    take_earlier(earliest, idle_.deadline(probe_timeout(packet_space_id::application)));
    if (!complete_)
        take_earlier(earliest, started_ + start_.settings.handshake_timeout);
    else if (!ping_owed_)
        take_earlier(earliest, idle_.keep_alive_at());
    return earliest;
}

void connection::on_timeout(time_point now) {
    latest_ = now;
    expire(now);
    if (trace_ != nullptr) trace_changes(now, key_event::updated_here);
}

void connection::expire(time_point now) {
    if (connection_state_ == connection_state::closed) return;
    mark_ready();
    if (close_.begun()) {
        if (now >= *close_.deadline()) connection_state_ = connection_state::closed;
        return;
    }
    if (!complete_ && now >= started_ + start_.settings.handshake_timeout) {
        return close_silently({.reason = "the handshake took too long"}, close_cause::handshake_timeout);
    }
    if (const auto deadline = idle_.deadline(probe_timeout(packet_space_id::application)); deadline && now >= *deadline) {
        return close_silently({.reason = "idle timeout"}, close_cause::idle_timeout);
    }
    if (!path_.validation().on_timeout(now)) on_path_failed(now);
    if (path_probe_ && !path_probe_->validation.on_timeout(now)) on_probe_failed();
    if (complete_ && idle_.keep_alive_at() && now >= *idle_.keep_alive_at()) ping_owed_ = true;

    // RFC 9002 A.9: losses first; a probe only if no loss timer runs.
    if (const auto loss_time = next_loss_time()) {
        if (now < *loss_time) return;
        for (auto& s : live_spaces()) {
            if (s.sent.loss_time() && now >= *s.sent.loss_time()) detect_lost(s, now);
        }
    } else if (const auto probe = next_probe(); probe && now >= probe->at) {
        on_probe_timeout(probe->space, now);
    }
}

void connection::on_probe_timeout(packet_space_id id, time_point now) {
    ++probe_count_;
    ++probe_timeouts_;
    if (complete_) path_.on_probe_timeouts(probe_count_, now);
    // A path that swallows two flights of the handshake may not carry datagrams of this size; every path carries 1200 bytes.
    if (!complete_ && probe_count_ >= 2) path_.limit_datagram_size(min_initial_datagram_size);
    // Nothing came back: the 0-RTT packets are gone with the Initial that they followed, and would wait for the end of the
    // handshake.
    if (!is_server() && early_.flowing && !heard_from_peer_) send_early_data_again(now);
    for (auto& s : live_spaces()) {
        // The other handshake space's data comes along: likely it was lost together with this one's. Also what is known to be
        // lost but has no room in the window, which packets that the peer cannot read yet may fill for good.
        const bool unfinished = s.sent.ack_eliciting_outstanding() > 0 || s.crypto.wants_to_send();
        const bool along = s.id != packet_space_id::application && can_write(s.id) && unfinished;
        if (s.id != id && !along) continue;
        s.probes = unfinished ? 2 : 1;  // RFC 9002 6.2.4, 6.2.2.1
        requeue_for_probe(s, s.probes, now);
    }
}

// What the oldest packets carried goes out again, without being taken for lost.
void connection::requeue_for_probe(packet_space& s, unsigned count, time_point now) {
    s.sent.for_each_outstanding([&](const auto& t) {
        if (!t.ack_eliciting) return true;
        on_lost(s, t.contents, now);
        return --count > 0;
    });
}

void connection::close_with(connection_error error, close_cause cause, time_point now) {
    if (!active()) return;
    latest_ = now;
    connection_state_ = connection_state::closing;
    add_event(connection_closed{cause, error});
    close_.begin_closing(std::move(error), now + 3 * probe_timeout(packet_space_id::application));
    mark_ready();
}

void connection::close_silently(connection_error error, close_cause cause) {
    const bool first = active();
    connection_state_ = connection_state::closed;
    if (first) add_event(connection_closed{cause, std::move(error)});
    mark_ready();
}

}  // namespace tandem::quic
