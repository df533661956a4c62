#include <tandem/recovery/delivery_rate.hpp>

#include <algorithm>

namespace tandem::recovery {

delivery_snapshot delivery_rate::on_sent(time_point now, std::uint64_t bytes, std::uint64_t bytes_in_flight) {
    if (bytes_in_flight == bytes) first_sent_ = delivered_at_ = now;  // nothing was in flight: the interval starts here
    return {delivered_, delivered_at_, first_sent_, lost_, bytes_in_flight, app_limited_until_.has_value()};
}

rate_sample delivery_rate::on_ack(time_point now, std::uint64_t delivered, time_point newest_sent,
                                  const delivery_snapshot& newest, duration minimum_rtt) {
    delivered_ += delivered;
    delivered_at_ = now;
    first_sent_ = newest_sent;
    if (app_limited_until_ && delivered_ > *app_limited_until_) app_limited_until_.reset();

    // The longer of the two: neither a burst of ACKs nor one of sends may pass for speed.
    const duration interval = std::max(newest_sent - newest.first_sent, now - newest.delivered_at);
    return {.delivered = delivered_ - newest.delivered,
            .interval = interval < minimum_rtt ? duration::zero() : interval,
            .app_limited = newest.app_limited,
            .has_data = true,
            .prior_delivered = newest.delivered,
            .in_flight = newest.in_flight,
            .lost = lost_ - newest.lost};
}

void delivery_rate::on_app_limited(std::uint64_t bytes_in_flight) { app_limited_until_ = delivered_ + bytes_in_flight; }

}  // namespace tandem::recovery
