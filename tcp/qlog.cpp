#include <tandem/tcp/qlog.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <tandem/recovery/reordering.hpp>
#include <tandem/tcp/config.hpp>
#include <tandem/tcp/segment.hpp>

namespace tandem::tcp {
namespace {

constexpr std::string_view schema = "urn:tandem:qlog:events:tcp-01";

std::string in_file_name(const ip_endpoint& e) {
    auto text = e.address.to_string() + "_" + std::to_string(e.port);
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '.' || c == ':'; }, '-');
    return text;
}

void write_endpoint(json_text& out, std::string_view key, const ip_endpoint& e) {
    out.begin_object(key).field(e.address.is_v6 ? "ip_v6" : "ip_v4", e.address.to_string());
    out.field(e.address.is_v6 ? "port_v6" : "port_v4", e.port).end_object();
}

void write_flags(json_text& out, std::uint8_t flags) {
    constexpr std::array<std::string_view, 8> names = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
    out.begin_array("flags");
    for (std::size_t i = 0; i < names.size(); ++i) {
        if ((flags >> i & 1) != 0) out.element(names[i]);
    }
    out.end_array();
}

void write_options(json_text& out, const segment_options& o) {
    if (o == segment_options{}) return;
    out.begin_object("options");
    if (o.mss) out.field("mss", *o.mss);
    if (o.window_scale) out.field("window_scale", *o.window_scale);
    if (o.sack_permitted) out.field("sack_permitted", true);
    if (o.timestamps) {
        out.begin_object("timestamps").field("value", o.timestamps->value).field("echo", o.timestamps->echo).end_object();
    }
    if (o.sack_count > 0) {
        out.begin_array("sack_blocks");
        for (const auto& b : o.sack_blocks()) out.begin_array().element(b.begin).element(b.end).end_array();
        out.end_array();
    }
    out.end_object();
}

void write_segment(json_text& out, const segment& s) {
    out.begin_object("header").field("sequence_number", s.sequence);
    if (s.has(flag::ack)) out.field("acknowledgment_number", s.acknowledgment);
    write_flags(out, s.flags);
    out.field("window", s.window);
    write_options(out, s.options);
    out.end_object();
    out.begin_object("raw").field("length", 20 + options_size(s.options) + s.payload.size());
    out.field("payload_length", s.payload.size()).end_object();
}

std::string with_underscores(std::string_view text) {
    std::string out(text);
    std::replace(out.begin(), out.end(), ' ', '_');
    return out;
}

class connection_log final : public trace_sink {
public:
    connection_log(std::unique_ptr<qlog::sink> out, const std::string& group, const std::string& wall_clock,
                   const trace_start& start, const config& c, std::uint64_t max_size)
        : log_(std::move(out),
               {.title = "tandem TCP connection",
                .vantage_point = start.active ? "client" : "server",
                .group_id = group,
                .event_schema = schema,
                .wall_clock = wall_clock},
               start.now, max_size) {
        event(start.now, "tcp:connection_started", [&](json_text& o) {
            write_endpoint(o, "local", start.path.local);
            write_endpoint(o, "remote", start.path.remote);
            o.field("initial_sequence_number", start.initial_sequence);
        });
        event(start.now, "tcp:recovery_parameters_set", [&](json_text& o) {
            o.field("reordering_threshold", recovery::reordering_tolerance::initial_packets);
            o.raw(",\"time_threshold\":1.125");
            o.milliseconds("initial_rtt", c.initial_rtt).milliseconds("min_rto", c.min_rto).milliseconds("max_rto", c.max_rto);
            if (c.controller.initial_window != 0) o.field("initial_congestion_window", c.controller.initial_window);
        });
    }

