#include <tandem/quic/flow_control.hpp>

namespace tandem::quic {

void receive_credit::consume(std::uint64_t n, time_point now, duration rtt) {
    if (!round_start_) round_start_ = now;
    consumed_ += n;
    round_consumed_ += n;
    if (round_consumed_ < window_ / 2) return;
    if (now - *round_start_ < rtt) widen(std::min(window_, max_window_ / 2) * 2);
    round_start_ = now;
    round_consumed_ = 0;
}

std::uint64_t receive_credit::announce() {
    limit_ = std::max(limit_, consumed_ + window_);
    announced_ = limit_;
    lost_ = false;
    return limit_;
}

bool send_credit::raise(std::uint64_t limit) {
    if (limit <= limit_) return false;
    limit_ = limit;
    blocked_due_ = false;
    return true;
}

std::uint64_t send_credit::announce_blocked() {
    announced_ = limit_;
    blocked_due_ = false;
    return limit_;
}

}  // namespace tandem::quic
