#include <tandem/recovery/new_reno.hpp>

namespace tandem::recovery {

void new_reno::on_ack(const ack_event& ack) {
    if (ack.acknowledged == 0 || !ack.window_limited) return;  // RFC 9002 7.8
    on_growth();
    if (in_slow_start()) {
        slow_start(ack);
        return;
    }
    // RFC 9002 7.3.3: one datagram for each window acknowledged, however many ACKs told of it.
    counted_ += ack.acknowledged;
    while (counted_ >= window_) {
        counted_ -= window_;
        window_ += datagram_;
    }
}

void new_reno::on_congestion(const congestion_event&) {
    if (collapsed()) return;
    undo_ = {window_, ssthresh_};
    counted_ = 0;
    reduce_to(window_ / 2);  // RFC 9002 7.3.2, B.1 kLossReductionFactor
}

void new_reno::on_persistent_congestion(time_point now) {
    counted_ = 0;
    loss_based::on_persistent_congestion(now);
}

void new_reno::on_spurious_congestion() {
    if (!undo_) return;
    if (window_ < undo_->window) {
        window_ = undo_->window;
        ssthresh_ = undo_->ssthresh;
        on_growth();
    }
    undo_.reset();
}

}  // namespace tandem::recovery
