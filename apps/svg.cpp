#include "svg.hpp"

#include <algorithm>
#include <cmath>

#include "quantities.hpp"

namespace tandem::compare {

namespace {

std::string px(double v) { return format_number(v, 2); }

}  // namespace

std::string html_escape(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::vector<double> ticks(double limit, int count) {
    if (!(limit > 0)) return {0};
    const double rough = limit / count;
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    double step = 10 * power;
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= rough * 0.999) {
            step = factor * power;
            break;
        }
    }
    std::vector<double> out;
    for (int i = 0; i * step <= limit * 1.0001; ++i) out.push_back(i * step);
    return out;
}

double round_up(double value) {
    const auto marks = ticks(std::max(value, 1e-9), 5);
    const double step = marks.size() > 1 ? marks[1] : value;
    return std::ceil(value / step - 1e-9) * step;
}

svg::svg(double width, double height, std::string_view label) {
    out_ = "<svg viewBox=\"0 0 " + px(width) + " " + px(height) + "\" role=\"img\" aria-label=\"" + html_escape(label) + "\">\n";
}

void svg::rect(double x, double y, double width, double height, std::string_view css, std::string_view title, double radius) {
    out_ += "<rect x=\"" + px(x) + "\" y=\"" + px(y) + "\" width=\"" + px(width) + "\" height=\"" + px(height) + "\" class=\"" +
            std::string(css) + "\"";
    if (radius > 0) out_ += " rx=\"" + px(radius) + "\"";
    out_ += title.empty() ? "/>\n" : "><title>" + html_escape(title) + "</title></rect>\n";
}

void svg::line(double x1, double y1, double x2, double y2, std::string_view css) {
    out_ += "<line x1=\"" + px(x1) + "\" y1=\"" + px(y1) + "\" x2=\"" + px(x2) + "\" y2=\"" + px(y2) + "\" class=\"" +
            std::string(css) + "\"/>\n";
}

void svg::circle(double x, double y, double radius, std::string_view css, std::string_view title) {
    out_ += "<circle cx=\"" + px(x) + "\" cy=\"" + px(y) + "\" r=\"" + px(radius) + "\" class=\"" + std::string(css) + "\"";
    out_ += title.empty() ? "/>\n" : "><title>" + html_escape(title) + "</title></circle>\n";
}

void svg::text(double x, double y, anchor a, std::string_view css, std::string_view text) {
    static constexpr std::string_view anchors[] = {"start", "middle", "end"};
    out_ += "<text x=\"" + px(x) + "\" y=\"" + px(y) + "\" text-anchor=\"" + std::string(anchors[static_cast<int>(a)]) +
            "\" class=\"" + std::string(css) + "\">" + html_escape(text) + "</text>\n";
}

void svg::path(const std::vector<std::pair<double, double>>& points, bool steps, std::string_view css, const double* close_at) {
    if (points.empty()) return;
    std::string d = "M" + px(points[0].first) + " " + px(points[0].second);
    for (std::size_t i = 1; i < points.size(); ++i) {
        if (steps) {
            d += "H" + px(points[i].first) + "V" + px(points[i].second);
        } else {
            d += "L" + px(points[i].first) + " " + px(points[i].second);
        }
    }
    if (close_at != nullptr) d += "V" + px(*close_at) + "H" + px(points[0].first) + "Z";
    out_ += "<path d=\"" + d + "\" class=\"" + std::string(css) + "\"/>\n";
}

void svg::time_axis(const scale& x, double top, double bottom, std::string_view caption) {
    for (const double t : ticks(x.to, 8)) {
        line(x(t), top, x(t), bottom, "grid");
        text(x(t), bottom + 16, anchor::middle, "tick", format_number(t, 3));
    }
    text(x.end, bottom + 32, anchor::end, "tick", caption);
}

void svg::value_axis(const scale& y, double left, double right, std::string_view unit) {
    for (const double v : ticks(y.to, 4)) {
        line(left, y(v), right, y(v), "grid");
        text(left - 8, y(v) + 4, anchor::end, "tick", format_number(v, 3));
    }
    text(0, y.end - 12, anchor::start, "tick", unit);
}

std::string svg::finish() { return out_ + "</svg>\n"; }

}  // namespace tandem::compare
