// The waterfall: one row per object, one panel per cell, one clock for all.
#include <algorithm>

#include "quantities.hpp"
#include "report_charts.hpp"
#include "svg.hpp"

namespace tandem::compare {

namespace {

constexpr std::size_t max_rows = 48;  // objects drawn of a cell; more would be lines without a label
constexpr double label_width = 110;
constexpr double value_width = 90;
constexpr double header = 34;

double ms(duration d) { return static_cast<double>(d.count()) / 1e6; }
double ms(time_point t) { return ms(t - sim::event_queue::start); }

// Holes are what the picture is about: they take the whole height. Other waits are a strip at the bottom.
bool is_hole(wait_cause cause) { return cause == wait_cause::own_stream_hole || cause == wait_cause::other_stream_hole; }

void draw_stalls(svg& picture, const object_result& o, const scale& x, double y, double height, bool holes) {
    // Waits for other streams last, so that they lie on top where both kinds overlap.
    auto stalls = o.stalls;
    std::stable_sort(stalls.begin(), stalls.end(), [](auto& a, auto& b) {
        return (a.cause == wait_cause::other_stream_hole) < (b.cause == wait_cause::other_stream_hole);
    });
    for (const auto& stall : stalls) {
        if (is_hole(stall.cause) != holes) continue;
        const double from = x(ms(stall.begin)), to = x(ms(stall.end));
        if (to - from < 0.15) continue;
        const auto title = std::string(text_of(stall.cause).title) + ": " + format_number(ms(stall.begin), 1) + " to " +
                           format_number(ms(stall.end), 1) + " ms (" + format_number(ms(stall.end) - ms(stall.begin), 1) + " ms)";
        const double tall = holes ? height : height * 0.3;
        picture.rect(from, y + height - tall, std::max(to - from, 0.8), tall, "w-" + std::string(to_string(stall.cause)), title);
    }
}

void draw_object(svg& picture, std::size_t id, const object_result& o, const scale& x, double y, double height, bool labels) {
    const double start = x(ms(o.start)), first = x(ms(o.first_byte)), finish = x(ms(o.finish));
    const auto what = "object " + std::to_string(id) + ", " + format_bytes(o.bytes) + ": requested at " +
                      format_number(ms(o.start), 1) + " ms, first byte at " + format_number(ms(o.first_byte), 1) +
                      " ms, finished at " + format_number(ms(o.finish), 1) + " ms";
    if (labels)
        picture.text(label_width - 12, y + height - 3, anchor::end, "label small",
                     std::to_string(id) + " · " + format_bytes(o.bytes));
    picture.rect(start, y + height * 0.35, std::max(first - start, 0.5), height * 0.3, "request", what);
    picture.rect(first, y, std::max(finish - first, 1.0), height, "transfer", what, 1.5);
    draw_stalls(picture, o, x, y, height, true);
    draw_stalls(picture, o, x, y, height, false);
    if (labels) picture.text(finish + 6, y + height - 3, anchor::start, "tick", format_number(ms(o.finish), 0));
}

std::string panel(const comparison& c, const cell_summary& s, const run_result& run, double longest) {
    const auto rows = std::min(run.objects.size(), max_rows);
    const double height = rows <= 16 ? 14 : rows <= 30 ? 9 : 6, gap = rows <= 16 ? 5 : 2;
    const double bottom = header + static_cast<double>(rows) * (height + gap) + gap;
    svg picture(chart_width, bottom + 38, "Waterfall of " + std::string(name(s.which)));
    const scale x{0, longest * 1.01 + 1e-9, label_width, chart_width - value_width};
    picture.rect(0, 4, 10, 10, "c-" + std::string(name(s.which)), {}, 2);
    picture.text(18, 14, anchor::start, "panel", name(s.which));
    picture.text(110, 14, anchor::start, "note",
                 std::string(description(s.which)) + (c.what.runs > 1 ? " — the run with the median page time" : ""));
    picture.text(chart_width, 14, anchor::end, "value", format_fixed(ms(run.page), 1) + " ms");
    picture.time_axis(x, header - 8, bottom,
                      rows < run.objects.size()
                          ? "ms; the first " + std::to_string(rows) + " of " + std::to_string(run.objects.size()) + " objects"
                          : "ms since the client began to connect");
    picture.line(x(ms(run.page)), header - 8, x(ms(run.page)), bottom, "done c-" + std::string(name(s.which)));
    for (std::size_t i = 0; i < rows; ++i) {
        draw_object(picture, i + 1, run.objects[i], x, header + static_cast<double>(i) * (height + gap), height, height >= 9);
    }
    return picture.finish();
}

}  // namespace

std::string waterfall_chart(const comparison& c) {
    double longest = 0;
    for (const auto& s : c.summaries) longest = std::max(longest, ms(s.page.median));
    std::string out;
    for (auto s = c.summaries.rbegin(); s != c.summaries.rend(); ++s) {  // QUIC above TCP above HTTP/1.1
        const auto* run = c.median_run(s->which);
        if (run != nullptr) out += panel(c, *s, *run, longest);
    }
    return out;
}

std::string congestion_chart(const comparison& c) {
    std::vector<cell> which;
    for (const auto wanted : {cell::h3_quic, cell::h3_tcp}) {
        if (c.median_run(wanted) != nullptr) which.push_back(wanted);
    }
    if (which.empty()) {
        for (const auto& s : c.summaries) {
            if (s.complete() != 0) which.push_back(s.which);
        }
    }
    // The clock begins with the first response: the handshakes before it differ, and are not what this is about.
    const auto clock = [](const run_result& run, duration at) { return ms(at - run.first_response); };
    double longest = 0, most = 0;
    for (const auto w : which) {
        const auto& run = *c.median_run(w);
        longest = std::max(longest, clock(run, run.page));
        for (const auto& p : run.congestion) {
            if (p.at <= run.page) most = std::max(most, static_cast<double>(std::max(p.window, p.in_flight)) / 1e3);
        }
    }
    if (most == 0) return {};
    constexpr double top = 28, bottom = 300, left = 60, right = chart_width - 110;
    svg picture(chart_width, bottom + 40, "Congestion window and bytes in flight over time");
    const scale x{0, longest * 1.01 + 1e-9, left, right}, y{0, round_up(most), bottom, top};
    picture.time_axis(x, top, bottom, "ms since the server began to answer");
    picture.value_axis(y, left, right, "KB");
    double label_y = top + 12;
    for (const auto w : which) {
        const auto css = "c-" + std::string(name(w));
        std::vector<std::pair<double, double>> window, flight;
        const auto& run = *c.median_run(w);
        for (const auto& p : run.congestion) {
            if (p.at < run.first_response) continue;
            window.emplace_back(x(clock(run, p.at)), y(static_cast<double>(p.window) / 1e3));
            flight.emplace_back(x(clock(run, p.at)), y(static_cast<double>(p.in_flight) / 1e3));
        }
        const double floor = y(0);
        picture.path(flight, true, "area s-" + css, &floor);
        picture.path(window, true, "curve s-" + css);
        picture.rect(right + 16, label_y - 9, 10, 10, css, {}, 2);
        picture.text(right + 32, label_y, anchor::start, "label", name(w));
        picture.text(right + 16, label_y + 16, anchor::start, "tick", "line: window");
        picture.text(right + 16, label_y + 30, anchor::start, "tick", "area: in flight");
        label_y += 56;
    }
    return picture.finish();
}

}  // namespace tandem::compare
