#include <tandem/net/connection_summary.hpp>

#include <cstdio>

namespace tandem::net {
namespace {

double milliseconds(duration d) { return static_cast<double>(d.count()) / 1e6; }

std::string in_kilobytes(std::uint64_t bytes) {
    char text[40];
    std::snprintf(text, sizeof text, "%.1f kB", static_cast<double>(bytes) / 1000);
    return text;
}

}  // namespace

std::string summary_line(const recovery::connection_statistics& s) {
    auto out = "sent " + std::to_string(s.packets_sent) + " packets (" + in_kilobytes(s.bytes_sent) + "), received " +
               std::to_string(s.packets_received) + " (" + in_kilobytes(s.bytes_received) + "), " +
               std::to_string(s.packets_lost) + " lost";
    if (s.packets_spurious > 0) out += " (" + std::to_string(s.packets_spurious) + " by mistake)";
    out += ", " + std::to_string(s.timeouts) + (s.timeouts == 1 ? " timeout" : " timeouts");
    char text[100];
    if (s.path.smoothed_rtt > duration::zero()) {
        std::snprintf(text, sizeof text, "; RTT %.1f ms (least %.1f)", milliseconds(s.path.smoothed_rtt),
                      milliseconds(s.path.minimum_rtt));
        out += text;
    }
    out += ", window " + std::to_string(s.path.congestion_window) + " bytes";
    const auto total = milliseconds(s.limits.total());
    const char* words = "; limited by ";
    for (std::size_t i = 0; i < recovery::limit_count && total > 0; ++i) {
        const auto spent = milliseconds(s.limits.spent[i]);
        if (spent <= 0) continue;
        const auto why = to_string(static_cast<recovery::limited_by>(i));
        std::snprintf(text, sizeof text, "%s%.*s %.0f%% (%.0f ms)", words, static_cast<int>(why.size()), why.data(),
                      100 * spent / total, spent);
        out += text;
        words = ", ";
    }
    return out;
}

}  // namespace tandem::net
