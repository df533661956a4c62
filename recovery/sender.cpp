#include <tandem/recovery/sender.hpp>

#include <algorithm>

namespace tandem::recovery {

sender::sender(const sender_config& config)
    : controller_(make_controller(config.controller)),
      rtt_(config.initial_rtt),
      pacer_(config.controller.max_datagram_size),
      pacing_(config.pacing),
      max_datagram_size_(config.controller.max_datagram_size) {
    update_pacing(time_point{});
}

std::uint64_t sender::window_room() const {
    const auto window = this->window();
    const auto room = window > bytes_in_flight_ ? window - bytes_in_flight_ : 0;
    // What left flight without an ACK (keys were discarded) opens no room during a reduction; with nothing in flight, no ACK ever
    // would.
    return prr_ && bytes_in_flight_ == 0 ? std::max(room, max_datagram_size_) : room;
}

std::uint64_t sender::allowance(time_point now) const {
    const auto room = window_room();
    return room == 0 || !pacing_ ? room : std::min(room, pacer_.allowance(now));
}

std::optional<time_point> sender::pacer_release(time_point now) const {
    if (!pacing_ || window_blocked()) return std::nullopt;
    const auto release = pacer_.release(now);
    return release > now ? std::optional(release) : std::nullopt;
}

// RFC 9002 7.7: a little more than window per round trip, or small variations in RTT would leave the window unused; twice as much
// in slow start, where the window doubles in a round trip.
void sender::update_pacing(time_point now) {
    if (!pacing_) return;
    auto rate = controller_->pacing_rate();
    if (!rate) {
        const auto window = static_cast<double>(controller_->window());
        const double gain = controller_->window() < controller_->ssthresh() ? 2 : 1.25;
        const double round_trip = static_cast<double>(std::max(rtt_.smoothed(), duration(1000)).count()) / 1e9;
        rate = static_cast<std::uint64_t>(std::min(gain * window / round_trip, static_cast<double>(pacer::max_rate)));
    }
    pacer_.set_rate(std::max<std::uint64_t>(*rate, 1), now);
}

delivery_snapshot sender::on_sent(time_point now, std::uint64_t bytes) {
    if (bytes_in_flight_ == 0) {
        controller_->on_restart(now, rate_.app_limited());
        update_pacing(now);
    }
    bytes_in_flight_ += bytes;
    if (prr_) prr_->on_sent(bytes);
    if (pacing_) pacer_.on_sent(now, bytes);
    const auto snapshot = rate_.on_sent(now, bytes, bytes_in_flight_);
    // The window counts as used if no further datagram fits. In slow start, where it doubles while the flight follows a round
    // trip later, half of it is enough. Who is in flight now may then grow it. RFC 9002 7.8.
    const bool slow_start = controller_->window() < controller_->ssthresh();
    if (window_blocked() || (slow_start && 2 * bytes_in_flight_ >= controller_->window())) {
        window_filled_until_ = rate_.delivered() + bytes_in_flight_;
    }
    return snapshot;
}

void sender::on_ack(time_point now, const ack_summary& ack) {
    if (ack.rtt_sample) {
        rtt_.update(*ack.rtt_sample, ack.ack_delay);
        if (!first_rtt_sample_) first_rtt_sample_ = now;
    }
    const bool window_limited = rate_.delivered() < window_filled_until_;
    bytes_in_flight_ -= std::min(bytes_in_flight_, ack.acknowledged_bytes);
    rate_sample rate;
    if (ack.newest) {
        rate = rate_.on_ack(now, ack.acknowledged_bytes + ack.late_bytes, ack.newest_sent, *ack.newest, rtt_.minimum());
    }
    just_delivered_ += ack.acknowledged_bytes + ack.late_bytes;
    just_advanced_ |= ack.advances;
    if (recovering() && !in_recovery(ack.newest_sent)) end_recovery();

    controller_->on_ack({.now = now,
                         .acknowledged = ack.growth_bytes,
                         .delivered = rate_.delivered(),
                         .bytes_in_flight = bytes_in_flight_,
                         .newest_sent = ack.newest_sent,
                         .rtt = rtt_,
                         .rtt_sampled = ack.rtt_sample.has_value(),
                         .rate = rate,
                         .window_limited = window_limited});
    if (controller_->limits_itself()) rate_.on_app_limited(bytes_in_flight_);
    update_pacing(now);
}

// flight: bytes in flight before the ACK that told of it.
void sender::begin_recovery(const congestion_event& event, std::uint64_t flight) {
    recovery_began_ = period_began_ = answered_until_ = event.now;
    period_lost_ = 0;
    period_has_ecn_ = false;
    controller_->on_congestion(event);
    // Not after a timeout, whose slow start regulates itself (RFC 9937 6: only in fast recovery).
    const bool in_slow_start = controller_->window() < controller_->ssthresh();
    if (controller_->reduces_proportionally() && !in_slow_start) {
        prr_.emplace(flight, controller_->window(), max_datagram_size_);
        prr_->on_ack(0, bytes_in_flight_, false);  // a timer, not an ACK, may have found the loss
    }
    update_pacing(event.now);
}

void sender::end_recovery() {
    recovery_began_.reset();
    prr_.reset();
}

void sender::on_ack_done(bool found_losses) {
    if (prr_ && just_delivered_ > 0) prr_->on_ack(just_delivered_, bytes_in_flight_, just_advanced_ && !found_losses);
    just_delivered_ = 0;
    just_advanced_ = false;
}

void sender::on_packet_lost(time_point now, std::uint64_t bytes, const delivery_snapshot& sent) {
    rate_.on_lost(bytes);
    controller_->on_loss({.now = now,
                          .bytes = bytes,
                          .in_flight = sent.in_flight,
                          .lost = rate_.lost() - sent.lost,
                          .app_limited = sent.app_limited});
}

void sender::on_lost(time_point now, std::uint64_t bytes, time_point newest_sent) {
    bytes_in_flight_ -= std::min(bytes_in_flight_, bytes);
    if (newest_sent > answered_until_) {  // RFC 9002 7.3.2, also when the period is over: losses are found late
        begin_recovery({.now = now, .newest_sent = newest_sent, .bytes_lost = bytes, .bytes_in_flight = bytes_in_flight_},
                       bytes_in_flight_ + bytes + just_delivered_);
    }
    period_lost_ += bytes;
}

void sender::on_ecn_ce(time_point now, time_point newest_sent) {
    if (newest_sent > answered_until_) {
        begin_recovery({.now = now, .newest_sent = newest_sent, .bytes_in_flight = bytes_in_flight_, .ecn = true},
                       bytes_in_flight_);
    }
    period_has_ecn_ = true;
}

bool sender::losses_disproved(std::uint64_t bytes) {
    if (bytes == 0 || period_lost_ == 0) return false;
    period_lost_ -= std::min(period_lost_, bytes);
    return period_lost_ == 0 && !period_has_ecn_;
}

void sender::on_spurious(time_point now) {
    end_recovery();
    answered_until_ = time_point::min();
    period_lost_ = 0;
    controller_->on_spurious_congestion();
    update_pacing(now);
}

void sender::on_persistent_congestion(time_point now) {
    controller_->on_persistent_congestion(now);
    answered_until_ = time_point::min();
    end_recovery();          // RFC 9002 B.8: what is acknowledged from here on grows the window
    rtt_.restart_minimum();  // RFC 9002 5.2
    update_pacing(now);
}

void sender::forget(std::uint64_t bytes) { bytes_in_flight_ -= std::min(bytes_in_flight_, bytes); }

void sender::set_max_datagram_size(std::uint64_t bytes) {
    if (bytes == 0 || bytes == max_datagram_size_) return;
    max_datagram_size_ = bytes;
    pacer_.set_max_datagram_size(bytes);
    controller_->on_max_datagram_size(bytes);
}

}  // namespace tandem::recovery
