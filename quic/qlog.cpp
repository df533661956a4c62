#include <tandem/quic/qlog.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <tandem/quic/config.hpp>
#include <tandem/quic/event.hpp>
#include <tandem/quic/qlog_frames.hpp>
#include <tandem/quic/stream.hpp>
#include <tandem/quic/transport_parameters.hpp>
#include <tandem/quic/version_negotiation.hpp>

namespace tandem::quic {
namespace {

using namespace qlog_text;

constexpr std::string_view schema = "urn:ietf:params:qlog:events:quic-12";
constexpr duration granularity = std::chrono::milliseconds(1);  // RFC 9002 6.1.2 kGranularity

std::string hex_of(const connection_id& id) {
    std::string text;
    for (const auto b : id.bytes()) {
        text += "0123456789abcdef"[b >> 4];
        text += "0123456789abcdef"[b & 15];
    }
    return text.empty() ? "empty" : text;
}

void write_endpoint(json_text& out, std::string_view key, const ip_endpoint& e) {
    out.begin_object(key).field(e.address.is_v6 ? "ip_v6" : "ip_v4", e.address.to_string());
    out.field(e.address.is_v6 ? "port_v6" : "port_v4", e.port).end_object();
}

std::string_view name_of(ecn mark) {
    return mark == ecn::ect0 ? "ECT(0)" : mark == ecn::ect1 ? "ECT(1)" : mark == ecn::ce ? "CE" : "Not-ECT";
}

// RFC 9000's reasons in the categories of 5.7; the reason itself goes into the details.
std::string_view trigger_of(drop_reason reason) {
    switch (reason) {
        case drop_reason::malformed:
        case drop_reason::too_small:
        case drop_reason::integrity:
            return "invalid";
        case drop_reason::wrong_connection_id:
        case drop_reason::unknown_connection:
            return "connection_unknown";
        case drop_reason::unexpected_version:
            return "unsupported";
        case drop_reason::no_keys:
            return "key_unavailable";
        case drop_reason::undecryptable:
            return "decryption_failure";
        case drop_reason::duplicate:
            return "duplicate";
        case drop_reason::unknown_path:
        case drop_reason::refused:
            return "rejected";
        default:
            return "general";
    }
}

std::string_view trigger_of(close_cause cause) {
    switch (cause) {
        case close_cause::application:
            return "application";
        case close_cause::protocol_error:
            return "error";
        case close_cause::idle_timeout:
        case close_cause::handshake_timeout:
            return "idle_timeout";
        case close_cause::stateless_reset:
            return "stateless_reset";
        case close_cause::version:
            return "version_mismatch";
        default:
            return "unspecified";
    }
}

std::string_view reason_of(recovery::limited_by why) {
    using recovery::limited_by;
    switch (why) {
        case limited_by::flow_control:
            return "connection_flow_control";
        case limited_by::congestion_window:
            return "congestion_control";
        case limited_by::pacing:
            return "pacing";
        case limited_by::amplification:
            return "amplification_protection";
        default:
            return "application";
    }
}

std::string_view key_type(perspective owner, encryption_level level) {
    constexpr std::array<std::array<std::string_view, 4>, 2> names = {
        {{"client_initial_secret", "client_0rtt_secret", "client_handshake_secret", "client_1rtt_secret"},
         {"server_initial_secret", "server_0rtt_secret", "server_handshake_secret", "server_1rtt_secret"}}};
    return names[owner == perspective::server ? 1 : 0][static_cast<std::size_t>(level)];
}

std::uint64_t milliseconds(std::chrono::milliseconds value) { return static_cast<std::uint64_t>(value.count()); }

// What parameters_set and parameters_restored have in common.
void write_limits(json_text& out, const transport_parameters& p) {
    out.field("disable_active_migration", p.disable_active_migration)
        .field("max_idle_timeout", milliseconds(p.max_idle_timeout))
        .field("max_udp_payload_size", p.max_udp_payload_size)
        .field("active_connection_id_limit", p.active_connection_id_limit)
        .field("initial_max_data", p.initial_max_data)
        .field("initial_max_stream_data_bidi_local", p.initial_max_stream_data_bidi_local)
        .field("initial_max_stream_data_bidi_remote", p.initial_max_stream_data_bidi_remote)
        .field("initial_max_stream_data_uni", p.initial_max_stream_data_uni)
        .field("initial_max_streams_bidi", p.initial_max_streams_bidi)
        .field("initial_max_streams_uni", p.initial_max_streams_uni)
        .field("max_datagram_frame_size", p.max_datagram_frame_size)
        .field("grease_quic_bit", p.grease_quic_bit);
}

class connection_log final : public connection_trace {
public:
    connection_log(std::unique_ptr<qlog::sink> out, const std::string& group, const std::string& wall_clock,
                   const trace_start& start, const config& settings, std::uint64_t max_size)
        : side_(start.side),
          log_(std::move(out),
               {.title = "tandem QUIC connection",
                .vantage_point = side_ == perspective::server ? "server" : "client",
                .group_id = group,
                .event_schema = schema,
                .wall_clock = wall_clock},
               start.now, max_size) {
        write_start(start, settings);
    }

