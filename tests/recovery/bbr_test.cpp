// BBR over a bottleneck of 10 Mbit/s and 40 ms: 50 kB make the pipe full.
#include <tandem/recovery/bbr.hpp>

#include <vector>

#include <gtest/gtest.h>

#include "bottleneck.hpp"

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;
using test::bottleneck;
using test::bottleneck_config;
using test::t0;

constexpr std::uint64_t rate = 1'250'000;
constexpr std::uint64_t bdp = 50'000;
constexpr controller_config with_bbr{.kind = controller_kind::bbr};
using phase = bbr::state;

const bbr& controller_of(const bottleneck::flow& f) { return dynamic_cast<const bbr&>(f.path.controller()); }

struct visit {
    phase what;
    time_point from;
    duration lasted{};
    std::uint64_t min_in_flight = UINT64_MAX, max_in_flight = 0, in_flight_at_end = 0;
};

// The phases that a flow goes through.
struct diary {
    std::vector<visit> visits;

    void watch(bottleneck::flow& f) {
        f.on_ack = [this, &f](time_point now) {
            const auto what = controller_of(f).phase();
            if (visits.empty() || visits.back().what != what) visits.push_back({what, now});
            auto& v = visits.back();
            v.lasted = now - v.from;
            v.in_flight_at_end = f.path.bytes_in_flight();
            v.min_in_flight = std::min(v.min_in_flight, v.in_flight_at_end);
            v.max_in_flight = std::max(v.max_in_flight, v.in_flight_at_end);
        };
    }
    std::vector<visit> all(phase what) const {
        std::vector<visit> out;
        for (const auto& v : visits) {
            if (v.what == what) out.push_back(v);
        }
        return out;
    }
};

TEST(bbr, startup_fills_the_pipe_and_drain_empties_the_queue) {
    bottleneck link({.queue = 20 * bdp});
    auto& f = link.add(with_bbr);
    diary d;
    d.watch(f);
    link.run_until(t0 + 2500ms);
    ASSERT_GE(d.visits.size(), 3u);
    EXPECT_EQ(d.visits[0].what, phase::startup);
    EXPECT_EQ(d.visits[1].what, phase::drain);
    EXPECT_EQ(d.visits[2].what, phase::probe_bw_cruise);  // there is nothing left for DOWN to do
    EXPECT_GT(d.visits[0].max_in_flight, bdp * 3 / 2);
    EXPECT_LE(d.visits[0].max_in_flight, bdp * 3);  // 2 BDP, and what is acknowledged in the last round
    EXPECT_LT(d.visits[0].lasted, 800ms);           // log2 of 50 packets by 10, and three rounds without growth
    EXPECT_LE(d.visits[1].lasted, 200ms);
    EXPECT_LE(d.visits[2].min_in_flight, bdp + 2000);
    EXPECT_NEAR(static_cast<double>(controller_of(f).max_bandwidth_seen()), static_cast<double>(rate), rate * 0.05);
    EXPECT_NEAR(static_cast<double>(controller_of(f).min_rtt()->count()), 40.8e6, 1e6);
    EXPECT_EQ(link.drops(), 0u);
}

TEST(bbr, probes_for_bandwidth_every_few_seconds_and_for_the_round_trip_after_five) {
    bottleneck link({.queue = 20 * bdp});
    auto& f = link.add(with_bbr);
    diary d;
    d.watch(f);
    link.run_until(t0 + 30s);
    const auto ups = d.all(phase::probe_bw_up);
    ASSERT_GE(ups.size(), 7u);
    for (std::size_t i = 1; i < ups.size(); ++i) {
        const auto gap = ups[i].from - ups[i - 1].from;
        EXPECT_LE(gap, 5s) << i;  // a probe for the round trip begins the wait anew
        EXPECT_GE(gap, 1500ms) << i;
    }
    for (const auto& up : ups) EXPECT_GT(up.max_in_flight, bdp * 11 / 10);
    for (const auto& refill : d.all(phase::probe_bw_refill)) EXPECT_NEAR(static_cast<double>(refill.lasted / 1ms), 42, 25);

    const auto probes = d.all(phase::probe_rtt);
    ASSERT_GE(probes.size(), 3u);
    for (const auto& p : probes) {
        EXPECT_LE(p.min_in_flight, bdp * 55 / 100);
        EXPECT_GE(p.lasted, 190ms);
        EXPECT_LE(p.lasted, 400ms);
    }
    for (std::size_t i = 1; i < probes.size(); ++i) {
        EXPECT_GE(probes[i].from - probes[i - 1].from, 5s);
        EXPECT_LE(probes[i].from - probes[i - 1].from, 8s);
    }
}

