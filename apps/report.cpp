#include "report.hpp"

#include <string_view>
#include <utility>

#include "quantities.hpp"
#include "report_charts.hpp"
#include "report_template.hpp"
#include "svg.hpp"

namespace tandem::compare {

namespace {

void replace(std::string& page, std::string_view mark, std::string_view with) {
    const auto at = page.find(mark);
    if (at != std::string::npos) page.replace(at, mark.size(), with);
}

std::string facts(const scenario& s) {
    std::string out;
    const auto fact = [&](std::string_view what, std::string_view value) {
        out += "<div><dt>" + html_escape(what) + "</dt><dd>" + html_escape(value) + "</dd></div>\n";
    };
    fact("Page", describe_page(s) + (s.page.incremental ? ", HTTP/3 sends them in turns" : ", HTTP/3 sends one after the other"));
    fact("Link, each way", describe_link(s));
    fact("Congestion control",
         std::string(name(s.controller)) +
             (s.controller == recovery::controller_kind::fixed_window ? ", window " + format_bytes(s.effective_window()) : ""));
    for (const auto& drop : s.drops) {
        fact("Dropped on purpose",
             "packet " + std::to_string(drop.nth) + " of those that carry object " + std::to_string(drop.object));
    }
    fact("Runs of each cell", std::to_string(s.runs) + (s.random() ? "" : " (nothing is left to chance)"));
    fact("Seed", std::to_string(s.seed));
    return out;
}

std::string section(std::string_view title, std::string_view lead, const std::string& body) {
    if (body.empty()) return {};
    return "<section><h2>" + html_escape(title) + "</h2><p class=\"lead\">" + html_escape(lead) + "</p>\n" + body +
           "</section>\n";
}

std::string shade_legend() {
    std::string out =
        "<p class=\"legend\"><span><i class=\"swatch request\"></i>waiting for the first byte</span>"
        "<span><i class=\"swatch transfer\"></i>arriving</span>";
    for (std::size_t k = 0; k < wait_cause_count; ++k) {
        const auto cause = static_cast<wait_cause>(k);
        out += "<span><i class=\"swatch w-" + std::string(to_string(cause)) + "\"></i>" + html_escape(text_of(cause).title) +
               "</span>";
    }
    return out + "</p>\n";
}

std::string sections(const comparison& c) {
    std::string out;
    const bool many = c.what.runs > 1;
    out += section("How long the page took",
                   many ? "From the first packet of the handshake to the last byte of the last object. Dots are runs, the thick "
                          "mark is their median, "
                          "the box its 95 % confidence interval."
                        : "From the first packet of the handshake to the last byte of the last object.",
                   page_time_chart(c));
    out += section("What the bytes waited for",
                   "Every received byte is timed from its arrival at the host until the application has it. The sum over all "
                   "bytes, split by cause, is in "
                   "kilobyte-seconds: one means that a thousand bytes waited for one second. The causes sum to the independently "
                   "measured total.",
                   ledger_chart(c) + cause_legend(c));
    out += section("When each object came",
                   "Each row is an object. Shading shows when some of its bytes had arrived but waited, over the whole height "
                   "for holes in the data and in "
                   "a strip at the bottom for other causes. All panels share one clock. Hover for times.",
                   shade_legend() + waterfall_chart(c));
    out += section("The same congestion control under both",
                   many ? "Congestion window and bytes in flight of the server from its first response on, in the runs with the "
                          "median page times. Both transports run "
                          "the same controller, pacer and loss recovery; where the lines part, the runs met different losses."
                        : "Congestion window and bytes in flight of the server from its first response on. Both transports run "
                          "the same controller, pacer and "
                          "loss recovery.",
                   congestion_chart(c));
    if (many) {
        out += section("All runs", "The share of runs that had finished the page by each time.", distribution_chart(c));
        out +=
            section("QUIC against TCP, run by run",
                    "Both transports met the same loss trace in each run, so they can be compared pair by pair.", pairs_chart(c));
    }
    return out;
}

}  // namespace

std::string to_html(const comparison& c) {
    std::string page = report_template;
    const std::string headline = c.verdict.empty() ? "No cell completed the page." : c.verdict.front();
    std::string rest;
    for (std::size_t i = 1; i < c.verdict.size(); ++i) rest += "<p>" + html_escape(c.verdict[i]) + "</p>\n";
    replace(page, "{{title}}", html_escape("tandem compare: " + describe_page(c.what) + ", " + describe_link(c.what)));
    replace(page, "{{headline}}", html_escape(headline));
    replace(page, "{{verdict}}", rest);
    replace(page, "{{facts}}", facts(c.what));
    replace(page, "{{sections}}", sections(c));
    return page;
}

}  // namespace tandem::compare