    void on_packet_sent(const traced_packet& p) override { write_packet("quic:packet_sent", p); }
    void on_packet_received(const traced_packet& p) override { write_packet("quic:packet_received", p); }
    void on_packet_dropped(time_point now, drop_reason reason, const packet_header* header, std::size_t bytes,
                           std::uint64_t datagram) override;
    void on_packet_buffered(time_point now, const packet_header& header, std::uint64_t datagram) override;
    void on_datagrams_sent(const traced_datagrams& d) override { write_datagrams("quic:udp_datagrams_sent", d); }
    void on_datagram_received(const traced_datagrams& d) override { write_datagrams("quic:udp_datagrams_received", d); }
    void on_congestion_sample(const congestion_sample& s) override;
    void on_packet_lost(const traced_loss& lost) override;
    void on_marked_for_retransmit(time_point now, const sent_frames& contents) override;
    void on_closed(time_point now, close_cause cause, const connection_error& error) override;
    void on_state(time_point now, std::string_view state) override;
    void on_alpn(time_point now, std::string_view chosen) override;
    void on_parameters(time_point now, perspective declared_by, const transport_parameters& p) override;
    void on_parameters_restored(time_point now, const transport_parameters& p) override;
    void on_key(const traced_key& key) override;
    void on_stream(time_point now, stream_id id, stream_side part, bool open) override;
    void on_path(time_point now, path_event what, const ip_path& path) override;
    void on_mtu(time_point now, std::size_t old, std::size_t size) override;
    void on_ecn(time_point now, std::string_view old, std::string_view state) override;
    void on_limit(time_point now, recovery::limited_by old, recovery::limited_by why) override;

private:
    // Writes one event with what f writes as its data.
    template <class F>
    void event(time_point now, std::string_view name, F f) {
        if (!log_.open()) return;
        f(log_.begin(now, name));
        log_.end();
    }
    void write_start(const trace_start& start, const config& settings);
    void write_packet(std::string_view name, const traced_packet& p);
    void write_datagrams(std::string_view name, const traced_datagrams& d);
    void write_congestion_state(const congestion_sample& s);
    std::string_view initiator(perspective who) const { return who == side_ ? "local" : "remote"; }

