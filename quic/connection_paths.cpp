// From which address to which: the peer moves, we move, and nobody is believed before he has answered (RFC 9000 8.2, 9).
#include <algorithm>
#include <utility>

#include <tandem/quic/connection.hpp>

namespace tandem::quic {
// RFC 9000 8.2.2: the answer goes back on the path that the challenge came on.
void connection::answer_challenge(const path_challenge_frame& f) {
    if (!arrived_elsewhere_) return path_.on_challenge(f);
    const auto credit = std::exchange(arrival_credit_, 0);  // however many challenges a datagram holds (RFC 9000 8)
    send_off_path({arrival_, f.data, true, credit});
}

void connection::send_off_path(const off_path_frame& f) {
    if (off_path_count_ < max_off_path) off_path_[off_path_count_++] = f;
}

connection::off_path_frame connection::take_off_path() {
    const auto first = off_path_[0];
    std::shift_left(off_path_.begin(), off_path_.end(), 1);
    --off_path_count_;
    return first;
}

// RFC 9000 9.5: one connection ID is not shown on two paths. The peer's next one, for this path beside the present one; null if
// the peer gave us no choice.
const connection_id* connection::spare_id_for(const ip_path& where) {
    const auto* spare = peer_ids_.spare();
    if (spare != nullptr && spare_shown_ && spare_shown_->id == *spare && spare_shown_->where != where) {
        peer_ids_.retire_spare();
        spare = peer_ids_.spare();
    }
    if (spare != nullptr) spare_shown_ = {*spare, where};
    return spare;
}

// Leaves the present one for good.
bool connection::advance_id_for(const ip_path& where) {
    spare_id_for(where);
    return peer_ids_.advance();
}

std::optional<connection_error> connection::on_path_response(const path_response_frame& f, time_point now) {
    if (path_.validation().on_response(f)) {
        const bool news = !is_server() || !path_.validated();  // told once, not again when its size is shown too
        path_.validate();
        new_token_owed_ = is_server() && start_.settings.give_tokens;  // RFC 9000 8.1.3
        if (news) add_event(path_changed{path_.addresses(), true});
        // RFC 9000 8.2.1: the limit on unproven addresses kept the challenge small; now it is to be seen what the path carries.
        if (path_.validation().answered_in_full())
            fallback_.reset();
        else
            begin_validation(now);
        return std::nullopt;
    }
    if (path_probe_ && path_probe_->validation.on_response(f)) {
        on_probe_answered(now);
        return std::nullopt;
    }
    if (challenged_) return std::nullopt;  // late, or to a challenge on a path that was left
    return connection_error::transport(transport_error::protocol_violation, frame_type::path_response,
                                       "PATH_RESPONSE without PATH_CHALLENGE");
}

// What was to be answered off the present path goes with the path that becomes the present one: each by itself may send three
// times what came, both together may not (RFC 9000 8).
void connection::answer_on(quic::path& next) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < off_path_count_; ++i) {
        const auto& f = off_path_[i];
        if (f.response && f.addresses.remote == next.addresses().remote)
            next.on_challenge(path_challenge_frame{f.data});
        else
            off_path_[kept++] = f;
    }
    off_path_count_ = kept;
}

// RFC 9000 9.3: the newest packet that does more than probe came from another address.
void connection::follow_peer(const connection_id& destination, time_point now) {
    const bool came_back = fallback_ && fallback_->addresses().remote == arrival_.remote;
    const auto left = path_.addresses();
    const bool left_was_good = path_.validated();
    if (came_back) {
        auto back = std::move(*fallback_);
        fallback_.reset();
        use_path(std::move(back), now);
    } else {
        quic::path next(arrival_, false, start_.settings, host_->hidden());
        if (const auto* peer = handshake_.peer_parameters()) next.limit_datagram_size(peer->max_udp_payload_size);
        next.on_received(arrival_size_);
        answer_on(next);
        use_path(std::move(next), now);
        // RFC 9000 9.3.3: was it really the peer who moved? If it did not, it answers from where it is, and is followed back.
        off_path_frame old{left, {}, false, min_initial_datagram_size};
        host_->hidden.fill(old.data);
        if (left_was_good) send_off_path(old);
        begin_validation(now);
    }
    // RFC 9000 9.5: a peer that changed its connection ID does not want the two paths to be linked.
    if (destination != peer_uses_) advance_id_for(path_.addresses());
    add_event(path_changed{path_.addresses(), path_.validated()});
}

