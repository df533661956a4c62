#include "compare_summary.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "compare_output.hpp"
#include "svg.hpp"

namespace tandem::compare {
namespace {

using namespace std::chrono_literals;

std::vector<duration> up_to(int n) {
    std::vector<duration> values;
    for (int i = n; i >= 1; --i) values.push_back(i * 1ms);
    return values;
}

TEST(median_interval, order_statistics) {
    // Tables of the binomial distribution: for n = 30 the 10th and the 21st value; for n = 10 the 2nd and the 9th; for n = 6 the
    // ends.
    EXPECT_EQ(median_interval(up_to(30)).median, 15ms);
    EXPECT_EQ(median_interval(up_to(30)).low, 10ms);
    EXPECT_EQ(median_interval(up_to(30)).high, 21ms);
    EXPECT_EQ(median_interval(up_to(10)).low, 2ms);
    EXPECT_EQ(median_interval(up_to(10)).high, 9ms);
    EXPECT_EQ(median_interval(up_to(6)).low, 1ms);
    EXPECT_EQ(median_interval(up_to(6)).high, 6ms);
}

TEST(median_interval, few_values) {
    EXPECT_EQ(median_interval(up_to(3)).low, 1ms);
    EXPECT_EQ(median_interval(up_to(3)).median, 2ms);
    EXPECT_EQ(median_interval(up_to(3)).high, 3ms);
    EXPECT_EQ(median_interval({7ms}).low, 7ms);
    EXPECT_EQ(median_interval({7ms}).high, 7ms);
    EXPECT_EQ(median_interval({}).median, 0ms);
}

TEST(sign_test, known_values) {
    EXPECT_DOUBLE_EQ(sign_test(0, 0), 1);
    EXPECT_NEAR(sign_test(5, 5), 1, 1e-12);
    EXPECT_NEAR(sign_test(0, 5), 0.0625, 1e-12);
    EXPECT_NEAR(sign_test(1, 9), 0.021484375, 1e-12);
    EXPECT_NEAR(sign_test(9, 1), 0.021484375, 1e-12);
    EXPECT_LT(sign_test(0, 1000), 1e-100);
}

TEST(byte_seconds_exact, twelve_decimals_rounded) {
    EXPECT_EQ(byte_seconds_exact(0, 1), "0.000000000000");
    EXPECT_EQ(byte_seconds_exact(1, 1), "0.000000001000");
    EXPECT_EQ(byte_seconds_exact(1'500'000'000, 1), "1.500000000000");
    EXPECT_EQ(byte_seconds_exact(2, 3), "0.000000000667");
    EXPECT_EQ(byte_seconds_exact(wait_sum{1'000'000'000} * 12'345'678'901, 1), "12345678901.000000000000");
}

// A comparison of page times made up for the purpose.
comparison made_up(const std::vector<duration>& tcp, const std::vector<duration>& quic) {
    scenario s;
    s.page.objects = {1000};
    s.loss = 0.01;
    s.runs = tcp.size();
    s.cells = {cell::h3_tcp, cell::h3_quic};
    std::vector<cell_result> cells;
    for (const auto which : s.cells) {
        cell_result c{which, {}};
        for (const auto page : which == cell::h3_tcp ? tcp : quic) {
            run_result r;
            r.page = page;
            r.objects.push_back(
                {.bytes = 1000, .start = which == cell::h3_tcp ? 80ms : 40ms, .first_byte = page - 1ms, .finish = page});
            c.runs.push_back(r);
        }
        cells.push_back(c);
    }
    return summarise(s, cells);
}

TEST(verdict, says_that_quic_was_sooner) {
    std::vector<duration> tcp(30, 500ms), quic(30, 400ms);
    const auto c = made_up(tcp, quic);
    EXPECT_EQ(c.quic_against_tcp->a_sooner, 30U);
    EXPECT_EQ(c.quic_against_tcp->gain.median, 100ms);
    EXPECT_EQ(c.quic_against_tcp->start_gain.median, 40ms);
    EXPECT_NE(c.verdict[0].find("HTTP/3 over QUIC finished the page 20 % sooner"), std::string::npos) << c.verdict[0];
}

TEST(verdict, says_that_quic_was_later) {
    const auto c = made_up(std::vector<duration>(30, 400ms), std::vector<duration>(30, 500ms));
    EXPECT_NE(c.verdict[0].find("25 % later"), std::string::npos) << c.verdict[0];
}

TEST(verdict, admits_that_there_is_no_difference) {
    std::vector<duration> tcp(30, 500ms), quic(30, 500ms);
    for (std::size_t i = 0; i < 30; ++i) quic[i] += i % 2 == 0 ? 1ms : -1ms;
    const auto c = made_up(tcp, quic);
    EXPECT_NE(c.verdict[0].find("show no difference"), std::string::npos) << c.verdict[0];
}

TEST(verdict, does_not_trust_a_handful_of_runs) {
    const auto c = made_up(std::vector<duration>(3, 500ms), std::vector<duration>(3, 400ms));
    EXPECT_NE(c.verdict[0].find("3 runs are too few to tell that from chance"), std::string::npos) << c.verdict[0];
}

TEST(verdict, needs_no_test_where_nothing_is_random) {
    auto c = made_up({500ms}, {400ms});
    c.what.loss = 0;
    c = summarise(c.what, c.cells);
    EXPECT_TRUE(c.verdict[0].ends_with("20 % sooner than the same HTTP/3 over TCP: 400 ms against 500 ms.")) << c.verdict[0];
}

TEST(verdict, names_failed_runs) {
    std::vector<duration> times(3, 500ms);
    auto c = made_up(times, times);
    auto cells = c.cells;
    cells[1].runs[2].failure = "both hosts fell silent";
    c = summarise(c.what, cells);
    EXPECT_EQ(c.find(cell::h3_quic)->complete(), 2U);
    EXPECT_EQ(c.quic_against_tcp->runs, 2U);
    EXPECT_NE(c.verdict.back().find("h3-quic: 1 of 3 runs did not complete the page (both hosts fell silent)"), std::string::npos)
        << c.verdict.back();
}

TEST(svg, axes_have_round_numbers) {
    EXPECT_EQ(ticks(1000, 5), (std::vector<double>{0, 200, 400, 600, 800, 1000}));
    EXPECT_EQ(ticks(0.9, 4), (std::vector<double>{0, 0.5}));
    EXPECT_EQ(ticks(0, 4), std::vector<double>{0});
    EXPECT_EQ(round_up(912), 1000);
    EXPECT_EQ(round_up(1000), 1000);
}

TEST(svg, escapes) { EXPECT_EQ(html_escape("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"); }

}  // namespace
}  // namespace tandem::compare
