#include <tandem/recovery/congestion_controller.hpp>

#include <tandem/recovery/cubic.hpp>
#include <tandem/recovery/fixed_window.hpp>
#include <tandem/recovery/new_reno.hpp>

namespace tandem::recovery {

std::unique_ptr<congestion_controller> make_controller(const controller_config& config) {
    switch (config.kind) {
        case controller_kind::new_reno: return std::make_unique<new_reno>(config);
        case controller_kind::cubic: return std::make_unique<cubic>(config);
        case controller_kind::fixed_window: return std::make_unique<fixed_window>(config);
    }
    return nullptr;
}

std::optional<controller_kind> parse_controller(std::string_view name) {
    if (name == "newreno") return controller_kind::new_reno;
    if (name == "cubic") return controller_kind::cubic;
    if (name == "fixed") return controller_kind::fixed_window;
    return std::nullopt;
}

}  // namespace tandem::recovery
