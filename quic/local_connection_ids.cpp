#include <algorithm>

#include <tandem/quic/local_connection_ids.hpp>

namespace tandem::quic {

local_connection_ids::local_connection_ids(const connection_id& first, connection_id_source& source)
    : first_(first), source_(&source) {
    issued_.push_back({0, first, false});
    changes_.push_back({first, true});
}

void local_connection_ids::issue() {
    const auto id = source_->make();
    issued_.push_back({next_sequence_++, id, true});
    changes_.push_back({id, true});
    ++unsent_;
}

void local_connection_ids::add_preferred(const connection_id& id) {
    issued_.push_back({next_sequence_++, id, false});
    sent_below_ = next_sequence_;
    changes_.push_back({id, true});
}

void local_connection_ids::set_peer_limit(std::uint64_t limit) {
    limit_ = static_cast<std::size_t>(std::min<std::uint64_t>(limit, max_issued));
    while (issued_.size() < limit_) issue();
}

std::optional<connection_error> local_connection_ids::on_retire(std::uint64_t sequence, const connection_id& arrived_on) {
    // RFC 9000 19.16. One that waits to be sent for the first time is as unknown to the peer: a packet full of guessed numbers
    // must not make us issue one after the other.
    if (sequence >= sent_below_) {
        return connection_error::transport(transport_error::protocol_violation, frame_type::retire_connection_id,
                                           "retires a connection ID that was never issued");
    }
    const auto it = std::find_if(issued_.begin(), issued_.end(), [&](const entry& e) { return e.sequence == sequence; });
    if (it == issued_.end()) return std::nullopt;  // retired before
    if (it->id == arrived_on) {
        return connection_error::transport(transport_error::protocol_violation, frame_type::retire_connection_id,
                                           "retires the connection ID it was sent to");
    }
    if (it->unsent) --unsent_;
    changes_.push_back({it->id, false});
    issued_.erase(it);
    while (issued_.size() < limit_) issue();
    return std::nullopt;
}

void local_connection_ids::write_frames(frame_writer& out, sent_frames& sent) {
    if (unsent_ == 0) return;
    for (auto& e : issued_) {
        if (!e.unsent) continue;
        // RFC 9000 5.1.2: we never ask the peer to retire one.
        if (!out.write(new_connection_id_frame{e.sequence, 0, e.id, source_->token(e.id)})) return;
        e.unsent = false;
        sent_below_ = std::max(sent_below_, e.sequence + 1);
        --unsent_;
        sent.control.push_back(new_connection_id_token{e.sequence});
    }
}

void local_connection_ids::lost(new_connection_id_token token) {
    const auto it = std::find_if(issued_.begin(), issued_.end(), [&](const entry& e) { return e.sequence == token.sequence; });
    if (it == issued_.end() || it->unsent) return;
    it->unsent = true;
    ++unsent_;
}

std::optional<local_connection_ids::change> local_connection_ids::poll_change() {
    if (changes_.empty()) return std::nullopt;
    const auto first = changes_.front();
    changes_.erase(changes_.begin());
    return first;
}

}  // namespace tandem::quic
