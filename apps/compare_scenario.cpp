#include "compare_scenario.hpp"

#include <algorithm>
#include <array>

#include "quantities.hpp"

namespace tandem::compare {

namespace {

struct cell_text {
    std::string_view name, description;
};
constexpr std::array<cell_text, cell_count> cells{{
    {"h1-1conn", "HTTP/1.1 over TLS over TCP, 1 connection"},
    {"h1-6conn", "HTTP/1.1 over TLS over TCP, 6 connections"},
    {"h3-tcp", "HTTP/3 over QMux over TLS over TCP, 1 connection"},
    {"h3-quic", "HTTP/3 over QUIC, 1 connection"},
}};

constexpr std::uint64_t nanoseconds_per_second = 1'000'000'000;

}  // namespace

std::string_view name(cell c) { return cells[static_cast<std::size_t>(c)].name; }
std::string_view description(cell c) { return cells[static_cast<std::size_t>(c)].description; }

std::optional<cell> parse_cell(std::string_view wanted) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (cells[i].name == wanted) return static_cast<cell>(i);
    }
    return std::nullopt;
}

std::string_view name(recovery::controller_kind kind) { return recovery::to_string(kind); }

std::uint64_t scenario::effective_window() const {
    if (window != 0) return window;
    const double path = static_cast<double>(rate) / 8 * static_cast<double>(rtt.count()) / 1e9;
    return std::max<std::uint64_t>(2 * static_cast<std::uint64_t>(path), 10 * mtu);
}

sim::link_config scenario::link() const {
    sim::link_config config;
    config.rate = rate;
    config.delay = rtt / 2;
    config.jitter = jitter;
    config.jitter_keeps_order = true;
    config.queue = queue;
    config.mtu = mtu;
    config.loss = sim::loss_config::bursts(loss, burst);
    config.loss_by = loss_by;
    config.loss_slot = std::max(packet_time(), duration{std::chrono::microseconds(100)});
    config.reorder = reorder;
    return config;
}

duration scenario::packet_time() const {
    return rate == 0 ? duration{} : duration{static_cast<duration::rep>(mtu * 8 * nanoseconds_per_second / rate)};
}

scenario default_scenario() {
    scenario s;
    s.loss = 0.01;
    s.runs = 30;
    return s;
}

std::string describe_link(const scenario& s) {
    std::vector<std::string> parts{format_ms(s.rtt) + " round trip", s.rate == 0 ? "no limit of rate" : format_rate(s.rate)};
    if (s.queue > 0) parts.push_back("a queue of " + format_bytes(s.queue));
    if (s.jitter > duration::zero()) parts.push_back("up to " + format_ms(s.jitter) + " jitter");
    if (s.reorder > 0) parts.push_back(format_percent(s.reorder) + " of the packets reordered");
    std::string loss = s.loss > 0 ? format_percent(s.loss) + " loss" : s.drops.empty() ? "no loss" : "no other loss";
    if (s.loss > 0 && s.burst > 1) loss += " in bursts of " + format_number(s.burst, 2) + " packets on average";
    parts.push_back(std::move(loss));
    std::string text;
    for (std::size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ") + parts[i];
    return text;
}

std::string describe_page(const scenario& s) {
    std::string text;
    const auto& sizes = s.page.objects;
    for (std::size_t i = 0; i < sizes.size();) {
        const auto same = static_cast<std::size_t>(
            std::find_if(sizes.begin() + static_cast<std::ptrdiff_t>(i), sizes.end(), [&](auto b) { return b != sizes[i]; }) -
            sizes.begin());
        if (!text.empty()) text += " and ";
        text += std::to_string(same - i) + (same - i == 1 ? " object of " : " objects of ") + format_bytes(sizes[i]);
        i = same;
    }
    return text;
}

}  // namespace tandem::compare
