#include "get_progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace tandem::apps {

namespace {

constexpr std::size_t max_bars = 8;
constexpr std::size_t bar_width = 24;
constexpr std::size_t name_width = 28;

std::string size_text(double bytes) {
    const char* units[] = {"B", "kB", "MB", "GB", "TB"};
    std::size_t unit = 0;
    while (bytes >= 1000 && unit + 1 < std::size(units)) bytes /= 1000, ++unit;
    char out[48];
    std::snprintf(out, sizeof out, "%.*f %s", unit == 0 ? 0 : 1, bytes, units[unit]);
    return out;
}

double share_of(const transfer_progress& t) {
    return t.expected && *t.expected > 0 ? std::min(1.0, static_cast<double>(t.bytes) / static_cast<double>(*t.expected)) : 0;
}

// "5.0 MB of 10.0 MB  50 %  [============            ]"; "5.0 MB" of what has no known length.
std::string bar(const transfer_progress& t) {
    auto out = size_text(static_cast<double>(t.bytes));
    if (!t.expected || *t.expected == 0) return out;
    const auto share = share_of(t);
    const auto filled = static_cast<std::size_t>(share * bar_width);
    return out + " of " + size_text(static_cast<double>(*t.expected)) + "  " +
           std::to_string(static_cast<int>(share * 100 + 0.5)) + " %  [" + std::string(filled, '=') +
           std::string(bar_width - filled, ' ') + "]";
}

std::string bar_with_name(const transfer_progress& t) {
    auto name = t.name.size() <= name_width ? t.name : "..." + t.name.substr(t.name.size() - name_width + 3);
    name.resize(name_width, ' ');
    return name + "  " + bar(t);
}

}  // namespace

std::vector<std::string> progress_lines(const progress_state& s, std::size_t columns, std::size_t bars) {
    std::vector<std::string> out;
    const auto rate = s.seconds > 0 ? static_cast<double>(s.bytes) / s.seconds : 0;
    std::string summary;
    if (s.total == 1 && s.transfers.size() == 1) {
        const auto& t = s.transfers.front();
        summary = bar(t);
        if (t.expected && rate > 0 && t.bytes < *t.expected) {
            const auto left = (static_cast<double>(*t.expected) - static_cast<double>(t.bytes)) / rate;
            summary += "  " + std::to_string(static_cast<long long>(left + 0.5)) + " s left";
        }
    } else {
        const auto shown = std::min(bars, s.transfers.size());
        for (std::size_t i = 0; i < shown; ++i) out.push_back(bar_with_name(s.transfers[i]));
        if (s.total > 1) summary = std::to_string(s.done) + "/" + std::to_string(s.total) + " files  ";
        if (shown < s.transfers.size()) summary += std::to_string(s.transfers.size() - shown) + " more under way  ";
        summary += size_text(static_cast<double>(s.bytes));
    }
    out.push_back(summary + "  " + size_text(rate) + "/s");
    for (auto& line : out) line.resize(std::min(line.size(), columns));
    return out;
}

void progress_display::show(const progress_state& state) {
    winsize size{};
    const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    const std::size_t columns = known ? size.ws_col - 1U : 79U;
    const std::size_t rows = known && size.ws_row > 0 ? size.ws_row : 24;
    const std::size_t bars = std::min(max_bars, rows > 2 ? rows - 2 : 0);
    const auto lines = progress_lines(state, columns, bars);
    clear();
    for (const auto& line : lines) std::fprintf(stderr, "%s%s", &line == &lines.front() ? "" : "\n", line.c_str());
    shown_ = lines.size();
}

void progress_display::clear() {
    if (shown_ == 0) return;
    std::fputs("\r", stderr);
    if (shown_ > 1) std::fprintf(stderr, "\033[%zuA", shown_ - 1);
    std::fputs("\033[J", stderr);
    shown_ = 0;
}

}  // namespace tandem::apps
