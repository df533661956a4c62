// What the connection tells its observers, and what it counts for everybody: segments where they are handled; states, sizes and
// limits are compared after each verb with what they were before.
#include <utility>

#include <tandem/tcp/connection.hpp>
#include <tandem/tcp/sequence.hpp>

namespace tandem::tcp {

std::string_view to_string(segment_drop why) {
    switch (why) {
        case segment_drop::old_timestamp:
            return "old timestamp";
        case segment_drop::out_of_window:
            return "out of window";
        case segment_drop::bad_acknowledgment:
            return "bad acknowledgment";
        case segment_drop::bad_reset:
            return "bad reset";
        case segment_drop::unexpected_syn:
            return "unexpected SYN";
        case segment_drop::no_acknowledgment:
            return "no acknowledgment";
        case segment_drop::too_many_holes:
            return "too many holes";
        case segment_drop::count_:
            break;
    }
    return "unknown";
}

void connection::set_trace(trace_sink* sink) {
    trace_ = sink == nullptr ? log_.get() : sink;
    if (sink != nullptr) sink->next_ = log_.get();
}

void connection::begin_trace(time_point now) {
    if (!config_.tracer || log_) return;
    log_ = config_.tracer->observe({now, active_, path_, on_wire(iss_)}, config_);
    if (!log_) return;
    set_trace(std::exchange(trace_, nullptr));
    told_state_ = state_;
    told_mtu_ = mtu_;
}

// What both sides agreed on. The peer's scale and MSS are its own.
void connection::trace_handshake(time_point now) {
    traced_parameters ours{.sack = sack_, .timestamps = timestamps_.enabled()};
    ours.mss = static_cast<std::uint16_t>(mtu_ - ip_header_size(path_.remote.address.is_v6) - 20);
    ours.window_scale = window_.offered_scale();
    traced_parameters theirs{.mss = peer_mss_, .sack = sack_, .timestamps = timestamps_.enabled()};
    if (ours.window_scale) theirs.window_scale = snd_scale_;
    tell([&](auto& t) { t.on_parameters(now, true, ours); });
    tell([&](auto& t) { t.on_parameters(now, false, theirs); });
}

void connection::trace_sent(const packet& p) {
    const bool again = p.tcp.length() > 0 && static_cast<std::int32_t>(p.tcp.sequence - on_wire(snd_max_)) < 0;
    tell([&](auto& t) { t.on_sent({.now = latest_, .tcp = p.tcp, .retransmission = again}); });
}

void connection::trace_changes(time_point now) {
    if (state_ != told_state_) {
        const auto old = std::exchange(told_state_, state_);
        tell([&](auto& t) { t.on_state(now, to_string(old), to_string(state_)); });
    }
    if (ended_) {
        tell([&](auto& t) { t.on_closed(now, to_string(*ended_)); });
        ended_.reset();
    }
    if (mtu_ != told_mtu_) {
        const auto old = std::exchange(told_mtu_, mtu_);
        tell([&](auto& t) { t.on_mtu(now, old, mtu_); });
    }
}

void connection::drop(segment_drop why, const segment& in, time_point now) {
    ++stats_.dropped[static_cast<std::size_t>(why)];
    tell([&](auto& t) { t.on_dropped(now, why, in); });
}

void connection::set_limit(recovery::limited_by why, time_point now) {
    const auto old = limits_.current();
    if (limits_.set(why, now)) tell([&](auto& t) { t.on_limit(now, old, why); });
}

// Why there is no next segment.
recovery::limited_by connection::present_limit() const {
    using recovery::limited_by;
    if (!has_unsent()) return limited_by::application;
    return offset_of(window_edge()) <= out_.next_unsent() + (send_mss() - 1u) && window_edge() <= base() + out_.end_offset()
               ? limited_by::receive_window
               : limited_by::nagle;
}

congestion_sample connection::congestion(time_point now) const {
    const auto& rtt = sender_.rtt();
    congestion_sample s{now, sender_.congestion_window(), sender_.bytes_in_flight(), sender_.ssthresh(), rtt.smoothed()};
    if (rtt.has_sample()) {
        s.latest_rtt = rtt.latest();
        s.minimum_rtt = rtt.minimum();
        s.rtt_variation = rtt.variation();
    }
    s.pacing_rate = sender_.pacing_rate();
    s.backoff = timer_.backoff();
    s.recovering = sender_.recovering();
    return s;
}

void connection::sample(time_point now) {
    if (trace_ == nullptr) return;
    const auto s = congestion(now);
    tell([&](auto& t) { t.on_congestion_sample(s); });
}

recovery::connection_statistics connection::summary(time_point now) const {
    return {.age = now - created_,
            .packets_sent = stats_.segments_sent,
            .packets_received = stats_.segments_received,
            .packets_lost = stats_.losses,
            .packets_spurious = stats_.spurious_losses,
            .timeouts = stats_.timeouts + stats_.tail_loss_probes,
            .bytes_sent = stats_.bytes_sent,
            .bytes_received = stats_.bytes_received,
            .path = recovery::describe(sender_, path_, synchronized()),
            .limited = limits_.current(),
            .limits = limits_.at(now)};
}

recovery::stream_statistics connection::stream_summary() const {
    return {.written = out_.end_offset(),
            .unsent = out_.unsent(),
            .acknowledged = out_.begin_offset(),
            .send_limit = window_edge() > base() ? offset_of(window_edge()) : 0,
            .received = in_.readable_end(),
            .read = in_.read_offset(),
            .receive_limit = window_.edge()};
}

}  // namespace tandem::tcp
