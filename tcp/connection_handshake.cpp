// SYN-SENT and SYN-RECEIVED, and what both sides agree on there.
#include <algorithm>

#include <tandem/tcp/connection.hpp>
#include <tandem/tcp/sequence.hpp>

namespace tandem::tcp {

// Options of our SYN or SYN-ACK. A SYN-ACK answers only what the peer offered (RFC 7323 1.3, RFC 2018 2).
segment_options connection::syn_options(time_point now) const {
    segment_options out;
    out.mss = announced_mss(config_, path_);
    out.window_scale = window_.offered_scale();
    out.sack_permitted = sack_;
    if (timestamps_.enabled()) out.timestamps = timestamp_option{timestamps_.value(now), timestamps_.echo()};
    if (config_.user_timeout_option) {
        constexpr std::uint16_t minutes = 0x8000;
        const auto seconds = std::max<std::int64_t>(1, config_.user_timeout / std::chrono::seconds(1));
        out.user_timeout =
            static_cast<std::uint16_t>(seconds < minutes ? seconds : minutes | std::min<std::int64_t>(seconds / 60, 0x7fff));
    }
    return out;
}

// What the path carries, and the application allows.
std::uint16_t connection::path_mss() const {
    const auto path = static_cast<std::uint16_t>(mtu_ - ip_header_size(path_.remote.address.is_v6) - 20);
    return config_.mss_limit == 0 ? path : std::min(path, std::max(config_.mss_limit, min_peer_mss));
}

// The peer's SYN: numbers, window and options.
void connection::take_syn(const segment& syn, time_point now) {
    irs_ = first_sequence(syn.sequence);
    rcv_nxt_ = last_ack_sent_ = irs_ + 1;
    const auto& o = syn.options;
    if (o.mss) peer_mss_ = *o.mss;
    if (o.window_scale && window_.offered_scale()) {
        snd_scale_ = std::min(*o.window_scale, receive_window::max_scale);  // RFC 7323 2.3
    } else {
        window_.disable_scale();
    }
    sack_ = sack_ && o.sack_permitted;
    if (!sack_) tolerance_ = recovery::reordering_tolerance(recovery::reordering_kind::packets);  // RFC 8985 3: RACK needs SACK
    if (o.timestamps && timestamps_.enabled()) {
        timestamps_.start(o.timestamps->value, now);
    } else {
        timestamps_.disable();
    }
    if (o.user_timeout && config_.user_timeout_option) {  // RFC 5482 3.1
        const std::chrono::seconds theirs((*o.user_timeout & 0x7fff) * ((*o.user_timeout & 0x8000) != 0 ? 60 : 1));
        user_timeout_ =
            std::min<duration>(config_.max_user_timeout, std::max<duration>({user_timeout_, theirs, min_user_timeout}));
    }
    mtu_search_.lower_limit(ip_header_size(path_.remote.address.is_v6) + 20u + std::max(peer_mss_, min_peer_mss));
    ecn_.on_syn(syn.flags);
    snd_wnd_ = largest_snd_wnd_ = syn.window;  // never scaled in a SYN (RFC 7323 2.2)
    snd_wl1_ = irs_;
    snd_wl2_ = snd_una_;
    update_mss();
}

// RFC 9293 3.7.1: the smaller of what the peer takes and what the path carries; RFC 6691: options are not subtracted here.
void connection::update_mss() {
    mss_ = std::min(std::max(peer_mss_, min_peer_mss), path_mss());
    sender_.set_max_datagram_size(20u + mss_ - 8u);
}

// The search for the path's MTU has moved.
void connection::follow_mtu() {
    const auto size = static_cast<std::uint16_t>(mtu_search_.size());
    if (size == mtu_) return;
    mtu_ = size;
    update_mss();
}

// RFC 9293 3.10.7.3.
void connection::receive_syn_sent(const segment& in, time_point now, unsigned segment_count) {
    const auto ack = unwrap(in.acknowledgment, snd_una_);
    const bool acceptable = in.has(flag::ack) && ack > snd_una_ && ack <= snd_max_;
    if (in.has(flag::ack) && !acceptable) {
        if (!in.has(flag::rst)) reset_ = reset_segment{.sequence = in.acknowledgment};
        return;
    }
    if (in.has(flag::rst)) {
        if (acceptable) finish(event::refused);
        return;
    }
    if (!in.has(flag::syn)) return;
    take_syn(in, now);
    if (!acceptable) {  // simultaneous open: the SYN again, now with an acknowledgment
        state_ = state::syn_received;
        syn_pending_ = true;
        return;
    }
    process_ack(in, ack, now);
    establish(now);
    ack_.at_once();
    if (!in.payload.empty() || in.has(flag::fin)) receive_text(in, irs_ + 1, now, segment_count);
}

// In SYN-RECEIVED: the peer's SYN once more. Its SYN-ACK crossing ours (simultaneous open) also acknowledges.
void connection::receive_syn_again(const segment& in, time_point now) {
    const auto ack = unwrap(in.acknowledgment, snd_una_);
    if (in.has(flag::ack) && leave_syn_received(in, ack, now)) {
        ack_.at_once();
    } else if (!in.has(flag::ack)) {
        syn_pending_ = true;  // our SYN-ACK was lost
    }
}

// RFC 9293 3.10.7.4, fifth. Returns false if the acknowledgment is not for our SYN; a RST answers it then.
bool connection::leave_syn_received(const segment& in, std::uint64_t ack, time_point now) {
    if (ack <= snd_una_ || ack > snd_max_) {
        reset_ = reset_segment{.sequence = in.acknowledgment};
        return false;
    }
    process_ack(in, ack, now);
    establish(now);
    snd_wnd_ = std::uint64_t{in.window} << (in.has(flag::syn) ? 0 : snd_scale_);
    largest_snd_wnd_ = std::max(largest_snd_wnd_, snd_wnd_);
    snd_wl1_ = unwrap(in.sequence, rcv_nxt_);
    snd_wl2_ = ack;
    return true;
}

void connection::establish(time_point now) {
    syn_pending_ = false;
    begin_trace(now);
    trace_handshake(now);
    state_ = fin_queued_ ? state::fin_wait_1 : state::established;
    progress_at_ = heard_at_ = now;
    // RFC 6928 2: one SYN lost may be chance; more are congestion.
    if (handshake_timeouts_ > 1) sender_.on_persistent_congestion(now);
    if (handshake_timeouts_ > 0) timer_.start_conservatively();
    raise(active_ ? event::connected : event::accepted);
}

}  // namespace tandem::tcp
