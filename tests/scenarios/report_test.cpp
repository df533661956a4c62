// The outputs of a comparison: JSON that parses and has the promised keys, a table, a report that needs nothing else.
#include "report.hpp"

#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <string>

#include "compare_output.hpp"
#include "scenarios/laboratory.hpp"

namespace tandem::test {
namespace {

using namespace std::chrono_literals;

// Accepts exactly JSON (RFC 8259) and collects the keys.
class json_checker {
public:
    explicit json_checker(const std::string& text) : text_(text) {}
    bool valid() {
        const bool ok = value();
        space();
        return ok && at_ == text_.size();
    }
    std::set<std::string> keys;

private:
    void space() {
        while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    }
    bool take(char c) {
        space();
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    bool string(std::string& out) {
        if (!take('"')) return false;
        for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
            if (static_cast<unsigned char>(text_[at_]) < 0x20) return false;
            if (text_[at_] == '\\') ++at_;
            out += text_[at_];
        }
        return at_++ < text_.size();
    }
    bool number() {
        const auto begin = at_;
        const auto digits = [&] {
            const auto from = at_;
            while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_]))) ++at_;
            return at_ > from;
        };
        if (at_ < text_.size() && text_[at_] == '-') ++at_;
        if (!digits()) return false;
        if (at_ < text_.size() && text_[at_] == '.') {
            ++at_;
            if (!digits()) return false;
        }
        return at_ > begin;
    }
    bool list(char close, bool with_keys) {
        if (take(close)) return true;
        do {
            std::string key;
            if (with_keys && (!string(key) || !take(':'))) return false;
            if (with_keys) keys.insert(key);
            if (!value()) return false;
        } while (take(','));
        return take(close);
    }
    bool value() {
        space();
        for (const std::string_view word : {"true", "false", "null"}) {
            if (std::string_view(text_).substr(at_, word.size()) == word) {
                at_ += word.size();
                return true;
            }
        }
        std::string ignored;
        if (take('{')) return list('}', true);
        if (take('[')) return list(']', false);
        if (at_ < text_.size() && text_[at_] == '"') return string(ignored);
        return number();
    }

    const std::string& text_;
    std::size_t at_ = 0;
};

const compare::comparison& small_comparison() {
    static const auto result = [] {
        auto s = quiet_scenario();
        s.page.objects.assign(3, 30'000);
        s.loss = 0.02;
        s.runs = 3;
        return compare::summarise(s, compare::run_all(laboratory_for(s)));
    }();
    return result;
}

std::size_t count(const std::string& text, std::string_view what) {
    std::size_t n = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
    return n;
}

TEST(json, is_valid_and_has_the_promised_keys) {
    const auto json = compare::to_json(small_comparison());
    json_checker checker(json);
    EXPECT_TRUE(checker.valid()) << json.substr(0, 2000);
    for (const auto* key : {"cells",
                            "name",
                            "runs",
                            "page_ms",
                            "median",
                            "low",
                            "high",
                            "objects",
                            "id",
                            "start_ms",
                            "first_byte_ms",
                            "finish_ms",
                            "ledger",
                            "own_stream_hole",
                            "other_stream_hole",
                            "tls_record",
                            "qpack",
                            "http_queue",
                            "flow_control",
                            "application",
                            "total",
                            "seed",
                            "scenario",
                            "congestion",
                            "t_ms",
                            "cwnd",
                            "bytes_in_flight"}) {
        EXPECT_TRUE(checker.keys.contains(key)) << key;
    }
    for (const auto* cell : {"h1-1conn", "h1-6conn", "h3-tcp", "h3-quic"}) {
        EXPECT_EQ(count(json, "\"name\": \"" + std::string(cell) + "\""), 1U);
    }
}

TEST(json, text_is_escaped) {
    auto c = small_comparison();
    c.verdict = {"a \"quoted\" back\\slash\nand\ttabs"};
    const auto json = compare::to_json(c);
    EXPECT_TRUE(json_checker(json).valid());
    EXPECT_NE(json.find(R"("a \"quoted\" back\\slash\u000aand\u0009tabs")"), std::string::npos);
}

TEST(report, needs_nothing_but_itself) {
    const auto html = compare::to_html(small_comparison());
    for (const auto* forbidden :
         {"http://", "https://", "<script", "<link", "src=", "url(", "@import", "{{", "}}", "nan", "inf\""}) {
        EXPECT_EQ(html.find(forbidden), std::string::npos) << forbidden;
    }
    EXPECT_TRUE(html.starts_with("<!DOCTYPE html>"));
    EXPECT_NE(html.find("prefers-color-scheme: dark"), std::string::npos);
    EXPECT_EQ(count(html, "<svg"), count(html, "</svg>"));
    EXPECT_EQ(count(html, "<section"), count(html, "</section>"));
    EXPECT_EQ(count(html, "aria-label=\"Waterfall of "), 4U);
    EXPECT_EQ(count(html, "<h1>"), 1U);
}

TEST(report, escapes_text) {
    auto c = small_comparison();
    c.verdict = {"<b>bold</b> & \"quoted\"", "second <i>"};
    const auto html = compare::to_html(c);
    EXPECT_NE(html.find("<h1>&lt;b&gt;bold&lt;/b&gt; &amp; &quot;quoted&quot;</h1>"), std::string::npos);
    EXPECT_NE(html.find("second &lt;i&gt;"), std::string::npos);
}

TEST(report, of_cells_that_all_failed) {
    auto s = quiet_scenario();
    s.cells = {compare::cell::h3_quic};
    compare::run_result failed;
    failed.failure = "nobody answered";
    const auto html = compare::to_html(compare::summarise(s, {{compare::cell::h3_quic, {failed}}}));
    EXPECT_NE(html.find("nobody answered"), std::string::npos);
    EXPECT_NE(html.find("no run completed the page"), std::string::npos);
}

TEST(table, has_a_row_for_each_cell_and_fits_a_terminal) {
    const auto table = compare::to_table(small_comparison());
    for (const auto* cell : {"h1-1conn", "h1-6conn", "h3-tcp", "h3-quic"})
        EXPECT_EQ(count(table, "\n" + std::string(cell) + " "), 2U) << table;
    for (std::size_t at = 0; at < table.size();) {
        const auto end = table.find('\n', at);
        EXPECT_LE(end - at, 132U);
        at = end + 1;
    }
}

TEST(report, of_a_page_of_many_objects_draws_a_bounded_number) {
    auto s = quiet_scenario();
    s.page.objects.assign(500, 100);
    s.cells = {compare::cell::h3_quic};
    compare::run_result r;
    r.page = 100ms;
    r.objects.assign(500, {.bytes = 100, .start = 40ms, .first_byte = 80ms, .finish = 100ms});
    const auto html = compare::to_html(compare::summarise(s, {{compare::cell::h3_quic, {r}}}));
    EXPECT_NE(html.find("the first 48 of 500 objects"), std::string::npos);
}

}  // namespace
}  // namespace tandem::test
