// What the controllers that react to loss have in common: slow start, the smallest window, a change of datagram size.
#pragma once

#include <cstdint>

#include <tandem/recovery/congestion_controller.hpp>
#include <tandem/recovery/hystart.hpp>

namespace tandem::recovery {

class loss_based : public congestion_controller {
public:
    static constexpr std::uint64_t minimum_datagrams = 2;  // RFC 9002 7.2 kMinimumWindow

    void on_persistent_congestion(time_point) override;
    void on_max_datagram_size(std::uint64_t bytes) override;

protected:
    explicit loss_based(const controller_config&);

    bool in_slow_start() const { return window_ < ssthresh_; }
    // RFC 9002 7.3.1, with HyStart++ in the first slow start. May end it by setting ssthresh to the window.
    void slow_start(const ack_event&);
    // Window and ssthresh after a congestion event.
    void reduce_to(std::uint64_t bytes);
    // A timeout's retransmissions lost again say nothing new: ssthresh is set once per collapse (RFC 5681 3.1).
    bool collapsed() const { return collapsed_; }
    void on_growth() { collapsed_ = false; }

    std::uint64_t datagram_;

private:
    hystart hystart_;
    std::uint64_t loss_window_;  // datagrams
    bool use_hystart_;
    bool default_initial_;  // the window is still RFC 9002's initial one
    bool collapsed_ = false;
};

}  // namespace tandem::recovery
