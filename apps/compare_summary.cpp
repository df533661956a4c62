#include "compare_summary.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "quantities.hpp"

namespace tandem::compare {

namespace {

constexpr double significance = 0.05;
constexpr std::size_t least_runs = 6;  // with fewer, even a unanimous sign test stays above the level

// P(X <= k) for X ~ Binomial(n, 1/2).
double binomial_half_at_most(std::size_t k, std::size_t n) {
    double sum = 0;
    for (std::size_t i = 0; i <= k; ++i) {
        sum += std::exp(std::lgamma(static_cast<double>(n) + 1) - std::lgamma(static_cast<double>(i) + 1) -
                        std::lgamma(static_cast<double>(n - i) + 1) - static_cast<double>(n) * std::log(2.0));
    }
    return std::min(sum, 1.0);
}

cell_summary summarise(const cell_result& c) {
    cell_summary s;
    s.which = c.which;
    s.runs = c.runs.size();
    std::vector<duration> pages;
    for (const auto& run : c.runs) {
        if (run.complete()) {
            pages.push_back(run.page);
            s.ledger.add(run.ledger);
        } else if (s.failed++ == 0) {
            s.first_failure = run.failure;
        }
    }
    s.page = median_interval(pages);
    const auto of_median =
        std::find_if(c.runs.begin(), c.runs.end(), [&](auto& run) { return run.complete() && run.page == s.page.median; });
    s.median_run = of_median == c.runs.end() ? 0 : static_cast<std::size_t>(of_median - c.runs.begin());
    return s;
}

duration first_start(const run_result& run) {
    duration first = duration::max();
    for (const auto& o : run.objects) first = std::min(first, o.start);
    return first;
}

std::optional<paired> compare_pair(const cell_result& a, const cell_result& b) {
    paired p;
    p.a = a.which;
    p.b = b.which;
    std::vector<duration> gains, starts;
    for (std::size_t i = 0; i < std::min(a.runs.size(), b.runs.size()); ++i) {
        if (!a.runs[i].complete() || !b.runs[i].complete()) continue;
        gains.push_back(b.runs[i].page - a.runs[i].page);
        starts.push_back(first_start(b.runs[i]) - first_start(a.runs[i]));
        p.a_sooner += gains.back() > duration::zero();
        p.b_sooner += gains.back() < duration::zero();
    }
    p.runs = gains.size();
    if (p.runs == 0) return std::nullopt;
    p.p_value = sign_test(p.a_sooner, p.b_sooner);
    p.gain = median_interval(gains);
    p.start_gain = median_interval(starts);
    return p;
}

std::string ms(duration d) { return format_number(static_cast<double>(d.count()) / 1e6, 0) + " ms"; }

std::string byte_seconds(wait_sum sum, std::size_t runs) {
    return format_bytes(
               static_cast<std::uint64_t>(static_cast<double>(sum) / 1e9 / static_cast<double>(std::max<std::size_t>(runs, 1)))) +
           "·s";
}

std::string where(const comparison& c) {
    std::string text = "At " + describe_link(c.what) + ", ";
    if (c.what.drops.size() == 1) text += "with one packet of object " + std::to_string(c.what.drops[0].object) + " lost, ";
    if (c.what.drops.size() > 1) text += "with " + std::to_string(c.what.drops.size()) + " chosen packets lost, ";
    return text;
}

std::string headline(const comparison& c, const paired& p) {
    const auto quic = c.find(cell::h3_quic)->page.median, tcp = c.find(cell::h3_tcp)->page.median;
    const auto gain = tcp - quic;
    const std::string medians = (p.runs == 1 ? "" : "median ") + ms(quic) + " against " + ms(tcp);
    const bool proven = !c.what.random() || p.p_value < significance;
    if (!proven && p.runs >= least_runs) {
        return where(c) + std::to_string(p.runs) +
               " runs show no difference between HTTP/3 over QUIC and the same HTTP/3 over TCP that could "
               "not be chance: " +
               medians + ".";
    }
    if (gain == duration::zero())
        return where(c) + "HTTP/3 over QUIC and the same HTTP/3 over TCP finished the page at the same time, " + ms(quic) + ".";
    const auto share = std::abs(static_cast<double>(gain.count()) / static_cast<double>(tcp.count()));
    return where(c) + "HTTP/3 over QUIC finished the page " + format_number(share * 100, share < 0.1 ? 1 : 0) + " % " +
           (gain > duration::zero() ? "sooner" : "later") + " than the same HTTP/3 over TCP: " + medians +
           (proven ? "."
                   : ", but " + std::to_string(p.runs) + (p.runs == 1 ? " run is" : " runs are") +
                         " too few to tell that from chance.");
}

std::string evidence_sentence(const paired& p) {
    const bool quic = p.a_sooner >= p.b_sooner;
    return std::string(quic ? "QUIC" : "TCP") + " was sooner in " + std::to_string(quic ? p.a_sooner : p.b_sooner) + " of " +
           std::to_string(p.runs) + " paired runs (sign test p " +
           (p.p_value < 0.0001 ? "< 0.0001" : "= " + format_fixed(p.p_value, 4)) + "); half of them differed by more than " +
           ms(p.gain.median) + " in QUIC's favour, with a 95 % interval from " + ms(p.gain.low) + " to " + ms(p.gain.high) + ".";
}

std::string handshake_sentence(const paired& p) {
    const auto rest = p.gain.median - p.start_gain.median;
    std::string text = "QUIC's first request left " + ms(p.start_gain.median) +
                       " earlier: its handshake is TLS's as well, while over TCP one follows the other, and QMux then waits for "
                       "the server's parameters. ";
    if (std::chrono::abs(rest) < std::chrono::milliseconds(1)) return text + "That is the whole difference.";
    if (rest > duration::zero()) return text + "The other " + ms(rest) + " it gained afterwards.";
    return text + "Afterwards it lost " + ms(-rest) + " against TCP.";
}

std::string blocking_sentence(const comparison& c) {
    const auto& tcp = *c.find(cell::h3_tcp);
    const auto& quic = *c.find(cell::h3_quic);
    const auto blocked = tcp.ledger.of(wait_cause::other_stream_hole);
    if (blocked == 0 && quic.ledger.of(wait_cause::other_stream_hole) == 0) {
        return "No byte of one object waited for a missing byte of another on either transport: there was no head-of-line "
               "blocking "
               "between streams.";
    }
    return "Over TCP, " + byte_seconds(blocked, tcp.complete()) + " of the " + byte_seconds(tcp.ledger.total, tcp.complete()) +
           " that received bytes waited" + (tcp.complete() > 1 ? " on average" : "") +
           " were bytes held back by a hole in another object's data; over QUIC " +
           (quic.ledger.of(wait_cause::other_stream_hole) == 0
                ? "none"
                : byte_seconds(quic.ledger.of(wait_cause::other_stream_hole), quic.complete())) +
           " were.";
}

// Somebody who reads only about QUIC and TCP should know if neither was best.
std::string best_sentence(const comparison& c) {
    const auto best = std::min_element(c.summaries.begin(), c.summaries.end(), [](auto& a, auto& b) {
        return std::pair(a.complete() == 0, a.page.median) < std::pair(b.complete() == 0, b.page.median);
    });
    if (best->which == cell::h3_quic || best->which == cell::h3_tcp) return {};
    return "Of all cells " + std::string(name(best->which)) + " had the shortest median, " + ms(best->page.median) +
           (best->which == cell::h1_6conn
                ? ": six connections begin with six congestion windows, and a loss slows only one of them."
                : ".");
}

std::vector<std::string> verdict(const comparison& c) {
    std::vector<std::string> sentences;
    if (c.quic_against_tcp) {
        sentences.push_back(headline(c, *c.quic_against_tcp));
        if (c.what.random() && c.quic_against_tcp->runs > 1) sentences.push_back(evidence_sentence(*c.quic_against_tcp));
        sentences.push_back(handshake_sentence(*c.quic_against_tcp));
        sentences.push_back(blocking_sentence(c));
        if (auto best = best_sentence(c); !best.empty()) sentences.push_back(std::move(best));
    } else {
        const auto best = std::min_element(c.summaries.begin(), c.summaries.end(), [](auto& a, auto& b) {
            return std::pair(a.complete() == 0, a.page.median) < std::pair(b.complete() == 0, b.page.median);
        });
        if (best != c.summaries.end() && best->complete() != 0) {
            sentences.push_back(where(c) + "the median page time of " + std::string(name(best->which)) + " was " +
                                ms(best->page.median) + (c.summaries.size() > 1 ? ", the shortest of the cells." : "."));
        }
    }
    for (const auto& s : c.summaries) {
        if (s.failed == 0) continue;
        sentences.push_back(std::string(name(s.which)) + ": " + std::to_string(s.failed) + " of " + std::to_string(s.runs) +
                            " runs did not complete the page (" + s.first_failure + "); the numbers are of the others.");
    }
    return sentences;
}

}  // namespace

interval median_interval(std::vector<duration> values) {
    if (values.empty()) return {};
    std::sort(values.begin(), values.end());
    const auto n = values.size();
    interval i{values[(n - 1) / 2], values.front(), values.back()};
    // The largest k with P(X < k) <= 2.5 %: the k-th value from each end bounds the median with 95 % confidence or more.
    for (std::size_t k = 1; k <= n / 2 && binomial_half_at_most(k - 1, n) <= significance / 2; ++k) {
        i.low = values[k - 1];
        i.high = values[n - k];
    }
    return i;
}

double sign_test(std::size_t negative, std::size_t positive) {
    const auto n = negative + positive;
    if (n == 0) return 1;
    return std::min(1.0, 2 * binomial_half_at_most(std::min(negative, positive), n));
}

const cell_summary* comparison::find(cell which) const {
    const auto found = std::find_if(summaries.begin(), summaries.end(), [&](auto& s) { return s.which == which; });
    return found == summaries.end() ? nullptr : &*found;
}

const run_result* comparison::median_run(cell which) const {
    const auto* s = find(which);
    if (s == nullptr || s->complete() == 0) return nullptr;
    return &cells[static_cast<std::size_t>(s - summaries.data())].runs[s->median_run];
}

comparison summarise(const scenario& what, std::vector<cell_result> cells) {
    comparison c{.what = what, .cells = std::move(cells)};
    for (const auto& one : c.cells) c.summaries.push_back(summarise(one));
    const auto at = [&](cell which) {
        return std::find_if(c.cells.begin(), c.cells.end(), [&](auto& r) { return r.which == which; });
    };
    if (at(cell::h3_quic) != c.cells.end() && at(cell::h3_tcp) != c.cells.end()) {
        c.quic_against_tcp = compare_pair(*at(cell::h3_quic), *at(cell::h3_tcp));
    }
    c.verdict = verdict(c);
    return c;
}

}  // namespace tandem::compare
