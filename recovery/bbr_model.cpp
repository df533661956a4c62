#include <tandem/recovery/bbr_model.hpp>

namespace tandem::recovery {

void full_pipe::on_round(std::uint64_t rate) {
    if (now_) return;
    if (static_cast<double>(rate) >= static_cast<double>(baseline_) * growth) return restart(rate);
    now_ = ++rounds_without_growth_ >= rounds;
    if (now_) reached_ = true;
}

void min_rtt_filter::update(time_point now, std::optional<duration> sample) {
    probe_due_ = recent_ && now > recent_at_ + probe_interval;
    if (sample && (!recent_ || *sample < *recent_ || probe_due_)) {
        recent_ = sample;
        recent_at_ = now;
    }
    if (!recent_) return;
    if (!value_ || *recent_ < *value_ || now > value_at_ + filter_length) {
        value_ = recent_;
        value_at_ = recent_at_;
    }
}

void windowed_max::update(std::uint64_t value, std::uint64_t at, std::uint64_t length) {
    const sample now{value, at};
    if (value >= best_[0].value || at - best_[2].at > length) {
        best_.fill(now);
        return;
    }
    if (value >= best_[1].value) {
        best_[1] = best_[2] = now;
    } else if (value >= best_[2].value) {
        best_[2] = now;
    }
    // The best is too old: the next ones move up. Else the others are drawn from later parts of the window, so that there are
    // some when the best goes.
    if (at - best_[0].at > length) {
        best_ = {best_[1], best_[2], now};
        if (at - best_[0].at > length) best_ = {best_[1], best_[2], now};
    } else if (best_[1].at == best_[0].at && at - best_[0].at > length / 4) {
        best_[1] = best_[2] = now;
    } else if (best_[2].at == best_[1].at && at - best_[1].at > length / 2) {
        best_[2] = now;
    }
}

void ack_aggregation::update(time_point now, std::uint64_t acknowledged, std::uint64_t bandwidth, std::uint64_t window,
                             std::uint64_t round, std::uint64_t rounds) {
    const double seconds = std::chrono::duration<double>(now - interval_began_).count();
    auto expected = static_cast<std::uint64_t>(static_cast<double>(bandwidth) * seconds);
    if (acknowledged_ <= expected) {  // slower than expected: the burst is over
        acknowledged_ = 0;
        interval_began_ = now;
        expected = 0;
    }
    acknowledged_ += acknowledged;
    filter_.update(std::min(acknowledged_ - expected, window), round, rounds);
}

}  // namespace tandem::recovery
