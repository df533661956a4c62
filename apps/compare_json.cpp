#include <algorithm>

#include "compare_output.hpp"
#include "json_writer.hpp"
#include "quantities.hpp"

namespace tandem::compare {

namespace {

std::string ms(duration d) { return format_number(static_cast<double>(d.count()) / 1e6, 6); }

void write_ledger(json_writer& json, const waiting& ledger, std::size_t runs) {
    json.begin_object();
    for (std::size_t i = 0; i < wait_cause_count; ++i) {
        json.key(to_string(static_cast<wait_cause>(i))).number(byte_seconds_exact(ledger.causes[i], runs));
    }
    json.key("total").number(byte_seconds_exact(ledger.total, runs));
    json.end_object();
}

void write_interval(json_writer& json, const interval& i) {
    json.begin_object();
    json.key("median").number(ms(i.median)).key("low").number(ms(i.low)).key("high").number(ms(i.high));
    json.end_object();
}

void write_objects(json_writer& json, const run_result& run) {
    json.begin_array();
    for (std::size_t i = 0; i < run.objects.size(); ++i) {
        const auto& o = run.objects[i];
        json.begin_object();
        json.key("id").value(std::uint64_t{i + 1}).key("bytes").value(o.bytes);
        json.key("start_ms")
            .number(ms(o.start))
            .key("first_byte_ms")
            .number(ms(o.first_byte))
            .key("finish_ms")
            .number(ms(o.finish));
        json.key("ledger");
        write_ledger(json, o.ledger, 1);
        json.key("stalls").begin_array();
        for (const auto& stall : o.stalls) {
            json.begin_object().key("cause").value(to_string(stall.cause));
            json.key("from_ms").number(ms(stall.begin - sim::event_queue::start));
            json.key("to_ms").number(ms(stall.end - sim::event_queue::start)).end_object();
        }
        json.end_array().end_object();
    }
    json.end_array();
}

void write_cell(json_writer& json, const comparison& c, const cell_summary& s) {
    json.begin_object();
    json.key("name").value(name(s.which)).key("description").value(description(s.which));
    json.key("runs").value(std::uint64_t{s.runs}).key("failed_runs").value(std::uint64_t{s.failed});
    json.key("page_ms");
    if (s.complete() == 0) {
        json.null().key("failure").value(s.first_failure).end_object();
        return;
    }
    write_interval(json, s.page);
    const auto& median = *c.median_run(s.which);
    json.key("objects");
    write_objects(json, median);
    json.key("ledger");
    write_ledger(json, s.ledger, s.complete());
    json.key("first_response_ms").number(ms(median.first_response));
    json.key("congestion").begin_array();
    for (const auto& point : median.congestion) {
        json.begin_object().key("t_ms").number(ms(point.at)).key("cwnd").value(point.window);
        json.key("bytes_in_flight").value(point.in_flight).end_object();
    }
    json.end_array();
    json.key("median_run").begin_object().key("seed").value(median.seed).key("packets").value(median.packets);
    json.key("packets_from_server").value(median.server_packets).key("packets_lost").value(median.lost).end_object();
    json.key("page_ms_runs").begin_array();
    for (const auto& run : c.cells[static_cast<std::size_t>(&s - c.summaries.data())].runs) {
        if (run.complete()) {
            json.number(ms(run.page));
        } else {
            json.null();
        }
    }
    json.end_array().end_object();
}

void write_scenario(json_writer& json, const scenario& s) {
    json.begin_object();
    json.key("page").begin_array();
    for (const auto bytes : s.page.objects) json.value(bytes);
    json.end_array();
    json.key("priority").value(s.page.incremental ? "incremental" : "sequential");
    json.key("rtt_ms").number(ms(s.rtt)).key("rate_bit_per_s").value(s.rate).key("queue_bytes").value(s.queue);
    json.key("loss").number(format_number(s.loss, 9)).key("burst").number(format_number(s.burst, 9));
    json.key("loss_by").value(s.loss_by == sim::loss_clock::packet ? "packet" : "time");
    json.key("jitter_ms").number(ms(s.jitter)).key("reorder").number(format_number(s.reorder, 9));
    json.key("drop").begin_array();
    for (const auto& drop : s.drops) {
        json.begin_object()
            .key("object")
            .value(std::uint64_t{drop.object})
            .key("packet")
            .value(std::uint64_t{drop.nth})
            .end_object();
    }
    json.end_array();
    json.key("congestion_control").value(name(s.controller));
    if (s.controller == recovery::controller_kind::fixed_window) json.key("window_bytes").value(s.effective_window());
    json.key("tls_record_bytes").value(std::uint64_t{s.tls_record});
    json.key("mtu").value(std::uint64_t{mtu}).end_object();
}

}  // namespace

std::string byte_seconds_exact(wait_sum sum, std::size_t runs) {
    const wait_sum divisor = std::max<std::size_t>(runs, 1);
    const wait_sum picos = (sum * 1000 + divisor / 2) / divisor;  // byte-seconds x 10^-12
    constexpr std::uint64_t one = 1'000'000'000'000;
    auto decimals = std::to_string(static_cast<std::uint64_t>(picos % one));
    decimals.insert(0, 12 - decimals.size(), '0');
    return std::to_string(static_cast<std::uint64_t>(picos / one)) + "." + decimals;
}

std::string to_json(const comparison& c) {
    json_writer json(3);
    json.begin_object();
    json.key("cells").begin_array();
    for (const auto& s : c.summaries) write_cell(json, c, s);
    json.end_array();
    json.key("seed").value(c.what.seed);
    json.key("scenario");
    write_scenario(json, c.what);
    if (const auto& p = c.quic_against_tcp) {
        json.key("sign_test").begin_object();
        json.key("cells").begin_array().value(name(p->a)).value(name(p->b)).end_array();
        json.key("pairs").value(std::uint64_t{p->runs}).key("first_sooner").value(std::uint64_t{p->a_sooner});
        json.key("second_sooner").value(std::uint64_t{p->b_sooner}).key("p_value").number(format_number(p->p_value, 9));
        json.key("sooner_ms");
        write_interval(json, p->gain);
        json.key("handshake_sooner_ms");
        write_interval(json, p->start_gain);
        json.end_object();
    }
    json.key("verdict").begin_array();
    for (const auto& sentence : c.verdict) json.value(sentence);
    json.end_array();
    json.end_object();
    return json.text() + "\n";
}

}  // namespace tandem::compare