    void on_sent(const traced_segment& s) override {
        event(s.now, "tcp:segment_sent", [&](json_text& o) {
            write_segment(o, s.tcp);
            if (s.retransmission) o.field("is_retransmission", true);
        });
    }
    void on_received(const traced_segment& s) override {
        event(s.now, "tcp:segment_received", [&](json_text& o) {
            write_segment(o, s.tcp);
            if (s.count > 1) o.field("segment_count", s.count);
        });
    }
    void on_dropped(time_point now, segment_drop why, const segment& s) override {
        event(now, "tcp:segment_dropped", [&](json_text& o) {
            write_segment(o, s);
            o.field("trigger", with_underscores(to_string(why)));
        });
    }
    void on_lost(time_point now, std::uint64_t begin, std::uint64_t end) override {
        event(now, "tcp:data_lost", [&](json_text& o) { o.field("offset", begin).field("length", end - begin); });
    }
    void on_state(time_point now, std::string_view old, std::string_view state) override {
        event(now, "tcp:connection_state_updated", [&](json_text& o) { o.field("old", old).field("new", state); });
    }
    void on_closed(time_point now, std::string_view how) override {
        event(now, "tcp:connection_closed", [&](json_text& o) { o.field("trigger", with_underscores(how)); });
    }
    void on_parameters(time_point now, bool ours, const traced_parameters& p) override {
        event(now, "tcp:parameters_set", [&](json_text& o) {
            o.field("initiator", ours ? "local" : "remote").field("mss", p.mss);
            if (p.window_scale) o.field("window_scale", *p.window_scale);
            o.field("sack_permitted", p.sack).field("timestamps", p.timestamps);
        });
    }
    void on_mtu(time_point now, std::uint16_t old, std::uint16_t mtu) override {
        event(now, "tcp:mtu_updated", [&](json_text& o) { o.field("old", old).field("new", mtu); });
    }
    void on_limit(time_point now, recovery::limited_by old, recovery::limited_by why) override {
        event(now, "tcp:data_blocked_updated", [&](json_text& o) {
            o.field("old", with_underscores(to_string(old))).field("new", with_underscores(to_string(why)));
        });
    }
    void on_congestion_sample(const congestion_sample& s) override;

private:
    template <class F>
    void event(time_point now, std::string_view name, F f) {
        if (!log_.open()) return;
        f(log_.begin(now, name));
        log_.end();
    }

    qlog::log log_;
    congestion_sample told_;
    std::string_view state_;
};

// Only what changed, as in the events of QUIC.
void connection_log::on_congestion_sample(const congestion_sample& s) {
    const auto old = std::exchange(told_, s);
    const bool rtt = s.latest_rtt != old.latest_rtt || s.smoothed_rtt != old.smoothed_rtt || s.minimum_rtt != old.minimum_rtt;
    event(s.now, "tcp:recovery_metrics_updated", [&](json_text& o) {
        if (rtt && s.latest_rtt != duration::zero()) {
            o.milliseconds("min_rtt", s.minimum_rtt).milliseconds("smoothed_rtt", s.smoothed_rtt);
            o.milliseconds("latest_rtt", s.latest_rtt).milliseconds("rtt_variance", s.rtt_variation);
        }
        if (s.backoff != old.backoff) o.field("rto_count", s.backoff);
        if (s.congestion_window != old.congestion_window) o.field("congestion_window", s.congestion_window);
        o.field("bytes_in_flight", s.bytes_in_flight);
        if (s.ssthresh != old.ssthresh && s.ssthresh != UINT64_MAX) o.field("ssthresh", s.ssthresh);
        if (s.pacing_rate != old.pacing_rate) o.field("pacing_rate", s.pacing_rate * 8);
    });
    const std::string_view state = s.recovering                       ? "recovery"
                                   : s.congestion_window < s.ssthresh ? "slow_start"
                                                                      : "congestion_avoidance";
    const auto before = std::exchange(state_, state);
    if (before == state) return;
    event(s.now, "tcp:congestion_state_updated", [&](json_text& o) {
        if (!before.empty()) o.field("old", before);
        o.field("new", state);
    });
}

class qlog_tracer final : public connection_tracer {
public:
    qlog_tracer(std::shared_ptr<qlog::store> store, std::uint64_t max_size) : store_(std::move(store)), max_size_(max_size) {}

    std::unique_ptr<trace_sink> observe(const trace_start& start, const config& c) override {
        const auto& client = start.active ? start.path.local : start.path.remote;
        const auto& server = start.active ? start.path.remote : start.path.local;
        const auto group = "tcp_" + in_file_name(client) + "_" + in_file_name(server);
        auto out = store_->open(group + (start.active ? "_client" : "_server"));
        if (!out) return nullptr;
        return std::make_unique<connection_log>(std::move(out), group, store_->wall_clock(), start, c, max_size_);
    }

private:
    std::shared_ptr<qlog::store> store_;
    std::uint64_t max_size_;
};

}  // namespace

std::shared_ptr<connection_tracer> make_qlog_tracer(std::shared_ptr<qlog::store> store, std::uint64_t max_size) {
    return std::make_shared<qlog_tracer>(std::move(store), max_size);
}

}  // namespace tandem::tcp
