// What `tandem get` shows on a terminal while it transfers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tandem::apps {

struct transfer_progress {
    std::string name;
    std::uint64_t bytes = 0;                // received so far
    std::optional<std::uint64_t> expected;  // if known
};

struct progress_state {
    std::size_t done = 0;
    std::size_t total = 0;
    std::uint64_t bytes = 0;  // received so far, of all
    double seconds = 0;
    std::vector<transfer_progress> transfers;  // under way
};

// A bar for each transfer under way, at most `bars` of them, and a line about all; of a single one, one line. Each at most
// `columns` wide.
std::vector<std::string> progress_lines(const progress_state&, std::size_t columns, std::size_t bars);

// Lines at the bottom of the terminal that standard error is, which replace themselves.
class progress_display {
public:
    ~progress_display() { clear(); }
    void show(const progress_state&);
    void clear();  // before anything else is written

private:
    std::size_t shown_ = 0;  // lines
};

}  // namespace tandem::apps
