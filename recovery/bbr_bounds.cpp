// BBR: what losses and marks do to its bounds (draft-ietf-ccwg-bbr 5.5.10 and 5.5.11).
#include <algorithm>

#include <tandem/recovery/bbr.hpp>

namespace tandem::recovery {

namespace {

// 5.5.10.2: losses are found late, and all at once. At what volume in flight did they pass the threshold?
std::uint64_t inflight_at_loss(const loss_event& loss) {
    const auto inflight_before = static_cast<double>(loss.in_flight - std::min(loss.in_flight, loss.bytes));
    const auto lost_before = static_cast<double>(loss.lost - std::min(loss.lost, loss.bytes));
    const double prefix = (bbr::loss_threshold * inflight_before - lost_before) / (1 - bbr::loss_threshold);
    return static_cast<std::uint64_t>(std::max(inflight_before + prefix, 0.0));
}

}  // namespace

void bbr::note_loss() {
    if (!loss_in_round_) loss_round_ends_ = delivered_;
    loss_in_round_ = true;
}

// A recovery period begins.
void bbr::on_congestion(const congestion_event& event) {
    undo_ = {state_, bw_shortterm_, inflight_shortterm_, inflight_longterm_};
    save_window();
    recovery_began_ = event.now;
    now_ = event.now;
    in_flight_ = event.bytes_in_flight;
    if (!event.ecn) return;  // on_loss follows
    note_loss();
    ce_in_round_ = true;
    if (probe_samples_) on_inflight_too_high(event.bytes_in_flight, sample_.app_limited);
}

void bbr::on_loss(const loss_event& loss) {
    now_ = loss.now;
    note_loss();
    if (last_loss_event_ != loss.now) ++loss_events_in_round_;
    last_loss_event_ = loss.now;
    if (probe_samples_ && too_much_lost(loss.lost, loss.in_flight))
        on_inflight_too_high(inflight_at_loss(loss), loss.app_limited);
}

void bbr::on_inflight_too_high(std::uint64_t in_flight, bool app_limited) {
    probe_samples_ = false;  // once per probe
    if (!app_limited) inflight_longterm_ = std::max(in_flight, scale(target_inflight(), beta));
    if (state_ == state::probe_bw_up) start_down();
}

// 5.3.1.3
void bbr::check_startup_congestion() {
    if (!loss_round_start_) return;
    ce_rounds_ = ce_in_round_ ? ce_rounds_ + 1 : 0;
    const bool lossy =
        recovery_began_ && loss_events_in_round_ >= startup_full_losses && too_much_lost(sample_.lost, sample_.in_flight);
    loss_events_in_round_ = 0;
    ce_in_round_ = false;
    if (pipe_.reached() || (!lossy && ce_rounds_ < startup_full_marks)) return;
    pipe_.declare_reached();
    inflight_longterm_ = std::max(bdp(bandwidth(), 1), inflight_latest_);
}

void bbr::reset_congestion_signals() {
    loss_in_round_ = false;
    bw_latest_ = 0;
    inflight_latest_ = 0;
}

// 5.5.10.3, at the end of a round
void bbr::adapt_short_term_model() {
    if (!probing_bw() && loss_in_round_) {
        if (bw_shortterm_ == unlimited) bw_shortterm_ = max_bw_.value();
        if (inflight_shortterm_ == unlimited) inflight_shortterm_ = window_;
        bw_shortterm_ = std::max(bw_latest_, scale(bw_shortterm_, beta));
        inflight_shortterm_ = std::max(inflight_latest_, scale(inflight_shortterm_, beta));
    }
    loss_in_round_ = false;
}

// 5.5.11.2
void bbr::on_spurious_congestion() {
    timeout_recovers_at_.reset();
    recovery_began_.reset();
    restore_window();
    if (!undo_) return;
    loss_in_round_ = false;
    pipe_.restart();
    bw_shortterm_ = std::max(bw_shortterm_, undo_->bw_shortterm);
    inflight_shortterm_ = std::max(inflight_shortterm_, undo_->inflight_shortterm);
    inflight_longterm_ = std::max(inflight_longterm_, undo_->inflight_longterm);
    if (state_ != state::probe_rtt && state_ != undo_->was) {
        if (undo_->was == state::startup) enter_startup();
        if (undo_->was == state::probe_bw_up) start_up();
    }
    undo_.reset();
}

// By one datagram in the first round of a probe, then two, four, ...: 5.3.3.4.
void bbr::raise_longterm_slope() {
    const auto growth = datagram_ << probe_up_rounds_;
    probe_up_rounds_ = std::min(probe_up_rounds_ + 1, 30);
    probe_up_count_ = std::max<std::uint64_t>(window_ / growth, 1);
}

void bbr::probe_longterm_upward() {
    if (!window_limited_ || window_ < inflight_longterm_) return;  // the bound is not what limits
    probe_up_acks_ += acknowledged_;
    const auto more = probe_up_acks_ / probe_up_count_;
    probe_up_acks_ -= more * probe_up_count_;
    inflight_longterm_ += more;
    if (round_start_) raise_longterm_slope();
}

}  // namespace tandem::recovery
