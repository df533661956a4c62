#include <tandem/recovery/mtu_discovery.hpp>

#include <gtest/gtest.h>

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;
constexpr time_point t0{1h};

// Probes until nothing is due, on a path that carries `carried` bytes; every loss_every-th probe is lost by chance.
int search(mtu_discovery& m, std::size_t carried, time_point now = t0, int loss_every = 0) {
    int probes = 0;
    while (auto size = m.probe_due(now)) {
        m.on_probe_sent(*size);
        EXPECT_FALSE(m.probe_due(now));  // one at a time
        ++probes;
        const bool unlucky = loss_every != 0 && probes % loss_every == 0;
        if (*size <= carried && !unlucky)
            m.on_probe_acknowledged(*size, now);
        else
            m.on_probe_lost(*size, now);
        if (probes > 200) break;
    }
    return probes;
}

TEST(mtu_discovery, one_probe_is_enough_where_the_path_carries_the_limit) {
    mtu_discovery m(1200, 1452);
    EXPECT_EQ(m.size(), 1200u);
    EXPECT_EQ(m.probe_due(t0), 1452u);
    EXPECT_EQ(search(m, 1500), 1);
    EXPECT_EQ(m.size(), 1452u);
    EXPECT_FALSE(m.probe_due(t0 + 24h));
}

TEST(mtu_discovery, finds_every_size_closely_and_never_too_large_a_one) {
    for (std::size_t carried = 1200; carried <= 9000; carried += 37) {
        mtu_discovery m(1200, 8972);
        const int probes = search(m, carried);
        EXPECT_LE(m.size(), carried);
        EXPECT_GE(m.size() + mtu_discovery::precision, std::min<std::size_t>(carried, 8972)) << carried;
        EXPECT_LE(probes, 40) << carried;
    }
}

TEST(mtu_discovery, a_probe_lost_by_chance_costs_nothing) {
    mtu_discovery m(1200, 1452);
    search(m, 1500, t0, 2);
    EXPECT_EQ(m.size(), 1452u);
    mtu_discovery unlucky(1200, 1452);
    for (int i = 0; i < 2; ++i) {
        unlucky.on_probe_sent(*unlucky.probe_due(t0));
        unlucky.on_probe_lost(1452, t0);
    }
    EXPECT_EQ(unlucky.probe_due(t0), 1452u);  // a third chance
}

TEST(mtu_discovery, a_larger_interface_is_tried_after_the_usual_size_and_at_once) {
    mtu_discovery early(1200, 1452);
    early.raise_limit(65487);
    EXPECT_EQ(early.probe_due(t0), 1452u);
    EXPECT_EQ(search(early, 65535), 2);
    EXPECT_EQ(early.size(), 65487u);

    mtu_discovery late(1200, 1452);
    search(late, 65535);
    late.raise_limit(8972);
    EXPECT_EQ(late.probe_due(t0), 8972u);
    late.raise_limit(4000);  // no change
    search(late, 1500);
    EXPECT_GE(late.size(), 1484u);
    EXPECT_LE(late.size(), 1500u);

    mtu_discovery narrow(1200, 1452);  // the path is known to be narrower: that stays
    search(narrow, 1300);
    narrow.raise_limit(8972);
    EXPECT_FALSE(narrow.probe_due(t0));
    EXPECT_EQ(narrow.probe_due(t0 + 601s), 8972u);
}

TEST(mtu_discovery, an_interface_that_takes_less_than_the_usual_size_is_believed) {
    mtu_discovery m(1200, 1452);
    m.lower_limit(1372);
    m.raise_limit(1372);
    EXPECT_EQ(search(m, 1500), 1);
    EXPECT_EQ(m.size(), 1372u);
}

TEST(mtu_discovery, tries_again_after_ten_minutes) {
    mtu_discovery m(1200, 1452);
    search(m, 1300);
    const auto before = m.size();
    EXPECT_FALSE(m.probe_due(t0 + 599s));
    EXPECT_EQ(m.probe_due(t0 + 600s), 1452u);
    search(m, 1500, t0 + 600s);
    EXPECT_GT(m.size(), before);
    EXPECT_EQ(m.size(), 1452u);
}

TEST(mtu_discovery, three_timeouts_in_a_row_are_a_black_hole) {
    mtu_discovery m(1200, 1452);
    EXPECT_FALSE(m.on_timeouts(9, t0));  // nothing smaller to go to
    search(m, 1500);
    EXPECT_FALSE(m.on_timeouts(2, t0));
    EXPECT_TRUE(m.on_timeouts(3, t0));
    EXPECT_EQ(m.size(), 1200u);
    EXPECT_FALSE(m.probe_due(t0 + 59s));
    search(m, 1300, t0 + 60s);
    EXPECT_GE(m.size() + mtu_discovery::precision, 1300u);
}

TEST(mtu_discovery, keeps_to_the_limit) {
    mtu_discovery m(1200, 1452);
    m.lower_limit(1400);
    EXPECT_EQ(m.probe_due(t0), 1400u);
    search(m, 1500);
    m.lower_limit(1300);
    EXPECT_EQ(m.size(), 1300u);
    m.lower_limit(100);
    EXPECT_EQ(m.size(), 1200u);
    EXPECT_FALSE(m.probe_due(t0));
    mtu_discovery off(1200, 1200);
    EXPECT_FALSE(off.probe_due(t0));
}

}  // namespace
}  // namespace tandem::recovery