void connection::use_path(quic::path next, time_point now) {
    const bool port_only = next.addresses().remote.address == path_.addresses().remote.address &&
                           next.addresses().local.address == path_.addresses().local.address;
    if (port_only) {
        next.take_sender(path_);
    } else {
        for (auto& s : spaces_) s.sent.leave_path(path_.sender());
    }
    if (!port_only) next.ecn().go_on_from(path_.ecn());
    if (path_.validated() && !next.validated() && !port_only) fallback_ = std::make_unique<quic::path>(std::move(path_));
    if (path_.validated() && !next.validated() && port_only) {
        fallback_ = std::make_unique<quic::path>(path_.addresses(), true, start_.settings);
        fallback_->limit_datagram_size(next.max_datagram_size());
    }
    go_over_to(std::move(next), now);
}

// What was sent until now still arrives, or does not, and says nothing of this path.
void connection::go_over_to(quic::path next, time_point now) {
    path_ = std::move(next);
    pacer_release_.reset();
    probe_count_ = 0;
    last_activity_ = now;
}

void connection::begin_validation(time_point now) {
    const auto timeout = std::max(unknown_path_timeout, probe_timeout(packet_space_id::application));
    path_.validation().begin(now, std::max<duration>(timeout / 3, std::chrono::milliseconds(1)), now + 3 * timeout);
    challenged_ = true;
}

// RFC 9000 9.3.2: back to the path that worked; without one the connection is over.
void connection::on_path_failed(time_point now) {
    if (!fallback_) return close_silently({.reason = "the peer does not answer at its new address"}, close_cause::idle_timeout);
    auto back = std::move(*fallback_);
    fallback_.reset();
    use_path(std::move(back), now);
    if (!is_server()) advance_id_for(path_.addresses());  // RFC 9000 9.5: the one in use was shown elsewhere
    ping_owed_ = true;
    add_event(path_changed{path_.addresses(), true});
}

bool connection::migrate(const ip_endpoint& local, time_point now) {
    if (!may_move()) return false;
    const ip_path where{local, path_.addresses().remote};
    if (proven_ == where) {
        move_to(where, now);
        return true;
    }
    path_probe_.reset();
    if (spare_id_for(where) == nullptr) return false;  // the only one was shown where a probe went
    quic::path next(where, true, start_.settings, host_->hidden());
    next.limit_datagram_size(handshake_.peer_parameters()->max_udp_payload_size);
    next.ecn().go_on_from(path_.ecn());
    auto left = std::make_unique<quic::path>(path_.addresses(), true, start_.settings);
    left->limit_datagram_size(path_.max_datagram_size());
    for (auto& s : spaces_) s.sent.leave_path(path_.sender());
    fallback_ = std::move(left);
    go_over_to(std::move(next), now);
    advance_id_for(where);
    begin_validation(now);
    ping_owed_ = true;  // RFC 9000 9.2: a packet that does more than probe
    mark_ready();
    return true;
}

// What is owed to another path, in a datagram of its own, to where it belongs.
bool connection::transmit_off_path(train& out, time_point now) {
    while (off_path_count_ > 0) {
        auto f = take_off_path();
        const auto follows = [&] { return off_path_count_ > 0 && f.response && off_path_[0].response; };
        const auto room = out.buffer.first(std::min({out.buffer.size(), path_.max_datagram_size(), f.limit}));
        auto start = next_packet(packet_space_id::application);
        // RFC 9000 9.5: not the ID that is used on the present path, if the peer gave us a choice.
        if (const auto* spare = f.response ? spare_id_for(f.addresses) : nullptr) start.destination = *spare;
        auto packet = packet_builder::begin(room, start);
        const auto write = [&] {
            return f.response ? packet->frames().write(path_response_frame{f.data})
                              : packet->frames().write(path_challenge_frame{f.data});
        };
        bool written = packet && write();
        // Answers to one datagram share its credit, and so go together.
        while (follows() && off_path_[0].addresses == f.addresses) {
            f = take_off_path();
            written = written && write();
        }
        if (!written) continue;
        packet->pad_to(std::min(room.size(), min_initial_datagram_size));
        out.mark = ecn::not_ect;
        finish(*packet, now, sent_as::elsewhere);
        out.path = f.addresses;
        out.size = out.segment_size = packet->size();
        ++statistics_.datagrams_sent;
        statistics_.bytes_sent += out.size;
        return true;
    }
    return false;
}

}  // namespace tandem::quic
