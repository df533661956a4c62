// Timers: retransmission and probes, delayed acknowledgments, keep-alive, giving up, TIME-WAIT; and what ICMP tells.
#include <algorithm>

#include <tandem/tcp/connection.hpp>
#include <tandem/tcp/sequence.hpp>

namespace tandem::tcp {
namespace {

// RFC 1191 7.1: the MTUs of links there are, for routers that do not say theirs.
std::uint16_t plateau_below(std::uint16_t mtu) {
    for (const std::uint16_t p : {32000, 17914, 8166, 4352, 2002, 1492, 1280, 1006}) {
        if (p < mtu) return p;
    }
    return min_mtu_v4;
}

}  // namespace

void connection::arm_timer(time_point now) {
    if (state_ == state::closed || state_ == state::time_wait) {
        timer_.stop();
        return;
    }
    const auto in_flight = recovery_.ack_eliciting_outstanding();
    retransmission_timer::situation s;
    s.outstanding = snd_una_ < snd_nxt_;
    s.window_blocked = in_flight == 0 && synchronized() && has_unsent() && !next_segment(send_mss());
    // RFC 8985 7.2, 7.3: not while something is known to be lost or missing, and one at a time.
    s.probe_allowed = sack_ && synchronized() && in_flight > 0 && !probe_pending_ && tail_probe_end_ == 0 &&
                      sampled_since_probe_ && !out_.has_lost() && !fin_lost_ && out_.acknowledged().empty() &&
                      !sender_.recovering() && timer_.backoff() == 0;
    s.one_segment = in_flight == 1;
    if (s.window_blocked && timer_.armed() == retransmission_timer::kind::none) progress_at_ = now;
    timer_.arm(s, sender_.rtt(), now);
}

std::optional<time_point> connection::give_up_at() const {
    if (!synchronized()) return created_ + config_.handshake_timeout;
    if (timer_.armed() == retransmission_timer::kind::none) return std::nullopt;
    return progress_at_ + user_timeout_;
}

// RFC 9293 MUST-26: only when nothing is under way.
std::optional<time_point> connection::keepalive_at() const {
    if (!config_.keepalive || !synchronized() || timer_.armed() != retransmission_timer::kind::none) return std::nullopt;
    return heard_at_ + config_.keepalive->idle + keepalives_unanswered_ * config_.keepalive->interval;
}

std::optional<time_point> connection::next_timeout() const {
    if (state_ == state::closed) return std::nullopt;
    std::optional<time_point> out;
    const auto consider = [&out](std::optional<time_point> at) {
        if (at && (!out || *at < *out)) out = at;
    };
    consider(ack_.deadline());
    consider(linger_until_);
    consider(reset_at_);
    consider(rest_at_);
    if (state_ == state::time_wait) return out;
    consider(timer_.deadline());
    if (sack_) consider(recovery_.loss_time());
    consider(pacer_at_);
    consider(give_up_at());
    consider(keepalive_at());
    return out;
}

void connection::on_timeout(time_point now) {
    latest_ = now;
    expire(now);
    if (trace_ != nullptr) trace_changes(now);
}

void connection::expire(time_point now) {
    if (state_ == state::closed) return;
    const auto due = [now](std::optional<time_point> at) { return at && *at <= now; };
    if (due(linger_until_)) {
        finish(event::closed);
        pending_events_ = 0;  // it was told when TIME-WAIT began; an orphan has nobody to tell
        return;
    }
    if (due(reset_at_)) {
        reset_at_.reset();
        if (state_ != state::fin_wait_2) {
            reset_peer();
            finish(event::closed);
            return;
        }
    }
    if (due(rest_at_)) release_memory();
    ack_.on_timeout(now);
    if (state_ == state::time_wait) return;
    if (due(give_up_at())) {
        finish(unreachable_ ? event::unreachable : event::timed_out);
        return;
    }
    if (due(pacer_at_)) pacer_at_.reset();
    if (due(recovery_.loss_time())) {
        lose(recovery_.detect_lost(tolerance_, sender_, now), now);
        sample(now);
    }
    if (due(timer_.deadline())) on_retransmission_timer(now);
    if (due(keepalive_at())) on_keepalive(now);
    if (state_ != state::closed) arm_timer(now);
}

// Where something is going on, its end sets the time anew: an acknowledgment, or the application that reads.
void connection::release_memory() {
    rest_at_.reset();
    if (recovery_.ack_eliciting_outstanding() > 0 || !out_.all_acknowledged() || readable() > 0) return;
    out_.shrink();
    in_.shrink();
    segments_.shrink();
    recovery_.shrink();
    numbers_ = std::vector<range>();  // "= {}" would keep the memory
    missing_ = std::vector<range>();
}

void connection::on_retransmission_timer(time_point now) {
    switch (timer_.armed()) {
        case retransmission_timer::kind::none:
            break;
        case retransmission_timer::kind::tail_loss_probe:
            probe_pending_ = true;
            sampled_since_probe_ = false;
            break;
        case retransmission_timer::kind::window_probe:
            window_probe_pending_ = true;
            timer_.on_expired(now);
            break;
        case retransmission_timer::kind::retransmission:
            on_retransmission_timeout(now);
            break;
    }
}

// RFC 6298 5.4 to 5.7.
void connection::on_retransmission_timeout(time_point now) {
    ++stats_.timeouts;
    timer_.on_expired(now);
    if (!synchronized()) {
        ++handshake_timeouts_;
        recovery_.forget_all(sender_);  // what a lost SYN does to the window is decided when the handshake is over
        syn_pending_ = true;
        return;
    }
    probe_pending_ = false;
    tail_probe_end_ = 0;
    timeout_recovery_end_ = timeout_end_ = next_number_;
    if (!sack_) {  // what duplicate ACKs were taken for is void
        segments_.unsettle_all([](const sent_segments::entry&) {});
        lose_bytes(snd_una_, snd_nxt_);
    } else if (recovery_.ack_eliciting_outstanding() == 0 && !has_unsent()) {
        renege();  // all was acknowledged selectively, and is not there
    }
    lose(recovery_.lose_all(sender_, now), now);
    check_black_hole(now);
    sample(now);
}

// RFC 8899 4.3: if large segments vanish, and nobody says why, smaller ones may not.
void connection::check_black_hole(time_point now) {
    const auto* oldest = segments_.holding(snd_una_);
    const auto floor = path_.remote.address.is_v6 ? min_mtu_v6 : min_mtu_v4;
    const bool large = oldest && oldest->end - oldest->begin + ip_header_size(path_.remote.address.is_v6) + 20 > floor;
    const bool enough = timer_.backoff() % recovery::mtu_discovery::black_hole_timeouts == 0;
    if (config_.probing == mtu_probing::never || !large || !enough || !mtu_search_.on_timeouts(timer_.backoff(), now)) return;
    ++stats_.mtu_black_holes;
    follow_mtu();
}

// RFC 9293 3.8.4.
void connection::on_keepalive(time_point now) {
    if (keepalives_unanswered_ >= config_.keepalive->probes) {
        reset_peer();
        finish(event::timed_out);
        return;
    }
    ++keepalives_unanswered_;
    keepalive_pending_ = true;
    heard_at_ = std::min(heard_at_, now);
}

// RFC 5927 4.1: only what names a byte in flight is believed. RFC 9293 MUST-56, SHLD-26: a hard error ends an attempt to connect;
// a connection that stands outlives it.
void connection::on_unreachable(std::uint32_t sequence, bool hard, time_point) {
    const auto at = unwrap(sequence, snd_una_);
    if (state_ == state::closed || at < snd_una_ || at >= snd_max_) return;
    if (state_ == state::syn_sent) {
        finish(hard ? event::refused : event::unreachable);
        return;
    }
    unreachable_ = true;
}

// RFC 1191, RFC 8201: segments that are too big now go out again in smaller ones; congestion had no part in it. Nobody but the
// path knows which sequence numbers are in flight (RFC 5927 7).
void connection::on_packet_too_big(std::uint32_t sequence, std::uint16_t mtu, time_point now) {
    const auto at = unwrap(sequence, snd_una_);
    const bool v6 = path_.remote.address.is_v6;
    if (state_ == state::closed || at < snd_una_ || at >= snd_max_) return;
    if (mtu == 0) mtu = plateau_below(mtu_);
    const auto believed = std::max(mtu, v6 ? min_mtu_v6 : min_mtu_v4);
    if (believed >= mtu_) return;
    mtu_search_.on_too_large(believed, now);
    follow_mtu();
    if (!synchronized()) return;
    send_again_smaller(now);
}

void connection::send_again_smaller(time_point now) {
    missing_.clear();
    recovery_.for_each_outstanding([&](transmission& t) {
        missing_.push_back({t.number, t.number + 1});
        return true;
    });
    for (const auto& r : missing_) {
        if (const auto* t = recovery_.find(r.begin)) lose_bytes(t->contents.begin, t->contents.end);
        recovery_.forget(r.begin, sender_);
    }
    missing_.clear();
    arm_timer(now);
    wake();
}

}  // namespace tandem::tcp
