// The HTML report of a comparison: one file, nothing loaded from elsewhere, readable without scripts, in light and dark.
#pragma once

#include <string>

#include "compare_summary.hpp"

namespace tandem::compare {

std::string to_html(const comparison&);

}  // namespace tandem::compare
