// Paths that are tried before they are used: another local address, the server's preferred address (RFC 9000 9.1, 9.6); and what
// a path refuses to carry.
#include <algorithm>
#include <utility>
#include <vector>

#include <tandem/quic/connection.hpp>

namespace tandem::quic {
namespace {

bool is_preferred(const preferred_address& a, const ip_endpoint& local) { return local == a.v4 || local == a.v6; }

}  // namespace

// On the path in use. A server tells its own addresses apart only by which of them is the preferred one: others may be aliases.
bool connection::arrives_here(const ip_path& path) const {
    if (path.remote != path_.addresses().remote) return false;
    return path.local == path_.addresses().local || !start_.preferred || !is_preferred(*start_.preferred, path.local);
}

// Not on the path in use. RFC 9000 9: clients move after the handshake is confirmed, and servers only to the address that they
// prefer.
bool connection::accepted_from(const ip_path& path) const {
    if (is_server()) return confirmed_;
    return path.remote == left_remote_ || (path_probe_ && path.remote == path_probe_->addresses.remote);
}

bool connection::may_move() const { return confirmed_ && !never_moves() && peer_ids_.spare() != nullptr; }

bool connection::never_moves() const {
    const auto* peer = handshake_.peer_parameters();
    return is_server() || !active() || (peer != nullptr && peer->disable_active_migration);
}

bool connection::probe(const ip_endpoint& local, time_point now) {
    return may_move() && begin_probe({local, path_.addresses().remote}, false, now);
}

bool connection::begin_probe(const ip_path& where, bool preferred, time_point now) {
    if (path_probe_ || path_.validation().under_way() || spare_id_for(where) == nullptr) return false;
    path_probe_ = std::make_unique<path_probe>(path_probe{where, {}, preferred});
    const auto timeout = std::max(unknown_path_timeout, probe_timeout(packet_space_id::application));
    path_probe_->validation.begin(now, timeout / 3, now + 3 * timeout);
    proven_.reset();
    challenged_ = true;
    mark_ready();
    return true;
}

// RFC 9000 9.6.1: of the family in use, with the connection ID that came with it, also if the server forbids to move otherwise.
void connection::go_to_preferred_address(time_point now) {
    const auto* peer = handshake_.peer_parameters();
    if (!start_.settings.use_preferred_address || peer == nullptr || !peer->preferred) return;
    const auto& here = path_.addresses();
    const auto& there = here.remote.address.is_v6 ? peer->preferred->v6 : peer->preferred->v4;
    if (there.port != 0 && there != here.remote) begin_probe({here.local, there}, true, now);
}

void connection::on_probe_answered(time_point now) {
    const auto done = *path_probe_;
    path_probe_.reset();
    add_event(quic::path_validated{done.addresses});
    if (done.preferred)
        move_to(done.addresses, now);
    else
        proven_ = done.addresses;
}

void connection::on_probe_failed() {
    add_event(quic::path_failed{path_probe_->addresses});
    path_probe_.reset();
    peer_ids_.retire_spare();  // RFC 9000 9.5: it was shown there
}

// To a path that was shown to work.
void connection::move_to(const ip_path& where, time_point now) {
    if (where.remote != path_.addresses().remote) left_remote_ = path_.addresses().remote;
    quic::path next(where, true, start_.settings, host_->hidden());
    next.limit_datagram_size(handshake_.peer_parameters()->max_udp_payload_size);
    next.ecn().go_on_from(path_.ecn());
    for (auto& s : spaces_) s.sent.leave_path(path_.sender());
    go_over_to(std::move(next), now);
    fallback_.reset();
    proven_.reset();
    advance_id_for(where);
    ping_owed_ = true;  // RFC 9000 9.2: a packet that does more than probe
    add_event(path_changed{where, true});
    mark_ready();
}

// One PATH_CHALLENGE, in a datagram of its own that counts against nothing: its loss says nothing of the path in use.
bool connection::transmit_path_probe(train& out, time_point now) {
    if (!path_probe_ || !path_probe_->validation.challenge_due()) return false;
    const auto* id = spare_id_for(path_probe_->addresses);
    const auto room = out.buffer.first(std::min(out.buffer.size(), min_initial_datagram_size));
    auto start = next_packet(packet_space_id::application);
    if (id != nullptr) start.destination = *id;
    auto packet = packet_builder::begin(room, start);
    if (!packet || !path_probe_->validation.write_challenge(packet->frames(), host_->hidden)) return false;
    packet->pad_to(room.size());
    path_probe_->validation.on_challenge_sent(room.size());
    out.mark = ecn::not_ect;
    finish(*packet, now, sent_as::elsewhere);
    out.path = path_probe_->addresses;
    out.size = out.segment_size = packet->size();
    ++statistics_.datagrams_sent;
    statistics_.bytes_sent += out.size;
    return true;
}

// RFC 9000 14.2.1. What was refused never left, so its loss is no congestion: it is forgotten, and what it carried goes again.
void connection::datagram_too_large(const ip_path& where, std::size_t size, time_point now) {
    if (!active() || where != path_.addresses()) return;
    mark_ready();
    if (!path_.on_datagram_refused(size, now)) {
        if (fallback_) on_path_failed(now);
        return;  // else time decides, or another size is permitted again
    }
    std::vector<std::uint64_t> refused;
    for (auto& s : spaces_) {
        refused.clear();
        s.sent.for_each_outstanding([&](const auto& t) {
            if (t.bytes > path_.max_datagram_size()) refused.push_back(t.number);
            return true;
        });
        for (const auto number : refused) {
            on_lost(s, s.sent.find(number)->contents, now);
            s.sent.forget(number, path_.sender());
        }
    }
}

}  // namespace tandem::quic
