// A window that nothing changes, for experiments: what remains is the transport.
#pragma once

#include <cstdint>

#include <tandem/recovery/congestion_controller.hpp>

namespace tandem::recovery {

class fixed_window final : public congestion_controller {
public:
    static constexpr std::uint64_t default_window = 256 * 1024;

    explicit fixed_window(const controller_config& config) {
        window_ = ssthresh_ = config.fixed_window > 0 ? config.fixed_window : default_window;
    }

    std::string_view name() const override { return "fixed"; }
    void on_ack(const ack_event&) override {}
    void on_congestion(const congestion_event&) override {}
    void on_persistent_congestion(time_point) override {}
    void on_max_datagram_size(std::uint64_t) override {}
};

}  // namespace tandem::recovery
