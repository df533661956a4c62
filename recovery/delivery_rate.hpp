// How fast the path delivers: one rate sample per acknowledgment (draft-ietf-ccwg-bbr 4.1).
#pragma once

#include <cstdint>
#include <optional>

#include <tandem/bytes/time.hpp>
#include <tandem/recovery/congestion_controller.hpp>
#include <tandem/recovery/transmission.hpp>

namespace tandem::recovery {

class delivery_rate {
public:
    // bytes_in_flight includes what is sent now.
    delivery_snapshot on_sent(time_point now, std::uint64_t bytes, std::uint64_t bytes_in_flight);
    // `delivered` bytes were acknowledged at once, the newest of them sent at newest_sent with this snapshot. It tells no rate
    // (interval zero) if it spans less than the minimum RTT.
    rate_sample on_ack(time_point now, std::uint64_t delivered, time_point newest_sent, const delivery_snapshot& newest,
                       duration minimum_rtt);
    void on_lost(std::uint64_t bytes) { lost_ += bytes; }
    // There was nothing to send though there was room: what is sent until all in flight is delivered measures the application.
    void on_app_limited(std::uint64_t bytes_in_flight);

    std::uint64_t delivered() const { return delivered_; }  // bytes so far
    std::uint64_t lost() const { return lost_; }            // bytes so far
    bool app_limited() const { return app_limited_until_.has_value(); }

private:
    std::uint64_t delivered_ = 0;
    std::uint64_t lost_ = 0;
    time_point delivered_at_;
    time_point first_sent_;
    std::optional<std::uint64_t> app_limited_until_;  // delivered_ beyond which the application-limited bubble is gone
};

}  // namespace tandem::recovery
