// Drawing: SVG as text, axes with round numbers. Colours are CSS classes, so that the page decides about light and dark.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::compare {

std::string html_escape(std::string_view text);

// A linear scale from values to pixels.
struct scale {
    double from = 0, to = 1;    // values
    double begin = 0, end = 1;  // pixels
    double operator()(double v) const { return begin + (v - from) / (to - from) * (end - begin); }
};

// Round numbers from 0 up to `limit` or a little less, about `count` of them.
std::vector<double> ticks(double limit, int count);
// A round number that is not below `value`, to end an axis with.
double round_up(double value);

enum class anchor { start, middle, end };

class svg {
public:
    // `label` says what the picture shows, to those who cannot see it.
    svg(double width, double height, std::string_view label);

    // Coordinates in pixels; `css` are class names; `title` is shown on hovering and may be empty.
    void rect(double x, double y, double width, double height, std::string_view css, std::string_view title = {},
              double radius = 0);
    void line(double x1, double y1, double x2, double y2, std::string_view css);
    void circle(double x, double y, double radius, std::string_view css, std::string_view title = {});
    void text(double x, double y, anchor a, std::string_view css, std::string_view text);
    // A line through points, straight or in steps (horizontal first); `close_at` fills down to that height.
    void path(const std::vector<std::pair<double, double>>& points, bool steps, std::string_view css,
              const double* close_at = nullptr);
    std::string finish();

    // Vertical grid lines with numbers below, and a caption at the right end.
    void time_axis(const scale& x, double top, double bottom, std::string_view caption);
    // Horizontal grid lines with numbers to the left.
    void value_axis(const scale& y, double left, double right, std::string_view unit);

private:
    std::string out_;
};

}  // namespace tandem::compare