// What CUBIC fills to the brim.
TEST(bbr, the_queue_of_a_deep_buffer_stays_low) {
    const auto mean_queue = [](controller_kind kind) {
        bottleneck link({.queue = 10 * bdp});
        auto& f = link.add({.kind = kind, .hystart = false});
        link.run_until(t0 + 5s);
        std::uint64_t sum = 0, n = 0;
        f.on_ack = [&](time_point) {
            sum += link.queued();
            ++n;
        };
        const auto before = f.path.delivered();
        link.run_until(t0 + 25s);
        EXPECT_GE(f.path.delivered() - before, rate * 20 * 95 / 100) << to_string(kind);
        return sum / n;
    };
    EXPECT_LT(mean_queue(controller_kind::bbr), bdp / 4);
    EXPECT_GT(mean_queue(controller_kind::cubic), 4 * bdp);
}

std::uint64_t delivered_in_twenty_seconds(controller_kind kind, double loss) {
    bottleneck link({.rate = 2 * rate, .queue = 2 * bdp, .loss = loss});
    auto& f = link.add({.kind = kind});
    link.run_until(t0 + 20s);
    return f.path.delivered();
}

TEST(bbr, one_percent_of_random_loss_costs_little_where_cubic_collapses) {
    EXPECT_GE(delivered_in_twenty_seconds(controller_kind::bbr, 0.01), 2 * rate * 20 * 80 / 100);
    EXPECT_LE(delivered_in_twenty_seconds(controller_kind::cubic, 0.01), 2 * rate * 20 * 40 / 100);
}

// A queue of a fifth of the BDP: losses teach the bound, and stay rare.
TEST(bbr, a_shallow_buffer_is_learned) {
    bottleneck link({.queue = bdp / 5});
    auto& f = link.add(with_bbr);
    link.run_until(t0 + 20s);
    EXPECT_GE(f.path.delivered(), rate * 20 * 80 / 100);
    EXPECT_NE(controller_of(f).inflight_longterm(), bbr::unlimited);
    EXPECT_LE(link.drops() * 100, f.next * 3) << link.drops() << " of " << f.next;
}

TEST(bbr, finds_new_bandwidth_and_gives_up_what_is_gone) {
    bottleneck link({.queue = 4 * bdp});
    auto& f = link.add(with_bbr);
    link.run_until(t0 + 10s);
    link.set_rate(4 * rate);
    link.run_until(t0 + 20s);
    EXPECT_GE(controller_of(f).bandwidth(), 4 * rate * 90 / 100);
    link.set_rate(rate);
    link.run_until(t0 + 32s);
    EXPECT_LE(controller_of(f).bandwidth(), rate * 120 / 100);
    EXPECT_GE(controller_of(f).bandwidth(), rate * 80 / 100);
}

TEST(bbr, keeps_the_queue_where_it_is_marked) {
    bottleneck link({.queue = 20 * bdp, .mark_above = bdp / 4});
    auto& f = link.add(with_bbr);
    link.run_until(t0 + 5s);
    EXPECT_GT(f.marks, 0u);
    const auto marks = f.marks, delivered = f.path.delivered();
    link.run_until(t0 + 25s);
    EXPECT_GE(f.path.delivered() - delivered, rate * 20 * 85 / 100);
    EXPECT_LE(f.marks - marks, rate * 20 / 1000 / 10);  // one in ten
    EXPECT_NE(controller_of(f).inflight_longterm(), bbr::unlimited);
}

