// What each frame does, and what acknowledgment or loss of a packet means for what it carried.
#include <algorithm>
#include <type_traits>

#include <tandem/quic/connection.hpp>

namespace tandem::quic {
namespace {

template <class T, class... Of>
constexpr bool one_of = (std::is_same_v<T, Of> || ...);

connection_error violation(std::uint64_t frame_type, const char* reason) {
    return connection_error::transport(transport_error::protocol_violation, frame_type, reason);
}

// Whether the path in use carries so much was not asked by a probe of one that was left (RFC 9000 14.3).
void disown_mtu_probe(sent_frames& contents) {
    for (auto& token : contents.control) {
        if (auto* probe = std::get_if<mtu_probe_token>(&token)) probe->size = 0;
    }
}

}  // namespace

std::optional<connection_error> connection::on_frame(const frame& f, encryption_level level, const connection_id& destination,
                                                     time_point now) {
    auto& s = space(space_of(level));
    return std::visit(
        [&](const auto& each) -> std::optional<connection_error> {
            using type = std::decay_t<decltype(each)>;
            if constexpr (one_of<type, padding_frame, ping_frame>) {
                return std::nullopt;
            } else if constexpr (std::is_same_v<type, ack_frame>) {
                return on_frame(each, s, now);
            } else if constexpr (std::is_same_v<type, crypto_frame>) {
                return s.crypto.receive(each, now);
            } else if constexpr (std::is_same_v<type, connection_close_frame>) {
                on_close_frame(each, now);
                return std::nullopt;
            } else if constexpr (one_of<type, new_token_frame, new_connection_id_frame, retire_connection_id_frame,
                                        path_challenge_frame, path_response_frame, handshake_done_frame>) {
                return on_control_frame(f, destination, now);
            } else if constexpr (std::is_same_v<type, datagram_frame>) {
                bool first = false;
                auto error = datagrams_.receive(each, first);
                if (first) add_event(datagrams_available{});
                return error;
            } else if constexpr (one_of<type, ack_frequency_frame, immediate_ack_frame, reset_stream_at_frame>) {
                return on_extension_frame(f, now);
            } else {
                return streams_.receive(each, now);
            }
        },
        f);
}

std::optional<connection_error> connection::on_control_frame(const frame& f, const connection_id& destination, time_point now) {
    if (const auto* token = std::get_if<new_token_frame>(&f)) {
        if (is_server()) return violation(frame_type::new_token, "NEW_TOKEN from a client");  // RFC 9000 19.7
        if (token->token.size() <= max_peer_token_size) add_event(token_received{{token->token.begin(), token->token.end()}});
        return std::nullopt;
    }
    if (const auto* issued = std::get_if<new_connection_id_frame>(&f)) return peer_ids_.on_new(*issued);
    if (const auto* retired = std::get_if<retire_connection_id_frame>(&f))
        return local_ids_.on_retire(retired->sequence, destination);
    if (const auto* challenge = std::get_if<path_challenge_frame>(&f)) {
        answer_challenge(*challenge);
        return std::nullopt;
    }
    if (const auto* response = std::get_if<path_response_frame>(&f)) return on_path_response(*response, now);
    if (is_server()) return violation(frame_type::handshake_done, "HANDSHAKE_DONE from a client");  // RFC 9000 19.20
    if (!confirmed_) on_handshake_confirmed(now);
    return std::nullopt;
}

// Those that we did not offer are as unknown as any (RFC 9000 12.4).
std::optional<connection_error> connection::on_extension_frame(const frame& f, time_point now) {
    const auto unknown = [](std::uint64_t type) {
        return connection_error::transport(transport_error::frame_encoding_error, type,
                                           "frame of an extension that was not offered");
    };
    if (const auto* reset = std::get_if<reset_stream_at_frame>(&f)) {
        if (!start_.settings.reset_stream_at) return unknown(frame_type::reset_stream_at);
        return streams_.receive(*reset, now);
    }
    const auto* frequency = std::get_if<ack_frequency_frame>(&f);
    if (!start_.settings.ack_frequency)
        return unknown(frequency != nullptr ? frame_type::ack_frequency : frame_type::immediate_ack);
    auto& received = space(packet_space_id::application).received;
    if (frequency != nullptr) return received.on_ack_frequency(*frequency, *declared_parameters(start_.settings).min_ack_delay);
    received.on_immediate_ack();
    return std::nullopt;
}

void connection::on_close_frame(const connection_close_frame& f, time_point now) {
    const bool first = active();
    close_.begin_draining(now + 3 * probe_timeout(packet_space_id::application));
    connection_state_ = connection_state::draining;
    if (!first) return;
    connection_error error{f.error_code, f.frame_type, {f.reason.begin(), f.reason.end()}, f.application};
    add_event(connection_closed{close_cause::peer, std::move(error)});
}

std::optional<connection_error> connection::on_frame(const ack_frame& f, packet_space& s, time_point now) {
    // RFC 9000 13.1, 21.4
    if (s.numbers.names_unsent(f.ranges)) return violation(frame_type::ack, "acknowledges a packet that was never sent");
    recovery::rtt_input rtt;
    const auto* peer = handshake_.peer_parameters();
    if (s.id == packet_space_id::application && peer != nullptr) {
        // RFC 9002 5.3: no more than the peer promised, once it can be held to it.
        constexpr std::uint64_t hour = 3'600'000'000;  // microseconds; more makes no sense and must not overflow
        const duration delay = std::chrono::microseconds(std::min(f.delay, hour) << peer->ack_delay_exponent);
        rtt.ack_delay = confirmed_ ? std::min(delay, ack_frequency_.max_ack_delay()) : delay;
    }
    const auto largest_before = s.sent.largest_acknowledged();
    const auto delivered = s.sent.on_ack(f.ranges, rtt, tolerance_, path_.sender(), now);
    if (delivered.newly.empty()) return std::nullopt;

    if (s.sent.largest_acknowledged() != largest_before) validate_ecn(s, delivered, f, now);
    for (auto* t : delivered.newly) {
        if (t->left_path) disown_mtu_probe(t->contents);
        on_acknowledged(s, t->contents, now);
    }
    if (s.id == packet_space_id::handshake) handshake_acknowledged_ = true;
    if (s.id == packet_space_id::application) statistics_.packets_acknowledged += delivered.newly.size();
    if (s.id == packet_space_id::application) streams_.set_rtt(path_.sender().rtt().smoothed());
    detect_lost(s, now);
    if (s.id == packet_space_id::application && confirmed_) ack_frequency_.consider(path_.sender(), tolerance_);
    // RFC 9002 6.2.1: a client that may still be held back by the server's amplification limit goes on backing off.
    if (is_server() || s.id != packet_space_id::initial) probe_count_ = 0;
    if (trace_ != nullptr) trace_congestion(sample_cause::acknowledged, now);
    return std::nullopt;
}

void connection::validate_ecn(packet_space& s, const recovery::delivered<sent_frames>& delivered, const ack_frame& f,
                              time_point now) {
    const auto marked = std::count_if(delivered.newly.begin(), delivered.newly.end(),
                                      [](const auto* t) { return t->contents.ect0 && !t->left_path; });
    const bool congested = path_.ecn().on_ack(s.id, static_cast<std::uint64_t>(marked), f.ecn);
    if (congested && !delivered.largest->left_path) {
        path_.sender().on_ecn_ce(now, delivered.largest->sent);  // RFC 9002 7.1
    }
}

void connection::detect_lost(packet_space& s, time_point now) {
    const auto losses = s.sent.detect_lost(tolerance_, path_.sender(), now);
    if (losses.packets.empty()) return;
    if (trace_ != nullptr) trace_lost(s, losses, now);
    std::uint64_t marked = 0;
    for (auto* t : losses.packets) {
        if (t->left_path) disown_mtu_probe(t->contents);
        marked += t->contents.ect0 && !t->left_path ? 1 : 0;
        on_lost(s, t->contents, now);
    }
    path_.ecn().on_lost(marked);
}

void connection::on_acknowledged(packet_space& s, const sent_frames& contents, time_point now) {
    for (const auto& token : contents.streams) streams_.acknowledged(token, now);
    for (const auto& token : contents.control) {
        if (const auto* ack = std::get_if<ack_token>(&token))
            s.received.acknowledged(*ack);
        else if (const auto* crypto = std::get_if<crypto_token>(&token))
            s.crypto.acknowledged(*crypto);
        else if (const auto* retired = std::get_if<retire_connection_id_token>(&token))
            peer_ids_.acknowledged(*retired);
        else if (const auto* probe = std::get_if<mtu_probe_token>(&token); probe != nullptr && probe->size > 0)
            path_.on_mtu_probe_acknowledged(probe->size, now);
        else if (const auto* frequency = std::get_if<ack_frequency_token>(&token))
            ack_frequency_.acknowledged(*frequency);
    }
    if (s.id == packet_space_id::application) {
        application_keys_.on_acknowledged(contents.key_generation, now + 3 * probe_timeout(s.id));
    }
}

// RFC 9000 13.3
void connection::on_lost(packet_space& s, const sent_frames& contents, time_point now) {
    tell([&](auto& t) { t.on_marked_for_retransmit(now, contents); });
    for (const auto& token : contents.streams) streams_.lost(token, now);
    for (const auto& token : contents.control) {
        if (const auto* crypto = std::get_if<crypto_token>(&token))
            s.crypto.lost(*crypto);
        else if (const auto* issued = std::get_if<new_connection_id_token>(&token))
            local_ids_.lost(*issued);
        else if (const auto* retired = std::get_if<retire_connection_id_token>(&token))
            peer_ids_.lost(*retired);
        else if (std::holds_alternative<handshake_done_token>(token))
            handshake_done_owed_ = true;
        else if (std::holds_alternative<new_token_token>(token))
            new_token_owed_ = true;
        else if (const auto* probe = std::get_if<mtu_probe_token>(&token); probe != nullptr && probe->size > 0)
            path_.mtu().on_probe_lost(probe->size, now);
        else if (const auto* frequency = std::get_if<ack_frequency_token>(&token))
            ack_frequency_.lost(*frequency);
    }
}

}  // namespace tandem::quic
