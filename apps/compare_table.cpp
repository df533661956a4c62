#include <algorithm>
#include <array>

#include "compare_output.hpp"
#include "quantities.hpp"

namespace tandem::compare {

namespace {

constexpr std::size_t columns = 100;  // the verdict is wrapped here

// Rows of cells, each column as wide as its widest; the first column to the left, the others to the right.
std::string align(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    const auto width = [](const std::string& text) {  // code points: the table has no wide characters
        return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
    };
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
    }
    std::string out;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string pad(widths[i] - width(row[i]), ' ');
            line += (i == 0 ? "" : "  ") + (i == 0 ? row[i] + pad : pad + row[i]);
        }
        out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return out;
}

std::string wrap(const std::string& text) {
    std::string out, line;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(' ', at), text.size());
        const auto word = text.substr(at, end - at);
        if (!line.empty() && line.size() + 1 + word.size() > columns) {
            out += line + "\n";
            line.clear();
        }
        line += (line.empty() ? "" : " ") + word;
        at = end + 1;
    }
    return out + line + "\n";
}

std::string ms(duration d) { return format_fixed(static_cast<double>(d.count()) / 1e6, 1); }

// Kilobyte-seconds, mean per run.
std::string kilobyte_seconds(wait_sum sum, std::size_t runs) {
    if (sum == 0) return "0";
    return format_fixed(static_cast<double>(sum) / 1e12 / static_cast<double>(runs), 3);
}

std::string times_table(const comparison& c) {
    std::vector<std::vector<std::string>> rows{{"cell", "runs", "page median", "95 % interval", "first byte", "lost"}};
    for (const auto& s : c.summaries) {
        const auto* run = c.median_run(s.which);
        const auto runs = std::to_string(s.complete()) + (s.failed == 0 ? "" : " of " + std::to_string(s.runs));
        if (run == nullptr) {
            rows.push_back({std::string(name(s.which)), runs, "none finished"});
            continue;
        }
        auto first = duration::max();
        for (const auto& o : run->objects) first = std::min(first, o.first_byte);
        rows.push_back({std::string(name(s.which)), runs, ms(s.page.median) + " ms", ms(s.page.low) + " to " + ms(s.page.high),
                        ms(first) + " ms", std::to_string(run->lost) + " of " + std::to_string(run->packets)});
    }
    return align(rows);
}

std::string ledger_table(const comparison& c) {
    static constexpr std::array<std::string_view, wait_cause_count> short_names{
        "own hole", "other's hole", "TLS record", "QPACK", "HTTP queue", "flow control", "application"};
    std::vector<std::vector<std::string>> rows{{"KB·s"}};
    rows[0].insert(rows[0].end(), short_names.begin(), short_names.end());
    rows[0].push_back("total");
    for (const auto& s : c.summaries) {
        if (s.complete() == 0) continue;
        std::vector<std::string> row{std::string(name(s.which))};
        for (const auto sum : s.ledger.causes) row.push_back(kilobyte_seconds(sum, s.complete()));
        row.push_back(kilobyte_seconds(s.ledger.total, s.complete()));
        rows.push_back(std::move(row));
    }
    return align(rows);
}

}  // namespace

std::string to_table(const comparison& c) {
    std::string out = describe_page(c.what) + "; " + describe_link(c.what) + "; " + std::string(name(c.what.controller)) +
                      "; seed " + std::to_string(c.what.seed) + "\n";
    for (const auto& drop : c.what.drops) {
        out +=
            "dropped: packet " + std::to_string(drop.nth) + " of those that carry object " + std::to_string(drop.object) + "\n";
    }
    out += "\n" + times_table(c) + "\nHow long received bytes waited, by cause (mean of the runs):\n" + ledger_table(c) + "\n";
    for (const auto& sentence : c.verdict) out += wrap(sentence);
    return out;
}

}  // namespace tandem::compare
