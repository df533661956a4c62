// BBR: its state machine (draft-ietf-ccwg-bbr 5.3).
#include <algorithm>

#include <tandem/recovery/bbr.hpp>

namespace tandem::recovery {

void bbr::check_full_pipe() {
    if (round_start_ && !sample_.app_limited) pipe_.on_round(rate_);
}

void bbr::check_startup_done() {
    check_startup_congestion();
    if (state_ == state::startup && pipe_.reached()) enter_drain();
}

void bbr::enter_drain() {
    state_ = state::drain;
    drain_began_ = rounds_.count();
    ssthresh_ = inflight(max_bw_.value(), 1);  // where slow start would have ended: for those who show it
}

void bbr::check_drain_done() {
    if (state_ != state::drain) return;
    if (in_flight_ <= inflight(bandwidth(), 1) || rounds_.count() > drain_began_ + drain_rounds) start_down();
}

// 5.3.3.6

void bbr::start_down() {
    reset_congestion_signals();
    probe_up_count_ = unlimited;
    rounds_since_probe_ = random_.below(2);
    probe_wait_ =
        min_probe_wait + duration(static_cast<duration::rep>(random_.uniform() * static_cast<double>(probe_wait_spread.count())));
    cycle_began_ = now_;
    acks_ = ack_phase::probe_stopping;
    rounds_.start(delivered_);
    state_ = state::probe_bw_down;
}

void bbr::start_refill() {
    reset_short_term_model();
    probe_up_rounds_ = 0;
    probe_up_acks_ = 0;
    acks_ = ack_phase::refilling;
    rounds_.start(delivered_);
    state_ = state::probe_bw_refill;
}

void bbr::start_up() {
    acks_ = ack_phase::probe_starting;
    rounds_.start(delivered_);
    pipe_.restart(rate_);
    cycle_began_ = now_;
    state_ = state::probe_bw_up;
    raise_longterm_slope();
}

void bbr::update_probe_bw() {
    if (!pipe_.reached()) return;
    adapt_long_term_model();
    switch (state_) {
        case state::probe_bw_down:
            if (time_to_probe()) {
                start_refill();
            } else if (time_to_cruise()) {
                state_ = state::probe_bw_cruise;
            }
            break;
        case state::probe_bw_cruise:
            if (time_to_probe()) start_refill();
            break;
        case state::probe_bw_refill:
            if (round_start_) {  // after one round of it
                probe_samples_ = true;
                start_up();
            }
            break;
        case state::probe_bw_up:
            if (time_to_go_down()) start_down();
            break;
        default:
            break;
    }
}

// After the wait that was drawn, or when Reno would have grown its window by as much as this flow has in flight: 5.3.3.5.3.
bool bbr::time_to_probe() const {
    return now_ > cycle_began_ + probe_wait_ || rounds_since_probe_ >= std::min(target_inflight() / datagram_, reno_rounds);
}

bool bbr::time_to_cruise() const { return in_flight_ <= inflight_with_headroom() && in_flight_ <= inflight(max_bw_.value(), 1); }

bool bbr::time_to_go_down() {
    if (window_limited_ && window_ >= inflight_longterm_) {
        pipe_.restart(rate_);  // it is the long-term bound that limits the bandwidth
        return false;
    }
    return pipe_.now();
}

void bbr::adapt_long_term_model() {
    if (round_start_ && acks_ == ack_phase::probe_starting) {
        acks_ = ack_phase::probe_feedback;
    } else if (round_start_ && acks_ == ack_phase::probe_stopping) {
        acks_ = ack_phase::none;  // all samples of the probe are in
        probe_samples_ = false;
        if (in_probe_bw() && !sample_.app_limited) max_bw_.advance();
    }
    if (inflight_longterm_ == unlimited || too_much_lost(sample_.lost, sample_.in_flight)) return;
    inflight_longterm_ = std::max(inflight_longterm_, sample_.in_flight);
    if (state_ == state::probe_bw_up) probe_longterm_upward();
}

// 5.3.4.3

void bbr::check_probe_rtt() {
    if (state_ != state::probe_rtt && min_rtt_.probe_due() && !idle_restart_) {
        save_window();
        state_ = state::probe_rtt;
        probe_rtt_ends_.reset();
        acks_ = ack_phase::probe_stopping;
        rounds_.start(delivered_);
    }
    if (state_ == state::probe_rtt) handle_probe_rtt();
    if (sample_.delivered > 0) idle_restart_ = false;
}

void bbr::handle_probe_rtt() {
    limits_itself_ = true;  // low rates say nothing about the path now
    if (!probe_rtt_ends_) {
        if (in_flight_ > probe_rtt_window()) return;
        probe_rtt_ends_ = now_ + probe_rtt_duration;
        probe_rtt_round_done_ = false;
        rounds_.start(delivered_);
        return;
    }
    if (round_start_) probe_rtt_round_done_ = true;
    if (probe_rtt_round_done_) check_probe_rtt_done();
}

void bbr::check_probe_rtt_done() {
    if (!probe_rtt_ends_ || now_ <= *probe_rtt_ends_) return;
    min_rtt_.probed(now_);
    limits_itself_ = false;
    restore_window();
    // 5.3.4.4: what is in flight lies below the estimated BDP, so there is nothing left for DOWN to drain.
    reset_short_term_model();
    if (!pipe_.reached()) return enter_startup();
    start_down();
    state_ = state::probe_bw_cruise;
}

}  // namespace tandem::recovery
