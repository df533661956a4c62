// The handshake: TLS's progress, keys coming and going, Retry, version negotiation.
#include <algorithm>
#include <utility>

#include <tandem/quic/connection.hpp>
#include <tandem/quic/resumption.hpp>
#include <tandem/quic/retry.hpp>

namespace tandem::quic {

void connection::advance_handshake(time_point now) {
    for (auto& s : live_spaces()) {
        while (active() && handshake_.provide(s.id, s.crypto)) {
            if (!drain_handshake(now)) return;
        }
    }
}

// Takes everything TLS has for us; false if that ended the connection.
bool connection::drain_handshake(time_point now) {
    if (auto error = handshake_.error()) {
        // What TLS wants to tell the peer about it goes as the code of CONNECTION_CLOSE (RFC 9001 4.8).
        close_with(std::move(*error), close_cause::protocol_error, now);
        return false;
    }
    if (early_.flowing && handshake_.early_data() == tls::early_data_state::rejected) on_early_data_rejected(now);
    if (!active() || !apply_peer_parameters(now)) return false;
    while (const auto secret = handshake_.poll_secret()) install(*secret, now);
    for (auto& s : spaces_) handshake_.collect(s.id, s.crypto);
    while (auto ticket = handshake_.poll_ticket()) {
        add_event(ticket_received{encode({start_.version, *handshake_.peer_parameters(), std::move(*ticket)})});
    }
    if (handshake_.complete() && !complete_) on_handshake_complete(now);
    return active();
}

void connection::install(const tls::installed_secret& secret, time_point now) {
    const auto level = to_encryption_level(secret.level);
    if (level == encryption_level::initial) return;
    packet_keys keys(start_.version, secret.suite, secret.secret());
    const bool read = secret.direction == tls::installed_secret::use::read;
    if (level == encryption_level::zero_rtt) {
        early_.keys = std::move(keys);
        return begin_early_data(now);
    }
    if (level == encryption_level::one_rtt) {
        if (read)
            application_keys_.install_read(std::move(keys));
        else
            application_keys_.install_write(std::move(keys));
        return;  // what waits for them is opened once the handshake is complete
    }
    auto& s = space(packet_space_id::handshake);
    (read ? s.read : s.write) = std::move(keys);
    if (read) retry_undecryptable(level, now);
}

bool connection::apply_peer_parameters(time_point now) {
    const bool known = handshake_.peer_parameters() != nullptr;
    if (auto error = handshake_.read_peer_parameters(peer_of(start_.side), used_ids_)) {
        close_with(std::move(*error), close_cause::protocol_error, now);
        return false;
    }
    const auto* peer = handshake_.peer_parameters();
    if (known || peer == nullptr) return true;
    if (const char* fault = version_fault(*peer)) {
        close_with(connection_error::transport(transport_error::version_negotiation_error, 0, fault), close_cause::protocol_error,
                   now);
        return false;
    }
    if (early_.flowing && !is_server()) {
        if (auto error = check_not_reduced(*early_.remembered, *peer)) {
            close_with(std::move(*error), close_cause::protocol_error, now);
            return false;
        }
    }
    streams_.set_peer_parameters(*peer, now);
    datagrams_.set_peer_limit(peer->max_datagram_frame_size);
    idle_.set_peer_timeout(peer->max_idle_timeout);
    if (peer->reset_token) peer_ids_.set_first_token(*peer->reset_token);
    if (peer->preferred) {  // RFC 9000 5.1.1
        if (auto error = peer_ids_.on_new({1, 0, peer->preferred->id, peer->preferred->reset_token})) {
            close_with(connection_error::transport(transport_error::transport_parameter_error, 0, error->reason),
                       close_cause::protocol_error, now);
            return false;
        }
    }
    path_.limit_datagram_size(peer->max_udp_payload_size);
    grease_quic_bit_ = start_.settings.grease && peer->grease_quic_bit;
    ack_frequency_.set_peer(start_.settings.ack_frequency ? peer->min_ack_delay : std::nullopt, peer->max_ack_delay);
    const auto longest_delay =
        std::max<duration>(peer->max_ack_delay, ack_frequency_.available() ? ack_frequency::max_requested_delay : duration());
    space(packet_space_id::application).sent.enable_persistent_congestion(longest_delay);
    return true;
}

// Client: what is written from now on goes in 0-RTT packets. Server: they are read, and answered before the handshake is complete
// (RFC 9001 4.6, 5.7).
void connection::begin_early_data(time_point now) {
    if (!is_server()) {
        if (!early_.remembered) return;
        const auto& limits = *early_.remembered;
        tell([&](auto& t) { t.on_parameters_restored(now, limits); });
        streams_.set_peer_parameters(limits, now);
        datagrams_.set_peer_limit(limits.max_datagram_frame_size);
        if (limits.max_udp_payload_size < path_.max_datagram_size()) path_.limit_datagram_size(limits.max_udp_payload_size);
    }
    early_.flowing = true;
    early_.alpn = handshake_.alpn();
    add_event(early_data_started{early_.alpn});
    if (is_server()) retry_undecryptable(encryption_level::zero_rtt, now);
}

// What is outstanding goes out again, as far as it is of use, with nothing said of its loss.
void connection::send_early_data_again(time_point now) {
    auto& s = space(packet_space_id::application);
    s.sent.for_each_outstanding([&](const auto& t) {
        on_lost(s, t.contents, now);
        return true;
    });
    s.sent.forget_all(path_.sender());
}

// RFC 9001 4.6.2: the server looked at nothing, and none of its limits is known any more.
void connection::take_back_early_data(time_point now) {
    send_early_data_again(now);
    streams_.on_early_data_rejected(now);
    datagrams_.set_peer_limit(0);
    early_.flowing = false;
    early_.keys = {};
}

void connection::on_early_data_rejected(time_point now) {
    take_back_early_data(now);
    if (handshake_.alpn() != early_.alpn && streams_.open_streams() > 0) {
        close_with({.code = 0, .reason = "the server rejected early data and chose another protocol", .application = false},
                   close_cause::protocol_error, now);
    }
}

// RFC 9001 4.9.3
void connection::end_early_data(time_point now) {
    early_.flowing = false;
    if (is_server() && early_.keys) {
        early_.read_until = now + 3 * probe_timeout(packet_space_id::application);
    } else {
        early_.keys = {};
    }
    undecryptable_.take(encryption_level::zero_rtt);
}

void connection::on_handshake_complete(time_point now) {
    complete_ = true;
    end_early_data(now);
    // RFC 9001 8.1: both sides must agree on a protocol; a server that selected none does not speak ours.
    if (!start_.settings.alpn.empty() && handshake_.alpn().empty()) {
        constexpr std::uint8_t no_application_protocol = 120;
        return close_with({.code = crypto_error_code(no_application_protocol), .reason = "no application protocol was selected"},
                          close_cause::protocol_error, now);
    }
    if (handshake_.peer_parameters() == nullptr) {
        constexpr std::uint8_t missing_extension = 109;  // RFC 9001 8.2
        return close_with({.code = crypto_error_code(missing_extension), .reason = "no transport parameters"},
                          close_cause::protocol_error, now);
    }
    connection_state_ = connection_state::established;
    statistics_.handshake_duration = now - started_;
    local_ids_.set_peer_limit(handshake_.peer_parameters()->active_connection_id_limit);
    add_event(handshake_completed{std::string(handshake_.alpn()), handshake_.resumed(), handshake_.early_data()});
    if (is_server()) {
        handshake_done_owed_ = true;
        new_token_owed_ = start_.settings.give_tokens;
        on_handshake_confirmed(now);  // RFC 9001 4.1.2
    }
    retry_undecryptable(encryption_level::one_rtt, now);
}

void connection::on_handshake_confirmed(time_point now) {
    confirmed_ = true;
    add_event(quic::handshake_confirmed{});
    discard(packet_space_id::initial);
    discard(packet_space_id::handshake);  // RFC 9001 4.9.2
    if (!is_server()) go_to_preferred_address(now);
}

// RFC 9001 4.9, RFC 9002 6.4
void connection::discard(packet_space_id id) {
    auto& s = space(id);
    if (s.discarded) return;
    s.discarded = true;
    spaces_discarded_ = std::max(spaces_discarded_, static_cast<std::uint8_t>(static_cast<unsigned>(id) + 1));
    s.read = {};
    s.write = {};
    s.crypto.clear();
    if (id == packet_space_id::initial) original_initial_read_ = {};
    s.sent.forget_all(path_.sender());
    s.probes = 0;
    probe_count_ = 0;
    if (id == packet_space_id::handshake) undecryptable_.take(encryption_level::handshake);
}

// RFC 9000 17.2.5.2: one Retry, before anything else from the server, with a good tag.
void connection::on_retry(std::span<const std::uint8_t> packet, const packet_header& header, time_point now) {
    if (is_server() || heard_from_peer_ || used_ids_.retry_source || !active()) return drop(drop_reason::unexpected_packet);
    if (!verify_retry(start_.version, start_.original_destination, packet)) return drop(drop_reason::integrity);
    const bool unusable =
        header.token.empty() || header.token.size() > max_peer_token_size || header.source == start_.original_destination;
    if (unusable) return drop(drop_reason::unexpected_packet);

    if (trace_ != nullptr) trace_received(header, nullptr, now);
    used_ids_.retry_source = header.source;
    peer_ids_.replace_first(header.source);
    token_.assign(header.token.begin(), header.token.end());
    auto& s = space(packet_space_id::initial);
    auto keys = initial_keys(start_.version, header.source, start_.side);
    s.read = std::move(keys.read);
    s.write = std::move(keys.write);
    // RFC 9000 17.2.5.3: the same handshake again, with higher packet numbers. RFC 9002 6.3: what was sent does not count.
    s.sent.forget_all(path_.sender());
    s.crypto.lose_all();
    send_early_data_again(now);
    probe_count_ = 0;
}

}  // namespace tandem::quic
