// What `tandem compare` promises about head-of-line blocking, on real bytes and in virtual time.
#include <gtest/gtest.h>

#include <algorithm>

#include "compare_output.hpp"
#include "scenarios/laboratory.hpp"
#include "seed.hpp"

namespace tandem::test {
namespace {

using namespace std::chrono_literals;
using compare::cell;
using compare::run_result;
using recovery::controller_kind;

double ms(duration d) { return static_cast<double>(d.count()) / 1e6; }

wait_sum other_stream(const compare::waiting& w) { return w.of(wait_cause::other_stream_hole); }
wait_sum own_stream(const compare::waiting& w) { return w.of(wait_cause::own_stream_hole); }

void expect_conserved(const run_result& r, cell which) {
    EXPECT_TRUE(r.ledger.sum() == r.ledger.total) << compare::name(which);  // exact: far below 1 microsecond x byte
    for (const auto& o : r.objects) EXPECT_TRUE(o.ledger.sum() == o.ledger.total) << compare::name(which);
}

TEST(one_lost_packet, over_quic_delays_its_own_object_only) {
    auto s = quiet_scenario();
    s.controller = controller_kind::fixed_window;
    const auto before = run(s, cell::h3_quic);
    s.drops = {{.object = 2, .nth = 3}};
    const auto after = run(s, cell::h3_quic);

    EXPECT_EQ(before.lost, 0U);
    EXPECT_EQ(after.lost, 1U);
    const auto later = [&](std::size_t id) { return after.objects[id - 1].finish - before.objects[id - 1].finish; };
    EXPECT_GT(later(2), 0ns);
    for (const std::size_t id : {1, 3, 4}) EXPECT_LE(std::chrono::abs(later(id)), 2 * s.packet_time()) << "object " << id;
    for (const std::size_t id : {1, 3, 4}) EXPECT_LT(later(id), later(2)) << "object " << id;
    for (const std::size_t id : {1, 3, 4}) EXPECT_TRUE(after.objects[id - 1].ledger == compare::waiting{}) << "object " << id;
    EXPECT_GT(own_stream(after.objects[1].ledger), wait_sum{0});
}

TEST(one_lost_packet, over_tcp_makes_the_others_wait) {
    for (const auto controller : all_controllers) {
        auto s = quiet_scenario();
        s.controller = controller;
        s.drops = {{.object = 2, .nth = 3}};
        const auto tcp = run(s, cell::h3_tcp);
        EXPECT_EQ(tcp.lost, 1U);
        EXPECT_TRUE(other_stream(tcp.objects[2].ledger) > 0) << compare::name(controller);
        EXPECT_TRUE(other_stream(tcp.objects[3].ledger) > 0) << compare::name(controller);
        expect_conserved(tcp, cell::h3_tcp);
    }
}

TEST(one_lost_packet, over_quic_no_stream_ever_waits_for_another) {
    for (const auto controller : all_controllers) {
        auto s = quiet_scenario();
        s.controller = controller;
        s.drops = {{.object = 2, .nth = 3}};
        const auto quic = run(s, cell::h3_quic);
        EXPECT_EQ(quic.lost, 1U);
        EXPECT_TRUE(other_stream(quic.ledger) == 0) << compare::name(controller);
        EXPECT_TRUE(own_stream(quic.ledger) > 0) << compare::name(controller);
        expect_conserved(quic, cell::h3_quic);
    }
}

TEST(one_lost_packet, is_the_nth_that_carries_the_object_in_every_cell) {
    for (const auto which : all_cells) {
        auto s = quiet_scenario();
        s.drops = {{.object = 2, .nth = 3}, {.object = 4, .nth = 20}};
        EXPECT_EQ(run(s, which).lost, 2U) << compare::name(which);
        s.drops = {{.object = 2, .nth = 100'000}};  // there is no such packet
        EXPECT_EQ(run(s, which).lost, 0U) << compare::name(which);
    }
}

TEST(without_loss, nothing_waits_for_a_hole) {
    for (const auto controller : all_controllers) {
        for (const auto which : all_cells) {
            auto s = quiet_scenario();
            s.controller = controller;
            const auto r = run(s, which);
            EXPECT_EQ(r.lost, 0U);
            EXPECT_TRUE(other_stream(r.ledger) == 0) << compare::name(which);
            EXPECT_TRUE(own_stream(r.ledger) == 0) << compare::name(which);
            expect_conserved(r, which);
        }
    }
}

TEST(without_loss, one_connection_of_http1_queues_and_six_do_not_for_four_objects) {
    const auto one = run(quiet_scenario(), cell::h1_1conn), six = run(quiet_scenario(), cell::h1_6conn);
    EXPECT_GT(one.ledger.of(wait_cause::http_queue), 100 * six.ledger.of(wait_cause::http_queue));
    EXPECT_LT(six.page, one.page);
}

TEST(without_loss, quic_needs_fewer_round_trips_than_tcp_and_tls) {
    const auto quic = run(quiet_scenario(), cell::h3_quic), tcp = run(quiet_scenario(), cell::h1_1conn);
    EXPECT_NEAR(ms(quic.objects[0].start), 40, 5);
    EXPECT_NEAR(ms(tcp.objects[0].start), 80, 5);
}

TEST(one_object, has_no_other_stream_to_wait_for) {
    compare::scenario s;
    s.page.objects = {300'000};
    s.loss = 0.02;
    s.seed = seed();
    for (const auto which : all_cells) {
        const auto r = run(s, which);
        EXPECT_GT(r.lost, 0U) << compare::name(which) << " seed " << seed();
        EXPECT_TRUE(other_stream(r.ledger) == 0) << compare::name(which) << " seed " << seed();
    }
}

// Holds for every seed, controller and impairment: the ledger balances, and QUIC has no blocking between streams.
TEST(every_scenario, balances_its_ledger) {
    for (std::size_t kind = 0; kind < 5; ++kind) {
        auto s = quiet_scenario();
        s.page.objects.assign(5, 40'000);
        s.seed = seed() + kind;
        if (kind == 0) s.loss = 0.03;
        if (kind == 1) s.loss = 0.02, s.burst = 3;
        if (kind == 2) s.reorder = 0.05;
        if (kind == 3) s.jitter = 10ms, s.loss = 0.01;
        if (kind == 4) s.queue = 15'000, s.controller = controller_kind::new_reno;
        for (const auto which : all_cells) {
            for (std::size_t i = 0; i < 3; ++i) {
                SCOPED_TRACE("kind " + std::to_string(kind) + " run " + std::to_string(i) + " seed " + std::to_string(s.seed));
                const auto r = run(s, which, i);
                expect_conserved(r, which);
                if (which == cell::h3_quic) {
                    EXPECT_TRUE(other_stream(r.ledger) == 0);
                }
            }
        }
    }
}

TEST(every_scenario, gives_the_same_json_twice) {
    auto s = quiet_scenario();
    s.loss = 0.02;
    s.jitter = 2ms;
    s.runs = 3;
    s.seed = seed();
    const auto once = [&] { return compare::to_json(compare::summarise(s, compare::run_all(laboratory_for(s)))); };
    const auto first = once();
    EXPECT_EQ(first, once());
    s.seed = seed() + 1;
    EXPECT_NE(first, once());
}

// What a step curve says at each time of the other's samples. Acknowledgments of the two transports differ by a few bytes, so a
// step may come some nanoseconds earlier or later: any value within one packet's time counts.
double worst_difference(const run_result& a, const run_result& b, duration slack) {
    double worst = 0;
    for (const auto& sample : a.congestion) {
        const auto at = sample.at - a.first_response;
        if (at < 0ns || at > b.congestion.back().at - b.first_response) continue;
        double best = 1;
        const sim::congestion_point* before = nullptr;
        for (const auto& other : b.congestion) {
            const auto t = other.at - b.first_response;
            if (t > at + slack) break;
            before = t < at - slack ? &other : before;
            if (t < at - slack) continue;
            best = std::min(best, std::abs(static_cast<double>(sample.window) / static_cast<double>(other.window) - 1));
        }
        if (before != nullptr)
            best = std::min(best, std::abs(static_cast<double>(sample.window) / static_cast<double>(before->window) - 1));
        worst = std::max(worst, best);
    }
    return worst;
}

// The clock begins when the server begins to answer: the handshakes before it differ, and are meant to.
TEST(one_core, gives_both_transports_the_same_congestion_window) {
    for (const auto controller : all_controllers) {
        for (const std::uint64_t size : {100'000, 400'000, 1'000'000}) {
            compare::scenario s;
            s.page.objects = {size};
            s.controller = controller;
            const auto tcp = run(s, cell::h3_tcp), quic = run(s, cell::h3_quic);
            SCOPED_TRACE(std::string(compare::name(controller)) + " " + std::to_string(size));
            ASSERT_GT(tcp.congestion.size(), 20U);
            ASSERT_GT(quic.congestion.size(), 20U);
            EXPECT_LE(worst_difference(tcp, quic, s.packet_time()), 0.05);
            EXPECT_LE(worst_difference(quic, tcp, s.packet_time()), 0.05);
            const auto after_tcp = tcp.page - tcp.first_response, after_quic = quic.page - quic.first_response;
            EXPECT_NEAR(ms(after_tcp) / ms(after_quic), 1, 0.02);
        }
    }
}

TEST(failed_run, is_reported_as_such) {
    auto s = quiet_scenario();
    s.loss = 1;
    for (const auto which : {cell::h3_quic, cell::h3_tcp}) {
        const auto lab = laboratory_for(s);
        const auto r = lab.run(which, lab.run_seed(0));
        EXPECT_FALSE(r.complete()) << compare::name(which);
        EXPECT_FALSE(r.failure.empty());
        s.runs = 1;
        s.cells = {which};
        const auto c = compare::summarise(s, {{which, {r}}});
        EXPECT_EQ(c.summaries[0].complete(), 0U);
        EXPECT_NE(compare::to_json(c).find("\"page_ms\": null"), std::string::npos);
        EXPECT_NE(compare::to_table(c).find("none finished"), std::string::npos);
    }
}

TEST(capture, has_every_packet_and_the_keys) {
    auto s = quiet_scenario();
    s.page.objects = {20'000};
    for (const auto which : all_cells) {
        sim::packet_recorder recorder;
        std::size_t lines = 0;
        const auto lab = laboratory_for(s, [&](std::string_view line) {
            ++lines;
            recorder.add_secrets(line);
        });
        const auto r = lab.run(which, lab.run_seed(0), &recorder);
        EXPECT_TRUE(r.complete()) << r.failure;
        EXPECT_EQ(recorder.packets(), r.packets);
        EXPECT_GE(lines, 4U);
        const auto file = recorder.file("x");
        const std::string text(file.begin(), file.end());
        EXPECT_NE(text.find("CLIENT_TRAFFIC_SECRET_0 "), std::string::npos);
        EXPECT_NE(text.find("SERVER_TRAFFIC_SECRET_0 "), std::string::npos);
    }
}

}  // namespace
}  // namespace tandem::test
