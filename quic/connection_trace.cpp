// What the connection tells its observers. Packets are told where they are handled; of everything else it is seen, after each
// verb, what is no longer as it was told last. So nothing but packets needs an observer's hook, and nothing is told twice.
#include <array>
#include <utility>

#include <tandem/quic/connection.hpp>

namespace tandem::quic {
namespace {

constexpr std::array levels = {encryption_level::initial, encryption_level::handshake, encryption_level::one_rtt};

packet_type type_of(encryption_level level) {
    switch (level) {
        case encryption_level::initial:
            return packet_type::initial;
        case encryption_level::zero_rtt:
            return packet_type::zero_rtt;
        case encryption_level::handshake:
            return packet_type::handshake;
        default:
            return packet_type::one_rtt;
    }
}

std::string_view name_of(ecn_validation::state s) {
    switch (s) {
        case ecn_validation::state::testing:
            return "testing";
        case ecn_validation::state::unknown:
            return "unknown";
        case ecn_validation::state::capable:
            return "capable";
        default:
            return "failed";
    }
}

}  // namespace

void connection::begin_trace(time_point now) {
    if (!start_.settings.tracer || log_) return;
    log_ = start_.settings.tracer->observe({.now = now,
                                            .side = start_.side,
                                            .version = start_.version,
                                            .path = path_.addresses(),
                                            .local = start_.local,
                                            .destination = peer_ids_.current(),
                                            .original_destination = start_.original_destination},
                                           start_.settings);
    if (!log_) return;
    streams_.watch();
    set_trace(std::exchange(trace_, nullptr));
    auto declared = declared_parameters(start_.settings);
    streams_.declare(declared);
    declared.initial_source_connection_id = start_.local;
    if (is_server()) {
        declared.original_destination_connection_id = start_.original_destination;
        declared.retry_source_connection_id = start_.retry_source;
    }
    told_.path = path_.addresses();
    log_->on_path(now, path_event::assigned, told_.path);
    log_->on_parameters(now, start_.side, declared);
    trace_changes(now, key_event::installed);
}

void connection::set_trace(connection_trace* trace) {
    trace_ = trace == nullptr ? log_.get() : trace;
    if (trace != nullptr) trace->next_ = log_.get();
}

void connection::trace_changes(time_point now, key_event update) {
    trace_keys(now, update);
    trace_handshake(now);
    trace_path(now);
    while (const auto change = streams_.poll_change()) {
        tell([&](auto& t) { t.on_stream(now, change->id, change->side, change->open); });
    }
}

void connection::trace_keys(time_point now, key_event update) {
    const auto note = [&](bool& told, bool is, encryption_level level, perspective owner) {
        if (std::exchange(told, is) == is) return;
        tell([&](auto& t) { t.on_key({now, is ? key_event::installed : key_event::discarded, level, owner, 0}); });
    };
    for (std::size_t i = 0; i < levels.size(); ++i) {
        const auto& s = spaces_[i];
        const bool application = s.id == packet_space_id::application;
        note(told_.can_read[i], application ? application_keys_.can_read() : static_cast<bool>(s.read), levels[i],
             peer_of(start_.side));
        note(told_.can_write[i], can_write(s.id), levels[i], start_.side);
    }
    for (; told_.key_updates < application_keys_.updates(); ++told_.key_updates) {
        const auto phase = told_.key_updates + 1;
        for (const auto owner : {perspective::client, perspective::server}) {
            tell([&](auto& t) { t.on_key({now, update, encryption_level::one_rtt, owner, phase}); });
        }
    }
}

void connection::trace_handshake(time_point now) {
    const auto state = [&](bool& told, bool is, std::string_view name) {
        if (is && !std::exchange(told, true)) tell([&](auto& t) { t.on_state(now, name); });
    };
    state(told_.attempted, true, "attempted");
    state(told_.handshaking, static_cast<bool>(space(packet_space_id::handshake).write), "handshake_started");
    if (const auto* peer = handshake_.peer_parameters(); peer != nullptr && !std::exchange(told_.peer_parameters, true)) {
        tell([&](auto& t) { t.on_parameters(now, peer_of(start_.side), *peer); });
    }
    if (complete_ && !told_.complete) tell([&](auto& t) { t.on_alpn(now, handshake_.alpn()); });
    state(told_.complete, complete_, "handshake_complete");
    state(told_.confirmed, confirmed_, "handshake_confirmed");
    state(told_.closing, connection_state_ == connection_state::closing, "closing");
    state(told_.draining, connection_state_ == connection_state::draining, "draining");
    state(told_.closed, connection_state_ == connection_state::closed, "closed");
}

void connection::trace_path(time_point now) {
    const bool validating = path_.validation().under_way();
    if (path_.addresses() != told_.path) {
        told_.path = path_.addresses();
        const bool fell_back = told_.validating && !validating;
        tell([&](auto& t) { t.on_path(now, fell_back ? path_event::abandoned : path_event::started, told_.path); });
        if (!fell_back && !validating) {  // it was probed before, or used
            tell([&](auto& t) { t.on_path(now, path_event::completed, told_.path); });
        }
    } else if (told_.validating && !validating) {
        tell([&](auto& t) { t.on_path(now, path_event::completed, told_.path); });
    }
    told_.validating = validating;
    if (const auto size = path_.max_datagram_size(); size != told_.datagram_size) {
        const auto old = std::exchange(told_.datagram_size, size);
        tell([&](auto& t) { t.on_mtu(now, old, size); });
    }
    if (const auto ecn = path_.ecn().current(); told_.ecn != ecn) {
        const auto old = std::exchange(told_.ecn, ecn);
        tell([&](auto& t) { t.on_ecn(now, old ? name_of(*old) : std::string_view(), name_of(ecn)); });
    }
}

// Before it is sealed: the header and the frames are in the clear.
void connection::trace_packet(packet_builder& packet, time_point now, bool counts) {
    std::array<traced_stream_data, 16> data;
    std::size_t count = 0;
    bool mtu_probe = false;
    for (const auto& token : packet.contents().streams) {
        const auto* sent = std::get_if<stream_data_token>(&token);
        if (sent != nullptr && count < data.size()) data[count++] = {sent->id, sent->offset, sent->length, sent->fin};
    }
    for (const auto& token : packet.contents().control) mtu_probe = mtu_probe || std::holds_alternative<mtu_probe_token>(token);
    traced_packet told{.now = now,
                       .space = space_of(packet.level()),
                       .number = packet.number(),
                       .size = packet.size(),
                       .ack_eliciting = packet.ack_eliciting(),
                       .in_flight = counts && packet.in_flight(),
                       .stream_data = std::span(data).first(count)};
    told.type = type_of(packet.level());
    told.payload = packet.frames().written();
    told.datagram = statistics_.datagrams_sent;
    told.mtu_probe = mtu_probe;
    told.probe = space(told.space).probes > 0 && packet.ack_eliciting();
    if (packet.level() == encryption_level::one_rtt) {
        told.destination = connection_id(packet.header().subspan(1, packet.number_offset() - 1));
        told.key_phase = application_keys_.updates();
    } else if (const auto header = parse_invariant_header(packet.header(), 0)) {
        told.version = start_.version;
        told.destination = connection_id(header->destination);
        told.source = connection_id(header->source);
        if (packet.level() == encryption_level::initial) told.token = token_;
    }
    tell([&](auto& t) { t.on_packet_sent(told); });
}

void connection::trace_received(const packet_header& header, const opened_packet* opened, time_point now) {
    traced_packet told{.now = now, .size = header.size};
    told.type = header.type;
    told.version = header.version;
    told.destination = header.destination;
    told.source = header.source;
    told.token = header.token;
    told.versions = header.versions;
    told.datagram = statistics_.datagrams_received - 1;
    told.was_buffered = arriving_.was_buffered;
    if (opened != nullptr) {
        told.number = opened->header.number;
        told.payload = opened->payload;
    }
    if (header.type == packet_type::handshake) told.space = packet_space_id::handshake;
    if (header.type == packet_type::one_rtt || header.type == packet_type::zero_rtt) {
        told.space = packet_space_id::application;
        told.key_phase = application_keys_.updates();
    }
    tell([&](auto& t) { t.on_packet_received(told); });
}

void connection::drop(drop_reason reason) {
    statistics_.dropped.add(reason);
    const auto datagram = statistics_.datagrams_received - 1;
    tell([&](auto& t) { t.on_packet_dropped(latest_, reason, arriving_.header, arriving_.bytes, datagram); });
}

void connection::trace_sent_datagrams(const train& out, std::uint64_t first, time_point now) {
    tell([&](auto& t) { t.on_datagrams_sent({now, first, out.size, out.segment_size, out.mark}); });
}

void connection::trace_lost(const packet_space& s, const recovery::lost<sent_frames>& losses, time_point now) {
    const auto largest = s.sent.largest_acknowledged().value_or(0);
    for (const auto* lost : losses.packets) {
        bool mtu_probe = false;
        for (const auto& token : lost->contents.control) mtu_probe = mtu_probe || std::holds_alternative<mtu_probe_token>(token);
        const bool far = largest >= lost->number && largest - lost->number >= tolerance_.packets();
        tell([&](auto& t) {
            t.on_packet_lost({now, s.id, lost->number, far ? loss_cause::packets : loss_cause::time, mtu_probe});
        });
    }
    trace_congestion(sample_cause::lost, now);
}

void connection::trace_congestion(sample_cause cause, time_point now) {
    const auto& sender = path_.sender();
    const auto& rtt = sender.rtt();
    congestion_sample sample{.now = now,
                             .cause = cause,
                             .congestion_window = sender.congestion_window(),
                             .bytes_in_flight = sender.bytes_in_flight(),
                             .ssthresh = sender.ssthresh(),
                             .smoothed_rtt = rtt.smoothed()};
    if (rtt.has_sample()) {
        sample.latest_rtt = rtt.latest();
        sample.minimum_rtt = rtt.minimum();
        sample.rtt_variation = rtt.variation();
    }
    sample.pacing_rate = sender.pacing_rate();
    sample.probe_timeouts = probe_count_;
    sample.recovering = sender.recovering();
    tell([&](auto& t) { t.on_congestion_sample(sample); });
}

}  // namespace tandem::quic
