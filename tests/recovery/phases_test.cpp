// The shapes that controllers draw over a bottleneck: NewReno's sawtooth, CUBIC's curve, the phases of HyStart++; and who shares
// fairly with whom.
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include <tandem/recovery/cubic.hpp>

#include "bottleneck.hpp"

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;
using test::bottleneck;
using test::bottleneck_config;
using test::t0;

constexpr std::uint64_t bdp = 50'000;

struct tooth {
    time_point at;
    std::uint64_t from, to;
};

std::vector<tooth> teeth(bottleneck& link, bottleneck::flow& f, time_point end) {
    std::vector<tooth> out;
    auto last = f.path.congestion_window();
    f.on_ack = [&](time_point now) {
        const auto window = f.path.congestion_window();
        if (window < last) out.push_back({now, last, window});
        last = window;
    };
    link.run_until(end);
    f.on_ack = {};
    return out;
}

// RFC 5681: one datagram a round trip, up to where pipe and queue are full, then half of it.
TEST(new_reno, draws_its_sawtooth) {
    bottleneck link({.queue = bdp});
    auto& f = link.add({.kind = controller_kind::new_reno});
    link.run_until(t0 + 10s);
    const auto all = teeth(link, f, t0 + 60s);
    // 50 round trips from half of 100 packets to all, of 40 to 80 ms: 3 s.
    EXPECT_NEAR(static_cast<double>(all.size()), 50 / 3.1, 3);
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_NEAR(static_cast<double>(all[i].from), 2.0 * bdp, 0.06 * 2 * bdp);
        EXPECT_NEAR(static_cast<double>(all[i].to), static_cast<double>(all[i].from) / 2, 1000);
        if (i == 0) continue;
        const double rounds = static_cast<double>((all[i].from - all[i - 1].to) / bottleneck::packet);
        const double mean_round_trip = std::chrono::duration<double>(all[i].at - all[i - 1].at).count() / (rounds + 1);
        EXPECT_GT(mean_round_trip, 0.040);
        EXPECT_LT(mean_round_trip, 0.082);
    }
}

// RFC 9438 figure 1: C (t - K)^3 + W_max, concave before K and convex after it.
TEST(cubic, follows_its_curve) {
    bottleneck link({.rate = 2'500'000, .round_trip = 100ms, .queue = 250'000});
    auto& f = link.add({.kind = controller_kind::cubic, .hystart = false});
    link.run_until(t0 + 4s);
    auto fall = teeth(link, f, t0 + 40s);
    ASSERT_GE(fall.size(), 2u);
    // From the next one on, no queue is too long.
    std::vector<std::pair<time_point, double>> curve;
    std::optional<tooth> last;
    auto before = f.path.congestion_window();
    bool free = false;
    f.on_ack = [&](time_point now) {
        const auto window = f.path.congestion_window();
        if (!free && window < before) {
            last = {now, before, window};
            link.set_queue(UINT64_MAX / 2);
            free = true;
        }
        before = window;
        if (free && !f.path.recovering()) curve.emplace_back(now, static_cast<double>(window) / bottleneck::packet);
    };
    link.run_until(t0 + 60s);
    ASSERT_TRUE(last);
    const double w_max = static_cast<double>(last->from) / bottleneck::packet;
    const double start = static_cast<double>(last->to) / bottleneck::packet;
    EXPECT_NEAR(start, cubic::beta * w_max, 2);
    const double k = std::cbrt((w_max - start) / cubic::c);
    const auto epoch = curve.front().first;
    const auto at = [&](double t) {
        const auto when = epoch + duration(static_cast<duration::rep>(t * 1e9));
        return std::lower_bound(curve.begin(), curve.end(), when, [](const auto& p, time_point x) { return p.first < x; })
            ->second;
    };
    ASSERT_GT(curve.back().first - epoch, std::chrono::duration_cast<duration>(std::chrono::duration<double>(1.6 * k)));
    for (double t = 0.5; t < 1.5 * k; t += 0.25) {
        const double expected = cubic::c * std::pow(t - k, 3) + w_max;
        EXPECT_NEAR(at(t), expected, 0.03 * expected) << t << " of K = " << k;
    }
    const auto bend = [&](double t) { return at(t + k / 4) - 2 * at(t) + at(t - k / 4); };
    EXPECT_LT(bend(k / 2), -1);     // concave
    EXPECT_GT(bend(k * 5 / 4), 1);  // convex
}

// RFC 9406: slow start doubles until the round trip grows, then grows by a quarter of that for five rounds, and ends without a
// loss.
TEST(hystart, ends_slow_start_before_the_queue_overflows) {
    bottleneck_config deep{.rate = 5'000'000, .round_trip = 100ms, .queue = 4'000'000};  // eight times the BDP
    bottleneck link(deep);
    auto& f = link.add({.kind = controller_kind::cubic});
    std::vector<std::uint64_t> at_round;
    auto next = t0 + 100ms;
    f.on_ack = [&](time_point now) {
        if (now < next || f.path.ssthresh() != congestion_controller::unknown_ssthresh) return;
        at_round.push_back(f.path.congestion_window());
        next = now + f.path.rtt().latest();
    };
    link.run_until(t0 + 3s);
    EXPECT_EQ(link.drops(), 0u);
    EXPECT_NE(f.path.ssthresh(), congestion_controller::unknown_ssthresh);
    EXPECT_GE(f.path.congestion_window(), 450'000u);  // the pipe is nearly full, or more
    ASSERT_GE(at_round.size(), 6u);
    for (std::size_t i = 2; i < 5; ++i)
        EXPECT_NEAR(static_cast<double>(at_round[i]) / static_cast<double>(at_round[i - 1]), 2, 0.15);
    const auto last = static_cast<double>(at_round.back()) / static_cast<double>(at_round[at_round.size() - 2]);
    EXPECT_LE(last, 1.3);  // conservative slow start

    bottleneck without(deep);
    auto& g = without.add({.kind = controller_kind::cubic, .hystart = false});
    without.run_until(t0 + 3s);
    EXPECT_GT(without.drops(), 100u);
    EXPECT_GT(g.path.delivered(), 0u);
}

class fairness : public testing::TestWithParam<controller_kind> {};

double jain(std::initializer_list<double> x) {
    double sum = 0, squares = 0;
    for (const double v : x) {
        sum += v;
        squares += v * v;
    }
    return sum * sum / (static_cast<double>(x.size()) * squares);
}

TEST_P(fairness, a_late_comer_gets_its_share) {
    bottleneck link({.rate = 1'250'000, .queue = 2 * bdp});
    auto& first = link.add({.kind = GetParam()});
    link.run_until(t0 + 5s);
    auto& second = link.add({.kind = GetParam()});
    link.run_until(t0 + 45s);
    const auto a = first.path.delivered(), b = second.path.delivered();
    link.run_until(t0 + 105s);
    const auto x = static_cast<double>(first.path.delivered() - a), y = static_cast<double>(second.path.delivered() - b);
    EXPECT_GE(jain({x, y}), 0.95) << x << " and " << y;
    EXPECT_GE(x + y, 1'250'000.0 * 60 * 0.9);
}

INSTANTIATE_TEST_SUITE_P(all, fairness, testing::Values(controller_kind::new_reno, controller_kind::cubic, controller_kind::bbr),
                         [](const auto& i) { return std::string(to_string(i.param)); });

}  // namespace
}  // namespace tandem::recovery
