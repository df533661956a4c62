#include <tandem/tcp/receive_window.hpp>

namespace tandem::tcp {

receive_window::receive_window(std::uint64_t window, std::uint64_t max_window, bool offer_scale)
    : window_(window), max_window_(std::max(window, max_window)), offered_(offer_scale) {
    if (!offer_scale) {
        disable_scale();
        return;
    }
    while (scale_ < max_scale && (max_window_ >> scale_) > 65535) ++scale_;
    max_window_ = std::min(max_window_, std::uint64_t{65535} << scale_);
    window_ = std::min(window_, max_window_);
}

void receive_window::disable_scale() {
    offered_ = false;
    scale_ = 0;
    max_window_ = std::min<std::uint64_t>(max_window_, 65535);
    window_ = std::min(window_, max_window_);
}

std::uint16_t receive_window::announce(std::uint64_t next, std::uint64_t consumed, std::uint16_t mss, std::uint8_t scale) {
    // RFC 9293 3.8.6.2.2: the edge moves by a worthwhile step or not at all.
    const auto candidate = consumed + window_;
    if (candidate >= limit_ + std::min<std::uint64_t>(std::max<std::uint64_t>(window_ / 2, 1), mss)) limit_ = candidate;
    // Rounding up keeps the edge where it was announced before (RFC 7323 2.4); it gives away less than one unit in all.
    const auto available = limit_ > next ? limit_ - next : 0;
    const auto unit = std::uint64_t{1} << scale;
    const auto field = std::min<std::uint64_t>((available + unit - 1) >> scale, 65535);
    edge_ = std::max(edge_, next + (field << scale));
    return static_cast<std::uint16_t>(field);
}

void receive_window::on_consumed(std::uint64_t consumed, time_point now, duration rtt) {
    if (!round_start_) {
        round_start_ = now;
        round_consumed_ = consumed;
        return;
    }
    if (consumed - round_consumed_ < window_ / 2) return;
    if (rtt > duration::zero() && now - *round_start_ <= rtt) window_ = std::min(window_ * 2, max_window_);
    round_start_ = now;
    round_consumed_ = consumed;
}

}  // namespace tandem::tcp
