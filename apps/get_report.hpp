// What `tandem get` tells about transfers: -w, --json and the progress line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "get_transfer.hpp"

namespace tandem::apps {

// Fills in the %{variables} and \n, \t, \r of a -w format.
std::string write_out(std::string_view format, const get_result&);

// {"transfers": [...], "exit_code": n}
std::string json_report(const std::vector<get_result>&, int exit_code);

// One line that replaces itself on a terminal, at most `columns` wide.
struct progress_state {
    std::size_t done = 0;
    std::size_t total = 0;
    std::uint64_t bytes = 0;                // received so far, of all
    std::optional<std::uint64_t> expected;  // of all, if known
    double seconds = 0;
};
std::string progress_line(const progress_state&, std::size_t columns);

}  // namespace tandem::apps
