// NewReno: RFC 9002 7, with appropriate byte counting (RFC 3465).
#pragma once

#include <cstdint>
#include <optional>

#include <tandem/recovery/loss_based.hpp>

namespace tandem::recovery {

class new_reno final : public loss_based {
public:
    explicit new_reno(const controller_config& config) : loss_based(config) {}

    std::string_view name() const override { return "newreno"; }
    void on_ack(const ack_event&) override;
    void on_congestion(const congestion_event&) override;
    void on_persistent_congestion(time_point) override;
    void on_spurious_congestion() override;

private:
    struct saved_state {
        std::uint64_t window;
        std::uint64_t ssthresh;
    };

    std::uint64_t counted_ = 0;  // bytes acknowledged since the window last grew in congestion avoidance
    std::optional<saved_state> undo_;
};

}  // namespace tandem::recovery
