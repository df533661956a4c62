#include <tandem/recovery/congestion_controller.hpp>

#include <tandem/recovery/bbr.hpp>
#include <tandem/recovery/cubic.hpp>
#include <tandem/recovery/fixed_window.hpp>
#include <tandem/recovery/new_reno.hpp>

namespace tandem::recovery {

std::unique_ptr<congestion_controller> make_controller(const controller_config& config) {
    switch (config.kind) {
        case controller_kind::new_reno:
            return std::make_unique<new_reno>(config);
        case controller_kind::cubic:
            return std::make_unique<cubic>(config);
        case controller_kind::fixed_window:
            return std::make_unique<fixed_window>(config);
        case controller_kind::bbr:
            return std::make_unique<bbr>(config);
    }
    return nullptr;
}

std::optional<controller_kind> parse_controller(std::string_view name) {
    for (const auto kind :
         {controller_kind::new_reno, controller_kind::cubic, controller_kind::bbr, controller_kind::fixed_window}) {
        if (name == to_string(kind)) return kind;
    }
    return std::nullopt;
}

std::string_view to_string(controller_kind kind) {
    switch (kind) {
        case controller_kind::new_reno:
            return "newreno";
        case controller_kind::cubic:
            return "cubic";
        case controller_kind::fixed_window:
            return "fixed";
        case controller_kind::bbr:
            return "bbr";
    }
    return "?";
}

}  // namespace tandem::recovery
