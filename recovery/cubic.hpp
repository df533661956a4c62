// CUBIC: RFC 9438.
#pragma once

#include <cstdint>
#include <optional>

#include <tandem/recovery/loss_based.hpp>

namespace tandem::recovery {

class cubic final : public loss_based {
public:
    static constexpr double beta = 0.7;                           // RFC 9438 4.6
    static constexpr double c = 0.4;                              // RFC 9438 5.1, segments per second cubed
    static constexpr double alpha = 3 * (1 - beta) / (1 + beta);  // RFC 9438 4.3

    explicit cubic(const controller_config& config) : loss_based(config) {}

    std::string_view name() const override { return "cubic"; }
    void on_restart(time_point now, bool app_limited) override;
    void on_ack(const ack_event&) override;
    void on_congestion(const congestion_event&) override;
    void on_persistent_congestion(time_point) override;
    void on_spurious_congestion() override;
    void on_max_datagram_size(std::uint64_t bytes) override;

private:
    // RFC 9438 4.1.2. Windows in bytes.
    struct curve {
        double w_max = 0;  // 0: not known, there was no loss yet or a timeout since
        double cwnd_prior = 0;
        double k = 0;  // seconds
        double w_est = 0;
        double fraction = 0;              // of a byte, that the window has grown beyond window_
        std::optional<time_point> epoch;  // when the present congestion avoidance stage began; empty: at the next ACK
    };
    struct saved_state {
        std::uint64_t window;
        std::uint64_t ssthresh;
        curve at;
    };

    void start_epoch(time_point now);
    void congestion_avoidance(const ack_event&);
    double w_cubic(double t) const;
    void not_growing_since_last(time_point now);

    curve at_;
    std::optional<saved_state> undo_;
    time_point last_event_;  // the latest ACK or restart, from where on time without growth is counted
};

}  // namespace tandem::recovery
