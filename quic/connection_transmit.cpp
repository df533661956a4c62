// From what every part wants to say to a train of datagrams.
#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <tandem/quic/connection.hpp>

namespace tandem::quic {
namespace {

// A packet behind another one in a datagram is worth its header and tag only if it can say something.
constexpr std::size_t min_coalesced_room = 128;

}  // namespace

bool connection::transmit(time_point now, train& out) {
    out.size = 0;
    out.segment_size = 0;
    out.path = path_.addresses();
    out.mark = ecn::not_ect;
    latest_ = now;
    const auto first_datagram = statistics_.datagrams_sent;
    const bool sent = transmit_train(now, out);
    if (trace_ != nullptr) {
        if (sent) trace_sent_datagrams(out, first_datagram, now);
        trace_changes(now, key_event::updated_here);
    }
    return sent;
}

bool connection::transmit_train(time_point now, train& out) {
    if (active()) care_for_keys(now);
    if (close_.closing()) return transmit_close(out, now);
    if (!active()) return false;
    if (off_path_count_ > 0 && transmit_off_path(out, now)) return true;
    if (transmit_path_probe(out, now)) return true;
    out.path = path_.addresses();
    if (transmit_mtu_probe(out, now)) return true;

    // The pacer lets go bursts: what it allows at the begin holds for the whole train.
    auto budget = path_.sender().allowance(now);
    out.mark = path_.ecn().mark();
    built_datagram built;
    for (;;) {
        const auto room = out.buffer.subspan(out.size);
        const auto full = out.size == 0 ? path_.max_datagram_size() : out.segment_size;
        if (room.size() < full || path_.ecn().mark() != out.mark) break;
        const auto limit = static_cast<std::size_t>(std::min<std::uint64_t>(full, path_.amplification_allowance()));
        built = build_datagram(room.first(limit), budget >= full, now);
        if (built.size == 0) break;
        if (out.size == 0) out.segment_size = built.size;
        out.size += built.size;
        budget -= std::min<std::uint64_t>(budget, built.in_flight);
        path_.on_sent(built.size);
        ++statistics_.datagrams_sent;
        if (built.size < path_.max_datagram_size()) break;  // only the last may be shorter, and the first gives the size
    }
    statistics_.bytes_sent += out.size;
    if (out.size != 0) last_activity_ = now;
    if (built.size == 0) note_transmission_end(budget >= path_.max_datagram_size(), now);
    return out.size != 0;
}

// RFC 9000 14.4: PING and padding in a datagram larger than is known to pass. Its loss says nothing of congestion, so it does not
// count against the window; it goes only while there is other traffic that tells whether it was lost.
bool connection::transmit_mtu_probe(train& out, time_point now) {
    if (!confirmed_ || !path_.validated() || path_.validation().under_way() || path_.sender().bytes_in_flight() == 0)
        return false;
    const auto size = path_.mtu().probe_due(now);
    if (!size || *size > out.buffer.size()) return false;
    auto packet = packet_builder::begin(out.buffer.first(*size), next_packet(packet_space_id::application));
    if (!packet) return false;
    packet->frames().write(ping_frame{});
    if (ack_frequency_.in_force()) packet->frames().write(immediate_ack_frame{});  // draft-ietf-quic-ack-frequency 8.3
    packet->pad_to(*size);
    packet->contents().control.push_back(mtu_probe_token{static_cast<std::uint32_t>(*size)});
    out.mark = path_.ecn().mark();
    finish(*packet, now, sent_as::mtu_probe);
    path_.mtu().on_probe_sent(*size);
    path_.on_sent(*size);
    out.size = out.segment_size = *size;
    ++statistics_.datagrams_sent;
    statistics_.bytes_sent += out.size;
    return true;
}

// RFC 9001 6.1, 6.6. CONNECTION_CLOSE itself goes one packet over the limit, which is chosen with more room than that.
void connection::care_for_keys(time_point now) {
    if (confirmed_ && application_keys_.update_due(packets_per_key_, now)) {
        application_keys_.update(now + 3 * probe_timeout(packet_space_id::application));
    }
    if (application_keys_.exhausted()) {
        close_with(connection_error::transport(transport_error::aead_limit_reached, 0, "too many packets with one key"),
                   close_cause::protocol_error, now);
    }
}

// Nothing more can be sent now: because there is nothing, or because something holds it back?
void connection::note_transmission_end(bool had_room, time_point now) {
    pacer_release_.reset();
    const auto spaces = live_spaces();
    const bool wants =
        std::any_of(spaces.begin(), spaces.end(), [&](const packet_space& s) { return wants_packet(s, true, now); });
    set_limit(present_limit(had_room, wants), now);
    if (had_room) return path_.sender().on_app_limited();
    if (wants) pacer_release_ = path_.sender().pacer_release(now);
}

recovery::limited_by connection::present_limit(bool had_room, bool wants) const {
    using recovery::limited_by;
    if (wants && path_.amplification_allowance() < path_.max_datagram_size()) return limited_by::amplification;
    if (wants && !had_room) return path_.sender().window_blocked() ? limited_by::congestion_window : limited_by::pacing;
    return streams_.blocked_by_credit() ? limited_by::flow_control : limited_by::application;
}

void connection::set_limit(recovery::limited_by why, time_point now) {
    const auto old = limits_.current();
    if (limits_.set(why, now)) tell([&](auto& t) { t.on_limit(now, old, why); });
}

bool connection::can_write(packet_space_id id) const {
    if (id != packet_space_id::application) return static_cast<bool>(space(id).write);
    return application_keys_.can_write() || (!is_server() && early_.flowing);
}

// Anything that elicits an acknowledgment.
bool connection::has_data(const packet_space& s) const {
    if (s.crypto.wants_to_send()) return true;
    if (s.id != packet_space_id::application) return false;
    const bool data = ping_owed_ || datagrams_.wants_to_send() || streams_.wants_to_send();
    // RFC 9000 7.4.1: 0-RTT packets obey the remembered limits only, so none is sent once the new ones are known.
    if (!complete_) return early_.flowing && (is_server() || handshake_.peer_parameters() == nullptr) && data;
    return data || handshake_done_owed_ || new_token_owed_ || path_.wants_to_send() || local_ids_.wants_to_send() ||
           peer_ids_.wants_to_send() || ack_frequency_.wants_to_send();
}

bool connection::wants_packet(const packet_space& s, bool may_send_data, time_point now) const {
    return can_write(s.id) && (s.probes > 0 || s.received.ack_due(now) || (may_send_data && has_data(s)));
}

packet_start connection::next_packet(packet_space_id id) const {
    const auto& s = space(id);
    const auto level = id == packet_space_id::initial     ? encryption_level::initial
                       : id == packet_space_id::handshake ? encryption_level::handshake
                       : application_keys_.can_write()    ? encryption_level::one_rtt
                                                          : encryption_level::zero_rtt;
    return {.level = level,
            .version = level == encryption_level::zero_rtt ? original_version_ : start_.version,
            .destination = peer_ids_.current(),
            .source = level == encryption_level::one_rtt ? connection_id() : start_.local,
            .token = level == encryption_level::initial ? std::span<const std::uint8_t>(token_) : std::span<const std::uint8_t>(),
            .number = s.numbers.next(),
            .largest_acknowledged = s.sent.largest_acknowledged(),
            .key_phase = application_keys_.phase() && level == encryption_level::one_rtt,
            .quic_bit = !grease_quic_bit_ || (host_->hidden() & 1) != 0};
}

// Builds one datagram of at most out.size() bytes: packets of all levels that have something to say, coalesced.
connection::built_datagram connection::build_datagram(std::span<std::uint8_t> out, bool may_send_data, time_point now) {
    if (!path_.validated() && !complete_ && out.size() < min_unvalidated_datagram) return {};
    const auto spaces = live_spaces();
    const auto wants = [&](const packet_space& s) { return wants_packet(s, may_send_data, now); };
    if (std::none_of(spaces.begin(), spaces.end(), wants)) return {};  // as often as not
    std::array<std::optional<packet_builder>, packet_space_count> packets;
    packet_builder* last = nullptr;
    bool expand = false;
    std::size_t size = 0;
    for (auto& s : spaces) {
        if (out.size() - size < min_coalesced_room && size > 0) break;
        if (!wants(s)) continue;
        const bool initial = s.id == packet_space_id::initial;
        if (initial && out.size() < min_initial_datagram_size) return {};  // held back by the amplification limit
        auto& packet = packets[static_cast<std::size_t>(s.id)];
        packet = packet_builder::begin(out.subspan(size), next_packet(s.id));
        if (!packet) break;
        write_frames(s, *packet, may_send_data, now);
        if (packet->empty()) {
            packet.reset();
            continue;
        }
        // RFC 9000 14.1. To the full size, not just 1200: what the handshake came through with, the path carries later.
        expand = expand || (initial && (!is_server() || packet->ack_eliciting()));
        if (pad_datagram_) {
            packet->pad_to(std::min(min_initial_datagram_size, out.size()) - size);
            path_.validation().on_challenge_sent(size + packet->size());
        }
        pad_datagram_ = false;
        size += packet->size();
        last = &*packet;
    }
    if (last == nullptr) return {};
    if (expand) {
        last->pad_to(last->size() + out.size() - size);
        size = out.size();
    }
    built_datagram built{.size = size};
    for (auto& packet : packets) {
        if (packet) built.in_flight += finish(*packet, now);
    }
    return built;
}

void connection::write_frames(packet_space& s, packet_builder& packet, bool may_send_data, time_point now) {
    auto& out = packet.frames();
    auto& contents = packet.contents();
    if (s.received.ack_due(now) || s.received.ack_useful()) {
        const auto exponent = transport_parameters().ack_delay_exponent;  // we declare the default
        if (const auto token = s.received.write_ack(out, now, exponent)) {
            contents.control.push_back(*token);
            ++statistics_.acks_sent;
        }
    }
    if (may_send_data || s.probes > 0) {
        // The second probe says again what the first did rather than nothing.
        if (s.probes > 0 && !has_data(s)) requeue_for_probe(s, 1, now);
        while (const auto token = s.crypto.write_frame(out)) contents.control.push_back(*token);
        if (s.id == packet_space_id::application && (complete_ || early_.flowing)) write_application_frames(packet, now);
    }
    // A probe must elicit an acknowledgment: RFC 9002 6.2.4. And acknowledgments are acknowledged now and then, so that the
    // ranges they repeat, and our memory of them, stay few: RFC 9000 13.2.4.
    const bool lonely = s.acks_alone >= max_acks_alone && s.id == packet_space_id::application;
    if (!out.ack_eliciting() && (s.probes > 0 || lonely)) out.write(ping_frame{});
    // draft-ietf-quic-ack-frequency 7: a peer that was asked to wait for more is asked not to wait now.
    if (s.probes > 0 && s.id == packet_space_id::application && ack_frequency_.in_force()) out.write(immediate_ack_frame{});
}

void connection::write_application_frames(packet_builder& packet, time_point now) {
    auto& out = packet.frames();
    auto& contents = packet.contents();
    if (complete_) {
        if (handshake_done_owed_ && out.write(handshake_done_frame{})) {
            contents.control.push_back(handshake_done_token{});
            handshake_done_owed_ = false;
        }
        if (new_token_owed_) {
            const auto token =
                host_->address_tokens.seal_new_token(path_.addresses().remote.address, now, host_->random, start_.version);
            if (out.write(new_token_frame{token.span()})) {
                contents.control.push_back(new_token_token{});
                new_token_owed_ = false;
            }
        }
        pad_datagram_ = path_.write_frames(out, host_->hidden);
        local_ids_.write_frames(out, contents);
        peer_ids_.write_frames(out, contents);
        ack_frequency_.write_frame(out, contents);
    }
    if (ping_owed_ && out.write(ping_frame{})) ping_owed_ = false;
    datagrams_.write_frames(out);
    streams_.write_frames(out, contents.streams, now);
}

// Seals a packet and remembers it. Returns the bytes that count against the window.
std::size_t connection::finish(packet_builder& packet, time_point now, sent_as how) {
    const auto id = space_of(packet.level());
    auto& s = space(id);
    const bool early = packet.level() == encryption_level::zero_rtt;
    const bool elsewhere = how == sent_as::elsewhere;
    if (trace_ != nullptr) trace_packet(packet, now, how == sent_as::ordinary);
    packet.seal(early ? early_.keys : id == packet_space_id::application ? application_keys_.write() : s.write);

    const auto mark = elsewhere ? ecn::not_ect : path_.ecn().mark();
    packet.contents().ect0 = mark == ecn::ect0;
    packet.contents().key_generation = early ? no_key_generation : static_cast<std::uint32_t>(application_keys_.updates());
    path_.ecn().on_sent(id, mark);
    const bool eliciting = packet.ack_eliciting();
    s.acks_alone = eliciting ? 0 : s.acks_alone + 1;
    if (s.probes > 0 && eliciting) {
        --s.probes;
        ++statistics_.probes_sent;
    }
    if (eliciting) idle_.on_sent_ack_eliciting(now);
    ++statistics_.packets_sent;
    const auto size = packet.size();
    const bool in_flight = how == sent_as::ordinary && packet.in_flight();
    s.sent.on_sent({.number = packet.number(),
                    .sent = now,
                    .bytes = static_cast<std::uint32_t>(size),
                    .ack_eliciting = eliciting,
                    .in_flight = in_flight,
                    .left_path = elsewhere,
                    .contents = std::move(packet.contents())},
                   path_.sender());
    if (trace_ != nullptr) trace_congestion(sample_cause::sent, now);
    const bool skips = id == packet_space_id::application && skips_packet_numbers_;
    s.numbers.take(skips ? &host_->hidden : nullptr);
    if (id == packet_space_id::handshake && !is_server()) discard(packet_space_id::initial);  // RFC 9001 4.9.1
    return in_flight ? size : 0;
}

// RFC 9000 10.2.3: until the handshake is confirmed the peer may lack keys, so every level that we can write says it.
bool connection::transmit_close(train& out, time_point now) {
    const auto limit = std::min<std::uint64_t>({out.buffer.size(), path_.max_datagram_size(), path_.amplification_allowance()});
    if (!close_.packet_due() || limit < min_unvalidated_datagram) return false;
    const auto room = out.buffer.first(static_cast<std::size_t>(limit));
    std::optional<packet_builder> last;
    packet_keys* keys = nullptr;
    std::size_t size = 0;
    bool expand = false;
    for (auto& s : live_spaces()) {
        if (!can_write(s.id) || (s.id == packet_space_id::application && !complete_)) continue;
        auto packet = packet_builder::begin(room.subspan(size), next_packet(s.id));
        if (!packet) break;
        if (s.received.ack_useful()) s.received.write_ack(packet->frames(), now, transport_parameters().ack_delay_exponent);
        packet->frames().write(close_.frame(packet->level()));
        s.numbers.take(nullptr);
        if (last) {
            if (trace_ != nullptr) trace_packet(*last, now, false);
            last->seal(*keys);
        }
        size += packet->size();
        expand = expand || (!is_server() && s.id == packet_space_id::initial);
        keys = s.id == packet_space_id::application ? &application_keys_.write() : &s.write;
        last = std::move(packet);
    }
    if (!last) return false;
    if (expand) {  // RFC 9000 14.1
        last->pad_to(last->size() + room.size() - size);
        size = room.size();
    }
    if (trace_ != nullptr) trace_packet(*last, now, false);
    last->seal(*keys);
    close_.on_packet_sent();
    out.size = out.segment_size = size;
    path_.on_sent(size);
    ++statistics_.datagrams_sent;
    statistics_.bytes_sent += size;
    return true;
}

}  // namespace tandem::quic
