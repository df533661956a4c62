// BBR: its events, and the parameters it controls.
#include <tandem/recovery/bbr.hpp>

#include <algorithm>

namespace tandem::recovery {

namespace {

constexpr std::uint64_t max_quantum = 65536;  // 5.6.3

}  // namespace

bbr::bbr(const controller_config& config)
    : random_(config.seed),
      datagram_(config.max_datagram_size),
      loss_window_(config.loss_window),
      initial_window_(config.initial_window > 0 ? config.initial_window : default_initial_window(datagram_)),
      default_initial_(config.initial_window == 0) {
    window_ = initial_window_;
}

// 5.4.1
void bbr::on_restart(time_point now, bool app_limited) {
    if (!app_limited) return;
    now_ = now;
    in_flight_ = 0;
    idle_restart_ = true;
    aggregation_.restart(now);
    if (in_probe_bw()) {
        set_pacing_rate(1);
    } else if (state_ == state::probe_rtt) {
        check_probe_rtt_done();
    }
}

// 5.2.3
void bbr::on_ack(const ack_event& ack) {
    now_ = ack.now;
    acknowledged_ = ack.delivered - delivered_;
    delivered_ = ack.delivered;
    in_flight_ = ack.bytes_in_flight;
    window_limited_ = ack.window_limited;
    if (!pacing_rate_ && ack.rtt_sampled) {  // BBRInitPacingRate
        const auto round_trip = std::max(ack.rtt.smoothed(), duration(1000));
        pacing_rate_ = static_cast<std::uint64_t>(startup_pacing_gain * static_cast<double>(initial_window_) * 1e9 /
                                                  static_cast<double>(round_trip.count()));
    }
    if (!ack.rate.has_data) return;
    default_initial_ = false;
    sample_ = ack.rate;
    rate_ = sample_.bytes_per_second();
    leave_recovery(ack);

    update_latest_delivery_signals();
    update_round_and_bandwidth();
    if (loss_round_start_) adapt_short_term_model();
    aggregation_.update(now_, acknowledged_, bandwidth(), window_, rounds_.count(),
                        pipe_.reached() ? ack_aggregation::filter_rounds : 1);
    check_full_pipe();
    check_startup_done();
    check_drain_done();
    update_probe_bw();
    min_rtt_.update(now_, ack.rtt_sampled ? std::optional(ack.rtt.latest()) : std::nullopt);
    check_probe_rtt();
    advance_latest_delivery_signals();

    set_pacing_rate(pacing_gain());
    set_window(acknowledged_);
}

void bbr::update_latest_delivery_signals() {
    loss_round_start_ = false;
    bw_latest_ = std::max(bw_latest_, rate_);
    inflight_latest_ = std::max(inflight_latest_, sample_.delivered);
    if (sample_.prior_delivered >= loss_round_ends_) {
        loss_round_ends_ = delivered_;
        loss_round_start_ = true;
    }
}

void bbr::advance_latest_delivery_signals() {
    if (!loss_round_start_) return;
    bw_latest_ = rate_;
    inflight_latest_ = sample_.delivered;
}

// 5.5.1 and 5.5.5
void bbr::update_round_and_bandwidth() {
    round_start_ = rounds_.on_ack(sample_.prior_delivered, delivered_);
    if (round_start_) ++rounds_since_probe_;
    if (rate_ > 0 && (rate_ >= max_bw_.value() || !sample_.app_limited)) max_bw_.update(rate_);
}

// 5.6.4.4: the window that was known to be good comes back; the model bounds it.
void bbr::leave_recovery(const ack_event& ack) {
    if (recovery_began_ && ack.newest_sent > *recovery_began_) {
        recovery_began_.reset();
        restore_window();
    }
    if (timeout_recovers_at_ && delivered_ >= *timeout_recovers_at_) {
        timeout_recovers_at_.reset();
        restore_window();
    }
}

void bbr::save_window() {
    const bool modulated = recovery_began_ || timeout_recovers_at_ || state_ == state::probe_rtt;
    prior_window_ = modulated ? std::max(prior_window_, window_) : window_;
}

// 5.6.4.4, upon a retransmission timeout
void bbr::on_persistent_congestion(time_point) {
    save_window();
    timeout_recovers_at_ = delivered_ + in_flight_;
    recovery_began_.reset();
    window_ = loss_window_ * datagram_;
}

void bbr::on_max_datagram_size(std::uint64_t bytes) {
    datagram_ = bytes;
    if (default_initial_) window_ = initial_window_ = default_initial_window(bytes);
    if (!timeout_recovers_at_) window_ = std::max(window_, min_pipe());
}

double bbr::pacing_gain() const {
    switch (state_) {
        case state::startup:
            return startup_pacing_gain;
        case state::drain:
            return drain_pacing_gain;
        case state::probe_bw_down:
            return down_pacing_gain;
        case state::probe_bw_up:
            return up_pacing_gain;
        default:
            return 1;
    }
}

double bbr::window_gain() const {
    switch (state_) {
        case state::probe_bw_up:
            return up_window_gain;
        case state::probe_rtt:
            return probe_rtt_window_gain;
        default:
            return default_window_gain;
    }
}

// 5.6.2: never slower than before until the pipe was full once, or an application that was slow would count as the path.
void bbr::set_pacing_rate(double gain) {
    if (bandwidth() == 0) return;
    const auto rate = std::max<std::uint64_t>(scale(bandwidth(), gain * (1 - pacing_margin)), 1);
    if (pipe_.reached() || rate > pacing_rate_.value_or(0)) pacing_rate_ = rate;
}

std::uint64_t bbr::send_quantum() const {
    return std::max(std::min(pacing_rate_.value_or(0) / 1000, max_quantum), 2 * datagram_);  // a millisecond's: 5.6.3
}

// 5.6.4.2
std::uint64_t bbr::bdp(std::uint64_t bandwidth, double gain) const {
    if (!min_rtt_.value() || bandwidth == 0) return initial_window_;
    return scale(bandwidth, gain * std::chrono::duration<double>(*min_rtt_.value()).count());
}

std::uint64_t bbr::with_budget(std::uint64_t in_flight) const {
    in_flight = std::max({in_flight, send_quantum(), min_pipe()});
    return state_ == state::probe_bw_up ? in_flight + 2 * datagram_ : in_flight;
}

std::uint64_t bbr::inflight_with_headroom() const {
    if (inflight_longterm_ == unlimited) return unlimited;
    const auto room = std::max(datagram_, scale(inflight_longterm_, headroom));
    return std::max(inflight_longterm_ - std::min(inflight_longterm_, room), min_pipe());
}

std::uint64_t bbr::probe_rtt_window() const { return std::max(bdp(bandwidth(), probe_rtt_window_gain), min_pipe()); }

// 5.6.4.6
void bbr::set_window(std::uint64_t acknowledged) {
    const auto max_inflight = with_budget(bdp(bandwidth(), window_gain()) + aggregation_.extra());
    if (pipe_.reached()) {
        window_ = std::min(window_ + acknowledged, max_inflight);
    } else if (window_ < max_inflight || delivered_ < initial_window_) {
        window_ += acknowledged;
    }
    window_ = std::max(window_, min_pipe());
    if (state_ == state::probe_rtt) window_ = std::min(window_, probe_rtt_window());
    bound_window_for_model();
}

// 5.6.4.7
void bbr::bound_window_for_model() {
    auto cap = unlimited;
    if (in_probe_bw() && state_ != state::probe_bw_cruise) {
        cap = inflight_longterm_;
    } else if (state_ == state::probe_rtt || state_ == state::probe_bw_cruise) {
        cap = inflight_with_headroom();
    }
    window_ = std::min(window_, std::max(std::min(cap, inflight_shortterm_), min_pipe()));
}

}  // namespace tandem::recovery