    perspective side_;
    qlog::log log_;
    ack_ranges ranges_;
    std::string state_;  // of the connection
    std::string_view congestion_state_;
    congestion_sample told_;
    std::uint64_t paths_ = 0;
};

void connection_log::write_start(const trace_start& start, const config& settings) {
    event(start.now, "quic:connection_started", [&](json_text& out) {
        const auto end = [&](std::string_view key, const ip_endpoint& e, const connection_id& id) {
            out.begin_object(key).field(e.address.is_v6 ? "ip_v6" : "ip_v4", e.address.to_string());
            out.field(e.address.is_v6 ? "port_v6" : "port_v4", e.port);
            out.begin_array("connection_ids").hex_element(id.bytes()).end_array().end_object();
        };
        end("local", start.path.local, start.local);
        end("remote", start.path.remote, start.destination);
    });
    event(start.now, "quic:version_information", [&](json_text& out) {
        out.begin_array(side_ == perspective::server ? "server_versions" : "client_versions");
        for (const auto v : {version::v1, version::v2}) {
            if (side_ == perspective::client && v != start.version) continue;
            const auto n = static_cast<std::uint32_t>(v);
            const std::array<std::uint8_t, 4> bytes = {static_cast<std::uint8_t>(n >> 24), static_cast<std::uint8_t>(n >> 16),
                                                       static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)};
            out.hex_element(bytes);
        }
        out.end_array();
        write_version(out, "chosen_version", static_cast<std::uint32_t>(start.version));
    });
    event(start.now, "quic:alpn_information", [&](json_text& out) {
        out.begin_array(side_ == perspective::server ? "server_alpns" : "client_alpns");
        for (const auto& name : settings.alpn) out.begin_object().field("string_value", name).end_object();
        out.end_array();
    });
    event(start.now, "quic:recovery_parameters_set", [&](json_text& out) {
        out.field("reordering_threshold", recovery::reordering_tolerance::initial_packets);
        out.raw(",\"time_threshold\":1.125");
        out.field("timer_granularity", milliseconds(std::chrono::duration_cast<std::chrono::milliseconds>(granularity)));
        out.milliseconds("initial_rtt", settings.initial_rtt).field("max_datagram_size", settings.max_datagram_size);
        if (settings.initial_window != 0) out.field("initial_congestion_window", settings.initial_window);
    });
}

void connection_log::write_packet(std::string_view name, const traced_packet& p) {
    const bool sent = name == "quic:packet_sent";
    event(p.now, name, [&](json_text& out) {
        write_header(out, p);
        if (p.type == packet_type::version_negotiation) {
            out.begin_array("supported_versions");
            for (auto rest = p.versions; rest.size() >= 4; rest = rest.subspan(4)) out.hex_element(rest.first(4));
            out.end_array();
        } else if (p.type != packet_type::retry) {
            write_frames(out, p.payload, p.type, ranges_);
        }
        out.begin_object("raw").field("length", p.size).field("payload_length", p.payload.size()).end_object();
        out.field("datagram_id", static_cast<std::uint32_t>(p.datagram));
        if (p.mtu_probe) out.field("is_mtu_probe_packet", true);
        if (sent && p.probe) out.field("trigger", "pto_probe");
        if (!sent && p.was_buffered) out.field("trigger", "keys_available");
    });
}

void connection_log::on_packet_dropped(time_point now, drop_reason reason, const packet_header* header, std::size_t bytes,
                                       std::uint64_t datagram) {
    event(now, "quic:packet_dropped", [&](json_text& out) {
        if (header != nullptr) write_header(out, *header);
        out.begin_object("raw").field("length", bytes).end_object();
        out.field("datagram_id", static_cast<std::uint32_t>(datagram));
        out.begin_object("details").field("reason", to_string(reason)).end_object();
        out.field("trigger", trigger_of(reason));
    });
}

void connection_log::on_packet_buffered(time_point now, const packet_header& header, std::uint64_t datagram) {
    event(now, "quic:packet_buffered", [&](json_text& out) {
        write_header(out, header);
        out.begin_object("raw").field("length", header.size).end_object();
        out.field("datagram_id", static_cast<std::uint32_t>(datagram)).field("trigger", "keys_unavailable");
    });
}

void connection_log::write_datagrams(std::string_view name, const traced_datagrams& d) {
    const auto segment = std::max<std::size_t>(d.segment, 1);
    const auto count = (d.size + segment - 1) / segment;
    event(d.now, name, [&](json_text& out) {
        out.field("count", count).begin_array("raw");
        for (std::size_t i = 0; i < count; ++i) {
            out.begin_object().field("length", std::min(segment, d.size - i * segment)).end_object();
        }
        out.end_array().begin_array("ecn");
        for (std::size_t i = 0; i < count; ++i) out.element(name_of(d.mark));
        out.end_array().begin_array("datagram_ids");
        for (std::size_t i = 0; i < count; ++i) out.element(static_cast<std::uint32_t>(d.first + i));
        out.end_array();
    });
}

// Only what changed, as 7.2 permits.
void connection_log::on_congestion_sample(const congestion_sample& s) {
    const auto old = std::exchange(told_, s);
    const bool rtt = s.latest_rtt != old.latest_rtt || s.smoothed_rtt != old.smoothed_rtt || s.minimum_rtt != old.minimum_rtt;
    event(s.now, "quic:recovery_metrics_updated", [&](json_text& out) {
        if (rtt && s.latest_rtt != duration::zero()) {
            out.milliseconds("min_rtt", s.minimum_rtt).milliseconds("smoothed_rtt", s.smoothed_rtt);
            out.milliseconds("latest_rtt", s.latest_rtt).milliseconds("rtt_variance", s.rtt_variation);
        }
        if (s.probe_timeouts != old.probe_timeouts) out.field("pto_count", s.probe_timeouts);
        if (s.congestion_window != old.congestion_window) out.field("congestion_window", s.congestion_window);
        out.field("bytes_in_flight", s.bytes_in_flight);
        if (s.ssthresh != old.ssthresh && s.ssthresh != UINT64_MAX) out.field("ssthresh", s.ssthresh);
        if (s.pacing_rate != old.pacing_rate) out.field("pacing_rate", s.pacing_rate * 8);
    });
    write_congestion_state(s);
}

void connection_log::write_congestion_state(const congestion_sample& s) {
    const std::string_view state = s.recovering                       ? "recovery"
                                   : s.congestion_window < s.ssthresh ? "slow_start"
                                                                      : "congestion_avoidance";
    const auto old = std::exchange(congestion_state_, state);
    if (old == state) return;
    event(s.now, "quic:congestion_state_updated", [&](json_text& out) {
        if (!old.empty()) out.field("old", old);
        out.field("new", state);
    });
}

void connection_log::on_packet_lost(const traced_loss& lost) {
    event(lost.now, "quic:packet_lost", [&](json_text& out) {
        const auto type = lost.space == packet_space_id::initial     ? packet_type::initial
                          : lost.space == packet_space_id::handshake ? packet_type::handshake
                                                                     : packet_type::one_rtt;
        out.begin_object("header")
            .field("packet_type", qlog_text::name_of(type))
            .field("packet_number", lost.number)
            .end_object();
        if (lost.mtu_probe) out.field("is_mtu_probe_packet", true);
        out.field("trigger", lost.cause == loss_cause::packets ? "reordering_threshold" : "time_threshold");
    });
}

void connection_log::on_marked_for_retransmit(time_point now, const sent_frames& contents) {
    if (count_lost_frames(contents) == 0) return;
    event(now, "quic:marked_for_retransmit", [&](json_text& out) { write_lost_frames(out, contents); });
}

void connection_log::on_closed(time_point now, close_cause cause, const connection_error& error) {
    event(now, "quic:connection_closed", [&](json_text& out) {
        out.field("initiator", cause == close_cause::peer ? "remote" : "local");
        std::array<char, 32> scratch;
        const auto name = error.application ? "unknown" : name_of_error(error.code, scratch);
        out.field(error.application ? "application_error" : "connection_error", name);
        if (name == "unknown") out.field("error_code", error.code);
        out.field("reason", error.reason).field("trigger", trigger_of(cause));
    });
}

void connection_log::on_state(time_point now, std::string_view state) {
    event(now, "quic:connection_state_updated", [&](json_text& out) {
        if (!state_.empty()) out.field("old", state_);
        out.field("new", state);
    });
    state_ = state;
}

void connection_log::on_alpn(time_point now, std::string_view chosen) {
    event(now, "quic:alpn_information",
          [&](json_text& out) { out.begin_object("chosen_alpn").field("string_value", chosen).end_object(); });
}

void connection_log::on_parameters(time_point now, perspective declared_by, const transport_parameters& p) {
    event(now, "quic:parameters_set", [&](json_text& out) {
        out.field("initiator", initiator(declared_by));
        const auto id = [&](std::string_view key, const std::optional<connection_id>& value) {
            if (value) out.hex(key, value->bytes());
        };
        id("original_destination_connection_id", p.original_destination_connection_id);
        id("initial_source_connection_id", p.initial_source_connection_id);
        id("retry_source_connection_id", p.retry_source_connection_id);
        out.field("ack_delay_exponent", p.ack_delay_exponent).field("max_ack_delay", milliseconds(p.max_ack_delay));
        write_limits(out, p);
    });
}

void connection_log::on_parameters_restored(time_point now, const transport_parameters& p) {
    event(now, "quic:parameters_restored", [&](json_text& out) { write_limits(out, p); });
}

void connection_log::on_key(const traced_key& key) {
    const bool discarded = key.what == key_event::discarded;
    event(key.now, discarded ? "quic:key_discarded" : "quic:key_updated", [&](json_text& out) {
        out.field("key_type", key_type(key.owner, key.level));
        if (key.level == encryption_level::one_rtt) out.field("key_phase", key.key_phase);
        out.field("trigger", key.what == key_event::updated_here      ? "local_update"
                             : key.what == key_event::updated_by_peer ? "remote_update"
                                                                      : "tls");
    });
}

void connection_log::on_stream(time_point now, stream_id id, stream_side part, bool open) {
    event(now, "quic:stream_state_updated", [&](json_text& out) {
        out.field("stream_id", id.value);
        out.field("stream_type", id.kind() == direction::unidirectional ? "unidirectional" : "bidirectional");
        out.field("old", open ? "idle" : "open").field("new", open ? "open" : "closed");
        out.field("stream_side", part == stream_side::sending ? "sending" : "receiving");
        if (open) out.field("trigger", initiator(id.initiator()));
    });
}

void connection_log::on_path(time_point now, path_event what, const ip_path& path) {
    const bool another = what == path_event::assigned || what == path_event::started || what == path_event::abandoned;
    if (another) ++paths_;
    const auto id = std::to_string(paths_);
    const auto write = [&](json_text& out) {
        out.field("tuple_id", id);
        write_endpoint(out, "tuple_remote", path.remote);
        write_endpoint(out, "tuple_local", path.local);
    };
    if (another) event(now, "quic:tuple_assigned", write);
    if (what == path_event::assigned) return;
    event(now, "quic:migration_state_updated", [&](json_text& out) {
        if (what != path_event::started) out.field("old", "migration_started");
        out.field("new", what == path_event::started     ? "migration_started"
                         : what == path_event::completed ? "migration_complete"
                                                         : "migration_abandoned");
        write(out);
    });
}

void connection_log::on_mtu(time_point now, std::size_t old, std::size_t size) {
    event(now, "quic:mtu_updated", [&](json_text& out) {
        if (old != 0) out.field("old", old);
        out.field("new", size);
    });
}

void connection_log::on_ecn(time_point now, std::string_view old, std::string_view state) {
    event(now, "quic:ecn_state_updated", [&](json_text& out) {
        if (!old.empty()) out.field("old", old);
        out.field("new", state);
    });
}

void connection_log::on_limit(time_point now, recovery::limited_by old, recovery::limited_by why) {
    const auto blocked = [](recovery::limited_by w) { return w == recovery::limited_by::application ? "unblocked" : "blocked"; };
    event(now, "quic:connection_data_blocked_updated",
          [&](json_text& out) { out.field("old", blocked(old)).field("new", blocked(why)).field("reason", reason_of(why)); });
}

class qlog_tracer final : public connection_tracer {
public:
    qlog_tracer(std::shared_ptr<qlog::store> store, std::uint64_t max_size) : store_(std::move(store)), max_size_(max_size) {}

    std::unique_ptr<connection_trace> observe(const trace_start& start, const config& settings) override {
        const auto group = hex_of(start.original_destination);
        auto out = store_->open(group + (start.side == perspective::server ? "_server" : "_client"));
        if (!out) return nullptr;
        return std::make_unique<connection_log>(std::move(out), group, store_->wall_clock(), start, settings, max_size_);
    }

private:
    std::shared_ptr<qlog::store> store_;
    std::uint64_t max_size_;
};

}  // namespace

std::shared_ptr<connection_tracer> make_qlog_tracer(std::shared_ptr<qlog::store> store, std::uint64_t max_size) {
    return std::make_shared<qlog_tracer>(std::move(store), max_size);
}

}  // namespace tandem::quic
