// What the runs of a comparison say: medians, intervals, paired tests, and a verdict in plain words.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "compare_result.hpp"
#include "compare_scenario.hpp"

namespace tandem::compare {

// A median with the 95 % confidence interval for it that order statistics give: no assumption about the distribution, no chance.
// With fewer than six values the interval is everything from the least to the greatest.
struct interval {
    duration median{};  // a value that occurred: of an even number the lower of the two in the middle
    duration low{};
    duration high{};
};
interval median_interval(std::vector<duration> values);

// Two-sided sign test of paired differences; ties do not count. 1 if there is nothing to tell.
double sign_test(std::size_t negative, std::size_t positive);

struct cell_summary {
    cell which{};
    std::size_t runs = 0;
    std::size_t failed = 0;
    std::string first_failure;
    interval page;               // over the runs that were complete
    std::size_t median_run = 0;  // index of the run that `page.median` is of
    waiting ledger;              // summed over the complete runs
    std::size_t complete() const { return runs - failed; }
};

// Two cells, run by run.
struct paired {
    cell a{}, b{};
    std::size_t runs = 0;  // both complete
    std::size_t a_sooner = 0, b_sooner = 0;
    double p_value = 1;   // sign test
    interval gain;        // how much sooner a finished the page: b - a; negative: later
    interval start_gain;  // how much sooner a could send its first request: the handshake's part
};

struct comparison {
    scenario what;
    std::vector<cell_result> cells;
    std::vector<cell_summary> summaries;     // in the order of cells
    std::optional<paired> quic_against_tcp;  // h3-quic and h3-tcp, if both are there and have complete runs
    std::vector<std::string> verdict;        // sentences, the headline first

    const cell_summary* find(cell which) const;
    const run_result* median_run(cell which) const;  // nothing if no run was complete
};

comparison summarise(const scenario& what, std::vector<cell_result> cells);

}  // namespace tandem::compare
