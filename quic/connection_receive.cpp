// From a datagram to frames: which packets are opened, which are kept, which are dropped.
#include <utility>

#include <tandem/quic/connection.hpp>
#include <tandem/quic/retry.hpp>

namespace tandem::quic {

void connection::receive(received_datagram& datagram, time_point now) {
    const auto size = datagram.payload.size();
    latest_ = now;
    arriving_ = {.bytes = size};
    receive_datagram(datagram, now);
    arriving_ = {};
    if (trace_ == nullptr) return;
    tell([&](auto& t) { t.on_datagram_received({now, statistics_.datagrams_received - 1, size, size, datagram.mark}); });
    trace_changes(now, key_event::updated_by_peer);
}

void connection::receive_datagram(received_datagram& datagram, time_point now) {
    ++statistics_.datagrams_received;
    statistics_.bytes_received += datagram.payload.size();
    if (connection_state_ == connection_state::closed) return drop(drop_reason::closed);
    // RFC 9000 9: nobody moves before the handshake is confirmed, and servers do not move at all.
    const bool elsewhere = !arrives_here(datagram.path);
    if (elsewhere && !accepted_from(datagram.path)) return drop(drop_reason::unknown_path);
    arrived_elsewhere_ = elsewhere;
    mark_ready();
    arrival_ = datagram.path;
    arrival_size_ = datagram.payload.size();
    arrival_credit_ = static_cast<std::size_t>(path::amplification_factor) * arrival_size_;
    if (!elsewhere) path_.on_received(datagram.payload.size());
    last_activity_ = now;
    close_.on_datagram();

    auto rest = datagram.payload;
    std::optional<connection_id> destination;
    while (!rest.empty() && connection_state_ != connection_state::closed) {
        const auto parsed = parse_packet(rest, local_connection_id_size, quic_bit_of_peer_);
        arriving_ = {.header = parsed ? &parsed.header : nullptr, .bytes = parsed ? parsed.header.size : rest.size()};
        if (!parsed) {
            drop(parsed.error == header_error::unknown_version ? drop_reason::unexpected_version : drop_reason::malformed);
            check_stateless_reset(rest, now);
            return;
        }
        // RFC 9000 12.2: what is coalesced is for the same connection.
        if (destination && parsed.header.destination != *destination) return drop(drop_reason::wrong_connection_id);
        destination = parsed.header.destination;
        if (!version_acceptable(parsed.header)) {
            drop(drop_reason::unexpected_version);
        } else if (is_server() && parsed.header.type == packet_type::initial &&
                   datagram.payload.size() < min_initial_datagram_size) {
            drop(drop_reason::too_small);  // RFC 9000 14.1
        } else {
            receive_packet(rest.first(parsed.header.size), parsed.header, datagram.mark, now);
        }
        rest = rest.subspan(parsed.header.size);
    }
}

void connection::receive_packet(std::span<std::uint8_t> packet, const packet_header& header, ecn mark, time_point now) {
    switch (header.type) {
        case packet_type::initial:
            return receive_protected(packet, header, encryption_level::initial, mark, now);
        case packet_type::handshake:
            return receive_protected(packet, header, encryption_level::handshake, mark, now);
        case packet_type::one_rtt:
            return receive_protected(packet, header, encryption_level::one_rtt, mark, now);
        case packet_type::zero_rtt:
            if (!is_server()) return drop(drop_reason::unexpected_packet);
            return receive_protected(packet, header, encryption_level::zero_rtt, mark, now);
        case packet_type::retry:
            return on_retry(packet, header, now);
        case packet_type::version_negotiation:
            return on_version_negotiation(header, now);
    }
}

// RFC 9000 7.2: both sides stay with the IDs that the first Initials established.
bool connection::addressed_to_us(const packet_header& header) const {
    if (header.type == packet_type::one_rtt) return true;
    return (!is_server() && !heard_from_peer_) || header.source == used_ids_.peer_initial_source;
}

std::optional<opened_packet> connection::open_packet(std::span<std::uint8_t> packet, const packet_header& header,
                                                     encryption_level level, ecn mark, time_point now) {
    auto& s = space(space_of(level));
    const bool application = level == encryption_level::one_rtt;
    // RFC 9001 5.7: a server does not look at 1-RTT packets before the handshake is complete.
    const bool early = level == encryption_level::zero_rtt;
    auto& own_keys = early ? early_.keys : s.read;
    if (early && early_.read_until && now >= *early_.read_until) early_.keys = {};
    const bool keys = application ? application_keys_.can_read() && complete_ : static_cast<bool>(own_keys);
    if (!keys) {
        const bool refused =
            early && can_write(packet_space_id::handshake);  // the server's answer is made, and there are no keys
        if (refused || s.discarded || level == encryption_level::initial || !active() ||
            !undecryptable_.push(level, mark, packet)) {
            drop(drop_reason::no_keys);
        } else {
            tell([&](auto& t) { t.on_packet_buffered(now, header, statistics_.datagrams_received - 1); });
        }
        return std::nullopt;
    }
    if (level == encryption_level::initial && header.version != start_.version) return open_of_other_version(packet, header);
    opened_packet opened;
    if (!application) {
        if (own_keys.open(packet, header.number_offset, s.received.largest(), opened) == open_error::none) return opened;
    } else {
        const auto old_keys_until = now + 3 * probe_timeout(packet_space_id::application);
        switch (application_keys_.open(packet, header.number_offset, s.received.largest(), now, old_keys_until, opened)) {
            case application_keys::result::opened:
                return opened;
            case application_keys::result::update_violation:
                close_with(connection_error::transport(transport_error::key_update_error, 0, "older keys used after newer ones"),
                           close_cause::protocol_error, now);
                return std::nullopt;
            case application_keys::result::failed:
                break;
        }
    }
    drop(drop_reason::undecryptable);
    if (application && application_keys_.integrity_limit_reached()) {  // RFC 9001 6.6
        close_with(connection_error::transport(transport_error::aead_limit_reached, 0, "too many forged packets"),
                   close_cause::protocol_error, now);
    }
    if (application) check_stateless_reset(packet, now);
    return std::nullopt;
}

void connection::receive_protected(std::span<std::uint8_t> packet, const packet_header& header, encryption_level level, ecn mark,
                                   time_point now) {
    if (!addressed_to_us(header)) return drop(drop_reason::wrong_connection_id);
    // RFC 9000 17.2.2: a server's Initial packets have no token.
    if (!is_server() && !header.token.empty()) return drop(drop_reason::unexpected_packet);
    const auto opened = open_packet(packet, header, level, mark, now);
    if (!opened) return;
    auto& s = space(space_of(level));
    const auto number = opened->header.number;
    if (s.received.is_duplicate(number)) return drop(drop_reason::duplicate);
    if (connection_state_ == connection_state::draining) return drop(drop_reason::closed);

    ++statistics_.packets_received;
    before_frames(header, level, now);
    if (trace_ != nullptr) trace_received(header, &*opened, now);
    packet_nature nature;
    const bool newest = !s.received.largest() || number > *s.received.largest();
    std::optional<connection_error> error;
    if (opened->header.reserved_bits()) {
        error = connection_error::transport(transport_error::protocol_violation, 0, "reserved bits are set");
    } else {
        streams_.set_early(level == encryption_level::zero_rtt);
        error = receive_frames(opened->payload, level, header.destination, nature, now);
        streams_.set_early(false);
    }
    if (!active()) return;
    if (error) return close_with(std::move(*error), close_cause::protocol_error, now);
    s.received.on_received(number, nature.ack_eliciting, mark, now);
    if (level == encryption_level::one_rtt && newest && !nature.probing) {
        if (arrived_elsewhere_ && is_server()) follow_peer(header.destination, now);
        peer_uses_ = header.destination;
    }
    idle_.on_received(now);
    advance_handshake(now);
}

// What the mere arrival of an authentic packet says.
void connection::before_frames(const packet_header& header, encryption_level level, time_point now) {
    if (!is_server() && !heard_from_peer_) {
        used_ids_.peer_initial_source = header.source;  // RFC 9000 7.2
        peer_ids_.replace_first(header.source);
    }
    if (!heard_from_peer_ && is_server()) begin_trace(now);
    heard_from_peer_ = true;
    if (is_server() && level == encryption_level::handshake) {
        path_.validate();                   // RFC 9000 8.1: the client has read our Handshake packets' keys
        discard(packet_space_id::initial);  // RFC 9001 4.9.1
    }
}

std::optional<connection_error> connection::receive_frames(std::span<const std::uint8_t> payload, encryption_level level,
                                                           const connection_id& destination, packet_nature& nature,
                                                           time_point now) {
    if (payload.empty()) {  // RFC 9000 12.4
        return connection_error::transport(transport_error::protocol_violation, 0, "a packet without frames");
    }
    frame_reader in(payload, level, scratch_ranges_);
    frame f;
    while (in.next(f)) {
        nature.ack_eliciting = nature.ack_eliciting || is_ack_eliciting(in.type());
        nature.probing = nature.probing && is_probing(in.type());
        if (connection_state_ > connection_state::established && !std::holds_alternative<connection_close_frame>(f)) continue;
        if (auto error = on_frame(f, level, destination, now)) {
            error->frame_type = in.type();  // as it came, with its flags
            return error;
        }
    }
    return in.error();
}

// RFC 9000 10.3.1
void connection::check_stateless_reset(std::span<const std::uint8_t> packet, time_point) {
    if (!peer_ids_.is_reset(packet)) return;
    close_silently({.reason = "stateless reset"}, close_cause::stateless_reset);
}

void connection::retry_undecryptable(encryption_level level, time_point now) {
    for (auto& kept : undecryptable_.take(level)) {
        if (!active()) return;
        const auto parsed = parse_packet(kept.bytes, local_connection_id_size, quic_bit::any);
        if (!parsed) continue;
        const auto before = std::exchange(arriving_, {&parsed.header, kept.bytes.size(), true});
        receive_packet(kept.bytes, parsed.header, kept.mark, now);
        arriving_ = before;
    }
}

}  // namespace tandem::quic
