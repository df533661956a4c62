// A comparison as JSON for programs and as a table for terminals.
#pragma once

#include <string>

#include "compare_summary.hpp"

namespace tandem::compare {

// {"cells": [{"name", "runs", "page_ms": {"median", "low", "high"}, "objects": [{"id", "start_ms", "first_byte_ms", "finish_ms"}]
// (of the run with the median page time), "ledger": {one key per cause, "total"} (byte-seconds, mean of the complete runs)}],
// "seed", "scenario"} and more keys beside these. Ends with a line break.
std::string to_json(const comparison&);

// The table, the verdict below it. Plain text in lines of at most 132 columns.
std::string to_table(const comparison&);

// A sum of byte-nanoseconds divided by `runs`, as byte-seconds with twelve decimals, rounded: exact for one run.
std::string byte_seconds_exact(wait_sum sum, std::size_t runs);

}  // namespace tandem::compare
