#include <tandem/recovery/loss_based.hpp>

#include <algorithm>

namespace tandem::recovery {

loss_based::loss_based(const controller_config& config)
    : datagram_(config.max_datagram_size),
      loss_window_(config.loss_window),
      use_hystart_(config.hystart),
      default_initial_(config.initial_window == 0) {
    reduces_proportionally_ = config.prr;
    window_ = default_initial_ ? default_initial_window(datagram_) : config.initial_window;
}

void loss_based::slow_start(const ack_event& ack) {
    default_initial_ = false;
    if (!use_hystart_ || ssthresh_ != unknown_ssthresh) {  // RFC 9406 4.3: only until the first congestion
        window_ += ack.acknowledged;
        return;
    }
    const bool over = hystart_.on_ack(ack.now, ack.newest_sent, ack.rtt_sampled ? std::optional(ack.rtt.latest()) : std::nullopt);
    window_ += hystart_.growth(ack.acknowledged);
    if (over) ssthresh_ = window_;
}

void loss_based::reduce_to(std::uint64_t bytes) {
    default_initial_ = false;
    ssthresh_ = window_ = std::max(bytes, minimum_datagrams * datagram_);
}

void loss_based::on_persistent_congestion(time_point) {
    default_initial_ = false;
    collapsed_ = true;
    window_ = loss_window_ * datagram_;
}

// RFC 9002 7.2: the initial window follows the datagram size; a window that was learned stays.
void loss_based::on_max_datagram_size(std::uint64_t bytes) {
    datagram_ = bytes;
    if (default_initial_) window_ = default_initial_window(bytes);
    if (!collapsed_) window_ = std::max(window_, minimum_datagrams * bytes);
}

}  // namespace tandem::recovery
