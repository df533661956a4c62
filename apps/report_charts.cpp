#include "report_charts.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "quantities.hpp"
#include "svg.hpp"

namespace tandem::compare {

namespace {

constexpr double label_width = 110;
constexpr double value_width = 190;

double ms(duration d) { return static_cast<double>(d.count()) / 1e6; }
std::string css_of(cell c) { return "c-" + std::string(name(c)); }
std::string css_of(wait_cause c) { return "w-" + std::string(to_string(c)); }

double longest_page(const comparison& c) {
    double longest = 0;
    for (const auto& cell : c.cells) {
        for (const auto& run : cell.runs) {
            if (run.complete()) longest = std::max(longest, ms(run.page));
        }
    }
    return longest;
}

double kilobyte_seconds(wait_sum sum, std::size_t runs) {
    return static_cast<double>(sum) / 1e12 / static_cast<double>(std::max<std::size_t>(runs, 1));
}

}  // namespace

const cause_text& text_of(wait_cause cause) {
    static constexpr std::array<cause_text, wait_cause_count> texts{{
        {"Hole in its own stream",
         "An earlier byte of the same object was missing. Every reliable transport has this wait; only the lost packet's object "
         "pays."},
        {"Hole in another stream",
         "Everything of this object had arrived, but TCP may not hand it over before a missing byte of a different object. This "
         "is "
         "head-of-line blocking between streams, and the reason for QUIC's independent streams."},
        {"Incomplete TLS record",
         "A TLS record can only be decrypted when its last byte has come. Over TCP a record may span many packets; a QUIC packet "
         "is "
         "decrypted alone."},
        {"QPACK",
         "A header section waited for updates of the header compression table. The table is off by default, so this is usually "
         "zero."},
        {"HTTP/1.1 queue",
         "The request could not be sent because every connection was busy with another object. Counted for each byte of the "
         "object, from "
         "when the first connection was ready."},
        {"Flow control", "The sender had bytes and room in its congestion window, but no credit from the receiver."},
        {"Application", "The bytes could be read, but the application had not read them yet."},
    }};
    return texts[static_cast<std::size_t>(cause)];
}

std::string page_time_chart(const comparison& c) {
    constexpr double row = 44, top = 10;
    const double bottom = top + row * static_cast<double>(c.summaries.size());
    svg picture(chart_width, bottom + 40, "Page time of each cell: median, interval and every run");
    const scale x{0, longest_page(c) * 1.02 + 1e-9, label_width, chart_width - value_width};
    picture.time_axis(x, top, bottom, "page time in ms");
    for (std::size_t i = 0; i < c.summaries.size(); ++i) {
        const auto& s = c.summaries[i];
        const double y = top + row * (static_cast<double>(i) + 0.5);
        picture.text(label_width - 12, y + 5, anchor::end, "label", name(s.which));
        if (s.complete() == 0) {
            picture.text(label_width + 8, y + 5, anchor::start, "note", "no run completed the page");
            continue;
        }
        for (const auto& run : c.cells[i].runs) {
            if (run.complete()) picture.circle(x(ms(run.page)), y, 3, "dot " + css_of(s.which), format_ms(run.page));
        }
        if (s.complete() > 1) {
            picture.rect(x(ms(s.page.low)), y - 9, std::max(x(ms(s.page.high)) - x(ms(s.page.low)), 2.0), 18,
                         "whisker " + css_of(s.which),
                         "95 % interval of the median: " + format_ms(s.page.low) + " to " + format_ms(s.page.high), 4);
        }
        picture.rect(x(ms(s.page.median)) - 2, y - 14, 4, 28, css_of(s.which), "median " + format_ms(s.page.median), 2);
        picture.text(chart_width, y, anchor::end, "value", format_fixed(ms(s.page.median), 1) + " ms");
        const auto spread = s.complete() > 1 ? format_fixed(ms(s.page.low), 1) + " to " + format_fixed(ms(s.page.high), 1)
                                             : std::string("one run");
        picture.text(chart_width, y + 16, anchor::end, "note", spread);
    }
    return picture.finish();
}

namespace {

// One bar per cell; `leave_out`, if given, is not drawn.
std::string ledger_bars(const comparison& c, std::optional<wait_cause> leave_out, std::string_view label) {
    constexpr double row = 40, top = 10, bar = 24;
    const double bottom = top + row * static_cast<double>(c.summaries.size());
    const auto amount_of = [&](const cell_summary& s, wait_cause cause) {
        return leave_out == cause ? 0 : kilobyte_seconds(s.ledger.of(cause), s.complete());
    };
    double most = 0;
    for (const auto& s : c.summaries) {
        double sum = 0;
        for (std::size_t k = 0; k < wait_cause_count; ++k) sum += amount_of(s, static_cast<wait_cause>(k));
        most = std::max(most, sum);
    }
    if (most == 0) return {};
    svg picture(chart_width, bottom + 40, label);
    const scale x{0, most * 1.02, label_width, chart_width - value_width};
    picture.time_axis(x, top, bottom, label);
    for (std::size_t i = 0; i < c.summaries.size(); ++i) {
        const auto& s = c.summaries[i];
        const double y = top + row * static_cast<double>(i) + (row - bar) / 2;
        picture.text(label_width - 12, y + 17, anchor::end, "label", name(s.which));
        double at = 0;
        for (std::size_t k = 0; k < wait_cause_count; ++k) {
            const auto cause = static_cast<wait_cause>(k);
            const double amount = amount_of(s, cause);
            if (amount <= 0) continue;
            picture.rect(x(at), y, std::max(x(at + amount) - x(at), 1.0), bar, css_of(cause),
                         std::string(text_of(cause).title) + ": " + format_fixed(amount, 3) + " KB·s");
            at += amount;
        }
        picture.text(chart_width, y + 17, anchor::end, "value", format_fixed(at, 2) + " KB·s");
    }
    return picture.finish();
}

}  // namespace

std::string ledger_chart(const comparison& c) {
    auto out = ledger_bars(c, std::nullopt, "kilobyte-seconds of waiting, mean per run");
    if (out.empty()) return "<p class=\"none\">No byte waited for anything in any cell.</p>";
    // The queue of HTTP/1.1 is another order of magnitude: what the transports differ in would be a hairline beside it.
    wait_sum queue = 0, rest = 0;
    for (const auto& s : c.summaries) {
        queue = std::max(queue, s.ledger.of(wait_cause::http_queue));
        rest = std::max(rest, s.ledger.sum() - s.ledger.of(wait_cause::http_queue));
    }
    if (queue > 2 * rest) out += ledger_bars(c, wait_cause::http_queue, "the same without the HTTP/1.1 queue");
    return out;
}

std::string cause_legend(const comparison& c) {
    std::string out = "<dl class=\"causes\">\n";
    for (std::size_t k = 0; k < wait_cause_count; ++k) {
        const auto cause = static_cast<wait_cause>(k);
        std::string numbers;
        for (const auto& s : c.summaries) {
            const double amount = kilobyte_seconds(s.ledger.of(cause), s.complete());
            if (s.complete() == 0 || amount <= 0) continue;
            numbers += (numbers.empty() ? "" : " · ") + std::string(name(s.which)) + " " + format_fixed(amount, 3);
        }
        out += "<div" + std::string(numbers.empty() ? " class=\"unused\"" : "") + "><dt><i class=\"swatch " + css_of(cause) +
               "\"></i>" + html_escape(text_of(cause).title) + "</dt><dd>" + html_escape(text_of(cause).meaning) +
               "<span class=\"numbers\">" + (numbers.empty() ? "none in any cell" : html_escape(numbers) + " KB·s") +
               "</span></dd></div>\n";
    }
    return out + "</dl>\n";
}

std::string distribution_chart(const comparison& c) {
    constexpr double top = 24, bottom = 240, left = 60, right = chart_width - 110;
    svg picture(chart_width, bottom + 40, "Cumulative distribution of the page time over the runs");
    const double longest = longest_page(c);
    const scale x{0, longest * 1.02 + 1e-9, left, right}, y{0, 100, bottom, top};
    picture.time_axis(x, top, bottom, "page time in ms");
    picture.value_axis(y, left, right, "% of runs");
    double label_y = top + 12;
    for (std::size_t i = 0; i < c.summaries.size(); ++i) {
        std::vector<double> pages;
        for (const auto& run : c.cells[i].runs) {
            if (run.complete()) pages.push_back(ms(run.page));
        }
        std::sort(pages.begin(), pages.end());
        if (pages.empty()) continue;
        std::vector<std::pair<double, double>> points{{x(pages.front()), y(0)}};
        for (std::size_t k = 0; k < pages.size(); ++k) {
            points.emplace_back(x(pages[k]), y(100.0 * static_cast<double>(k + 1) / static_cast<double>(c.cells[i].runs.size())));
        }
        const auto css = css_of(c.summaries[i].which);
        picture.path(points, true, "curve s-" + css);
        picture.rect(right + 16, label_y - 9, 10, 10, css, {}, 2);
        picture.text(right + 32, label_y, anchor::start, "label", name(c.summaries[i].which));
        label_y += 22;
    }
    return picture.finish();
}

std::string pairs_chart(const comparison& c) {
    const auto& p = c.quic_against_tcp;
    if (!p || p->runs < 2) return {};
    const auto runs_of = [&](cell which) { return &c.cells[static_cast<std::size_t>(c.find(which) - c.summaries.data())].runs; };
    const auto &quic = *runs_of(cell::h3_quic), &tcp = *runs_of(cell::h3_tcp);
    std::vector<double> gains;
    for (std::size_t i = 0; i < quic.size(); ++i) {
        if (quic[i].complete() && tcp[i].complete()) gains.push_back(ms(tcp[i].page - quic[i].page));
    }
    std::sort(gains.begin(), gains.end());
    const double most = round_up(std::max({std::abs(gains.front()), std::abs(gains.back()), 1.0}));
    constexpr double top = 20, middle = 100, bottom = 180, left = 60, right = chart_width - 110;
    svg picture(chart_width, bottom + 24, "Difference between h3-tcp and h3-quic in each run, sorted");
    const scale y{0, most, middle, top};
    for (const double v : {-most, -most / 2, 0.0, most / 2, most}) {
        picture.line(left, y(v), right, y(v), v == 0 ? "zero" : "grid");
        picture.text(left - 8, y(v) + 4, anchor::end, "tick", format_number(v, 2));
    }
    picture.text(right + 16, y(most / 2) + 4, anchor::start, "label", "QUIC sooner");
    picture.text(right + 16, y(-most / 2) + 4, anchor::start, "label", "TCP sooner");
    const double step = (right - left) / static_cast<double>(gains.size());
    for (std::size_t i = 0; i < gains.size(); ++i) {
        const double at = y(gains[i]), width = std::max(step * 0.7, 0.5);
        picture.rect(left + step * (static_cast<double>(i) + 0.5) - width / 2, std::min(at, middle), width,
                     std::max(std::abs(at - middle), 0.5), gains[i] >= 0 ? "c-h3-quic" : "c-h3-tcp",
                     format_number(gains[i], 2) + " ms", 1);
    }
    picture.text(right, bottom + 18, anchor::end, "tick",
                 "ms that h3-quic finished the page before h3-tcp, each bar one run, sorted");
    return picture.finish();
}

}  // namespace tandem::compare
