#include <algorithm>

#include <tandem/quic/peer_connection_ids.hpp>
#include <tandem/quic/stateless_reset.hpp>

namespace tandem::quic {
namespace {

connection_error violation(const char* reason) {
    return connection_error::transport(transport_error::protocol_violation, frame_type::new_connection_id, reason);
}
connection_error limit_error(const char* reason) {
    return connection_error::transport(transport_error::connection_id_limit_error, frame_type::new_connection_id, reason);
}

}  // namespace

peer_connection_ids::peer_connection_ids(const connection_id& first, std::uint64_t limit) : limit_(limit) {
    ids_.push_back({0, first, std::nullopt});
}

void peer_connection_ids::set_first_token(const stateless_reset_token& token) {
    if (ids_[0].sequence == 0) ids_[0].token = token;
    token_changed_ = true;
}

// False if the peer lets more retirements pile up than RFC 9000 5.1.2 obliges us to remember: twice our limit.
bool peer_connection_ids::retire(std::uint64_t sequence) {
    if (std::find(retiring_.begin(), retiring_.end(), sequence) != retiring_.end()) return true;
    if (retiring_.size() >= 2 * limit_) return false;
    retiring_.push_back(sequence);
    unsent_.push_back(sequence);
    return true;
}

bool peer_connection_ids::retire_below(std::uint64_t limit) {
    retired_below_ = limit;
    token_changed_ = true;
    const auto in_use = ids_[current_].sequence;
    bool bounded = true;
    for (auto it = ids_.begin(); it != ids_.end();) {
        if (it->sequence >= limit) {
            ++it;
            continue;
        }
        bounded = retire(it->sequence) && bounded;
        it = ids_.erase(it);
    }
    auto it = std::find_if(ids_.begin(), ids_.end(), [&](const entry& e) { return e.sequence == in_use; });
    // They come in any order; those below the one in use would never be.
    if (it == ids_.end())
        it = std::min_element(ids_.begin(), ids_.end(), [](auto& a, auto& b) { return a.sequence < b.sequence; });
    current_ = static_cast<std::size_t>(it - ids_.begin());
    return bounded;
}

const connection_id* peer_connection_ids::spare() const {
    const entry* next = nullptr;
    for (const auto& e : ids_) {
        if (e.sequence > ids_[current_].sequence && (next == nullptr || e.sequence < next->sequence)) next = &e;
    }
    return next == nullptr ? nullptr : &next->id;
}

bool peer_connection_ids::advance() {
    const auto* next = spare();
    if (next == nullptr || !retire(ids_[current_].sequence)) return false;
    token_changed_ = true;
    const auto id = *next;
    ids_.erase(ids_.begin() + static_cast<std::ptrdiff_t>(current_));
    const auto it = std::find_if(ids_.begin(), ids_.end(), [&](const entry& e) { return e.id == id; });
    current_ = static_cast<std::size_t>(it - ids_.begin());
    return true;
}

void peer_connection_ids::retire_spare() {
    const auto* next = spare();
    if (next == nullptr) return;
    const auto in_use = ids_[current_].sequence;
    const auto it = std::find_if(ids_.begin(), ids_.end(), [&](const entry& e) { return &e.id == next; });
    if (!retire(it->sequence)) return;
    ids_.erase(it);
    const auto current = std::find_if(ids_.begin(), ids_.end(), [&](const entry& e) { return e.sequence == in_use; });
    current_ = static_cast<std::size_t>(current - ids_.begin());
}

std::optional<connection_error> peer_connection_ids::on_new(const new_connection_id_frame& f) {
    if (current().empty()) return violation("a new connection ID from a peer that uses none");
    bool repeated = false;
    for (const auto& e : ids_) {
        const bool same_id = e.id == f.id;
        if (e.sequence == f.sequence && (!same_id || (e.token && *e.token != f.reset_token)))
            return violation("one sequence number, two connection IDs");
        if (e.sequence != f.sequence && (same_id || e.token == f.reset_token))
            return violation("one connection ID, two sequence numbers");
        repeated = repeated || e.sequence == f.sequence;
    }
    if (f.sequence < retired_below_) {  // RFC 9000 19.15: retired before it was ever used
        if (!retire(f.sequence)) return limit_error("retired connection IDs faster than it acknowledged");
        return std::nullopt;
    }
    // Who sends one again may have more to be retired by then.
    if (!repeated) ids_.push_back({f.sequence, f.id, f.reset_token});
    token_changed_ = true;
    // RFC 9000 5.1.1: retire first, then count.
    if (f.retire_prior_to > retired_below_ && !retire_below(f.retire_prior_to)) {
        return limit_error("retired connection IDs faster than it acknowledged");
    }
    if (ids_.size() > limit_) return limit_error("more connection IDs than active_connection_id_limit");
    return std::nullopt;
}

void peer_connection_ids::write_frames(frame_writer& out, sent_frames& sent) {
    std::size_t done = 0;
    if (unsent_.empty()) return;
    while (done < unsent_.size() && out.write(retire_connection_id_frame{unsent_[done]})) {
        sent.control.push_back(retire_connection_id_token{unsent_[done++]});
    }
    unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(done));
}

void peer_connection_ids::lost(retire_connection_id_token token) {
    if (std::find(retiring_.begin(), retiring_.end(), token.sequence) == retiring_.end()) return;
    if (std::find(unsent_.begin(), unsent_.end(), token.sequence) == unsent_.end()) unsent_.push_back(token.sequence);
}

void peer_connection_ids::acknowledged(retire_connection_id_token token) {
    std::erase(retiring_, token.sequence);
    std::erase(unsent_, token.sequence);
}

bool peer_connection_ids::is_reset(std::span<const std::uint8_t> datagram) const {
    const auto& token = current_token();
    return token && is_stateless_reset(datagram, *token);
}

}  // namespace tandem::quic
