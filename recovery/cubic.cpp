#include <tandem/recovery/cubic.hpp>

#include <algorithm>
#include <cmath>

namespace tandem::recovery {

namespace {

double seconds(duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace

// RFC 9438 4.2: the elapsed time must not include periods in which the application limited the window.
void cubic::not_growing_since_last(time_point now) {
    if (at_.epoch) *at_.epoch += now - last_event_;
    last_event_ = now;
}

void cubic::on_restart(time_point now, bool) { not_growing_since_last(now); }

void cubic::on_ack(const ack_event& ack) {
    if (!ack.window_limited) {
        not_growing_since_last(ack.now);
        return;
    }
    last_event_ = ack.now;
    if (ack.acknowledged == 0) return;
    on_growth();
    if (in_slow_start()) {
        slow_start(ack);
    } else {
        congestion_avoidance(ack);
    }
}

void cubic::start_epoch(time_point now) {
    const auto window = static_cast<double>(window_);
    at_.epoch = now;
    at_.w_est = window;
    at_.fraction = 0;
    if (at_.w_max <= window) {
        // RFC 9438 4.8 and 4.10: after a timeout, and after a slow start that ended without loss, the plateau is here.
        if (at_.cwnd_prior == 0) at_.cwnd_prior = window;
        at_.w_max = window;
        at_.k = 0;
    } else {
        at_.k = std::cbrt((at_.w_max - window) / static_cast<double>(datagram_) / c);  // RFC 9438 figure 2
    }
}

// RFC 9438 figure 1, in bytes.
double cubic::w_cubic(double t) const {
    const double from_plateau = t - at_.k;
    return c * from_plateau * from_plateau * from_plateau * static_cast<double>(datagram_) + at_.w_max;
}

void cubic::congestion_avoidance(const ack_event& ack) {
    if (!at_.epoch) start_epoch(ack.now);
    const double window = static_cast<double>(window_) + at_.fraction;
    const auto acknowledged = static_cast<double>(ack.acknowledged);
    const double t = seconds(ack.now - *at_.epoch);

    // RFC 9438 4.3, figure 4
    const double increase = at_.w_est >= at_.cwnd_prior ? 1 : alpha;
    at_.w_est += increase * static_cast<double>(datagram_) * acknowledged / window;

    double grown;
    if (w_cubic(t) < at_.w_est) {
        grown = std::max(window, at_.w_est);
    } else {
        // RFC 9438 4.2, 4.4 and 4.5: each ACK takes its share, acknowledged / window, of what is missing to the target. Written
        // as the limit for many small ACKs, so that one large ACK has the same effect as the small ones that it stands for.
        const double target = std::clamp(w_cubic(t + seconds(ack.rtt.smoothed())), window, 1.5 * window);
        grown = window - (target - window) * std::expm1(-acknowledged / window);
    }
    window_ = static_cast<std::uint64_t>(grown);
    at_.fraction = grown - static_cast<double>(window_);
}

void cubic::on_congestion(const congestion_event&) {
    if (collapsed()) return;
    undo_ = {window_, ssthresh_, at_};
    const auto window = static_cast<double>(window_);
    at_.cwnd_prior = window;
    at_.w_max = window < at_.w_max ? window * (1 + beta) / 2 : window;  // RFC 9438 4.7 (fast convergence)
    at_.epoch.reset();
    at_.fraction = 0;
    reduce_to(static_cast<std::uint64_t>(std::llround(window * beta)));  // RFC 9438 4.6
}

void cubic::on_persistent_congestion(time_point now) {
    loss_based::on_persistent_congestion(now);
    at_.w_max = 0;  // RFC 9438 4.8: K is 0 and the plateau where congestion avoidance begins
    at_.fraction = 0;
    at_.epoch.reset();
}

// RFC 9438 4.9.2
void cubic::on_spurious_congestion() {
    if (!undo_) return;
    if (window_ < undo_->window) {
        window_ = undo_->window;
        ssthresh_ = undo_->ssthresh;
        at_ = undo_->at;
        on_growth();
    }
    undo_.reset();
}

void cubic::on_max_datagram_size(std::uint64_t bytes) {
    loss_based::on_max_datagram_size(bytes);
    at_.epoch.reset();  // the curve is in datagrams: it begins anew
}

}  // namespace tandem::recovery
