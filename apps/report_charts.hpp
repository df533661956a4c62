// The pictures of the report, each a piece of HTML.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "compare_summary.hpp"

namespace tandem::compare {

constexpr double chart_width = 1080;  // pixels of every picture, so that clocks align

// What a cause is called, and what it means, for people.
struct cause_text {
    std::string_view title;
    std::string_view meaning;
};
const cause_text& text_of(wait_cause);

std::string page_time_chart(const comparison&);     // medians with intervals, every run a dot
std::string ledger_chart(const comparison&);        // stacked bars by cause
std::string cause_legend(const comparison&);        // colours and meanings of the causes
std::string waterfall_chart(const comparison&);     // per object, stalls shaded, one clock for all cells
std::string congestion_chart(const comparison&);    // window and bytes in flight of both transports, one clock
std::string distribution_chart(const comparison&);  // cumulative distribution of the page time
std::string pairs_chart(const comparison&);         // difference in each run

}  // namespace tandem::compare