// Slow because the application is: the model must not believe it, and sends at the path's rate when there is more.
TEST(bbr, an_application_that_rests_does_not_slow_the_model) {
    bottleneck link({.queue = 4 * bdp});
    auto& f = link.add(with_bbr);
    link.run_until(t0 + 3s);
    f.limit = f.next;
    for (int i = 0; i < 20; ++i) {
        f.limit += 10;
        link.run_until(link.now() + 100ms);
    }
    EXPECT_GE(controller_of(f).bandwidth(), rate * 90 / 100);
    EXPECT_NEAR(static_cast<double>(*f.path.controller().pacing_rate()), static_cast<double>(rate), rate * 0.3);
    f.limit = UINT64_MAX;
    const auto delivered = f.path.delivered();
    link.run_until(link.now() + 2s);
    EXPECT_GE(f.path.delivered() - delivered, rate * 2 * 85 / 100);
}

// Idle for longer than the round-trip probe's interval: silence is the probe.
TEST(bbr, silence_spares_the_probe_for_the_round_trip) {
    bottleneck link({.queue = 4 * bdp});
    auto& f = link.add(with_bbr);
    link.run_until(t0 + 3s);
    f.limit = f.next;
    link.run_until(t0 + 12s);
    f.limit = UINT64_MAX;
    diary d;
    d.watch(f);
    link.run_until(t0 + 14s);
    EXPECT_TRUE(d.all(phase::probe_rtt).empty());
    EXPECT_FALSE(d.visits.empty());
}

TEST(bbr, a_timeout_takes_the_window_and_new_deliveries_give_it_back) {
    bottleneck link({.queue = 4 * bdp});
    auto& f = link.add(with_bbr);
    link.run_until(t0 + 2s);
    const auto window = f.path.congestion_window();
    ASSERT_GT(window, bdp);
    f.path.on_persistent_congestion(link.now());
    EXPECT_EQ(f.path.congestion_window(), 2 * bottleneck::packet);
    link.run_until(link.now() + 500ms);
    EXPECT_GE(f.path.congestion_window(), window * 9 / 10);
}

// 5.5.11.2
TEST(bbr, losses_that_prove_spurious_are_undone) {
    bottleneck link({.queue = 4 * bdp});
    auto& f = link.add(with_bbr);
    link.run_until(t0 + 2s);
    ASSERT_EQ(controller_of(f).phase(), phase::probe_bw_cruise);
    bbr copy(with_bbr);
    const auto before = controller_of(f).bandwidth();
    auto& controller = const_cast<bbr&>(controller_of(f));
    controller.on_congestion({.now = link.now(), .newest_sent = link.now(), .bytes_lost = 1000, .bytes_in_flight = bdp});
    controller.on_loss({.now = link.now(), .bytes = 1000, .in_flight = bdp, .lost = 1000});
    link.run_until(link.now() + 100ms);
    EXPECT_NE(controller.inflight_shortterm(), bbr::unlimited);
    controller.on_spurious_congestion();
    EXPECT_EQ(controller.inflight_shortterm(), bbr::unlimited);
    EXPECT_EQ(controller.bandwidth(), before);
}

TEST(bbr, before_any_sample_it_has_the_initial_window_and_no_rate) {
    bbr b({.kind = controller_kind::bbr, .max_datagram_size = 1200});
    EXPECT_EQ(b.window(), 12'000u);
    EXPECT_EQ(b.pacing_rate(), std::nullopt);
    EXPECT_EQ(b.phase(), phase::startup);
    b.on_max_datagram_size(1452);
    EXPECT_EQ(b.window(), 14'520u);
    EXPECT_EQ(b.name(), "bbr");
    EXPECT_EQ(parse_controller("bbr"), controller_kind::bbr);
}

}  // namespace
}  // namespace tandem::recovery
