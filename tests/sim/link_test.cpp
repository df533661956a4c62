#include <tandem/sim/link.hpp>

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include <tandem/sim/clock.hpp>

namespace tandem::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t seed = 77;
constexpr auto t0 = event_queue::start;

TEST(link, rate_and_delay) {
    link l({.rate = 10'000'000, .delay = 20ms}, seed);
    // 1500 bytes at 10 Mbit/s take 1.2 ms; the second waits for the first.
    const auto a = l.send(t0, 1500);
    const auto b = l.send(t0, 1500);
    EXPECT_EQ(a.result, verdict::delivered);
    EXPECT_EQ(a.departs, t0 + 1200us);
    EXPECT_EQ(a.arrives, t0 + 21200us);
    EXPECT_EQ(a.waiting, 0U);
    EXPECT_EQ(b.arrives, t0 + 22400us);
    EXPECT_EQ(b.waiting, 1500U);
    EXPECT_EQ(l.waiting(t0 + 1200us), 1500U);
    EXPECT_EQ(l.waiting(t0 + 2400us), 0U);
    EXPECT_EQ(l.send(t0 + 1s, 1500).arrives, t0 + 1s + 21200us);
}

TEST(link, serialization_is_never_too_short) {
    link l({.rate = 3'000'000'000}, seed);
    EXPECT_EQ(l.send(t0, 1).departs, t0 + 3ns);  // 2.67 ns
}

TEST(link, without_a_rate_only_the_delay_counts) {
    link l({.delay = 5ms}, seed);
    EXPECT_EQ(l.send(t0, 1500).arrives, t0 + 5ms);
    EXPECT_EQ(l.send(t0, 1500).arrives, t0 + 5ms);
    EXPECT_EQ(l.waiting(t0), 0U);
}

TEST(link, tail_drop_counts_bytes) {
    link l({.rate = 8'000'000, .queue = 3000}, seed);  // a byte per microsecond
    EXPECT_EQ(l.send(t0, 1500).result, verdict::delivered);
    EXPECT_EQ(l.send(t0, 1500).result, verdict::delivered);
    EXPECT_EQ(l.send(t0, 40).result, verdict::queue_full);
    EXPECT_EQ(l.send(t0 + 40us, 40).result, verdict::delivered);
    EXPECT_EQ(l.send(t0 + 40us, 1).result, verdict::queue_full);
    EXPECT_EQ(l.waiting(t0 + 40us), 3000U);
}

TEST(link, one_packet_fits_even_a_tiny_queue) {
    link l({.rate = 8'000'000, .queue = 100}, seed);
    EXPECT_EQ(l.send(t0, 1500).result, verdict::delivered);
    EXPECT_EQ(l.send(t0, 1500).result, verdict::queue_full);
    EXPECT_EQ(l.send(t0 + 1500us, 1500).result, verdict::delivered);
}

TEST(link, mtu) {
    link l({.rate = 8'000'000, .mtu = 1280}, seed);
    EXPECT_EQ(l.send(t0, 1281).result, verdict::too_big);
    EXPECT_EQ(l.waiting(t0), 0U);
    EXPECT_EQ(l.send(t0, 1280).result, verdict::delivered);
}

TEST(link, drop_list_counts_from_one_and_uses_the_link) {
    link l({.rate = 8'000'000, .drop = {2, 3}}, seed);
    std::vector<verdict> results;
    for (int i = 0; i < 4; ++i) results.push_back(l.send(t0, 1000).result);
    EXPECT_EQ(results, (std::vector{verdict::delivered, verdict::listed, verdict::listed, verdict::delivered}));
    EXPECT_EQ(l.waiting(t0), 4000U);
    EXPECT_EQ(l.send(t0, 1000, true).result, verdict::listed);
}

TEST(link, outage_is_about_when_the_packet_leaves) {
    link l({.rate = 8'000'000, .delay = 1s, .outages = {{10ms, 12ms}}}, seed);
    EXPECT_EQ(l.send(t0 + 8ms, 1000).result, verdict::delivered);   // leaves at 9 ms
    EXPECT_EQ(l.send(t0 + 9ms, 1000).result, verdict::outage);      // at 10 ms
    EXPECT_EQ(l.send(t0 + 10999us, 1000).result, verdict::outage);  // at 11.999 ms
    EXPECT_EQ(l.send(t0 + 11999us, 1).result, verdict::delivered);  // at 12 ms
}

TEST(link, jitter_stays_within_and_may_reorder) {
    link l({.delay = 10ms, .jitter = 4ms}, seed);
    link ordered({.delay = 10ms, .jitter = 4ms, .jitter_keeps_order = true}, seed);
    auto last = t0, last_ordered = t0;
    bool overtaken = false;
    duration most{}, least = 1s;
    for (int i = 0; i < 1000; ++i) {
        const auto now = t0 + i * 100us;
        const auto p = l.send(now, 1200);
        most = std::max(most, p.arrives - now);
        least = std::min(least, p.arrives - now);
        overtaken |= p.arrives < last;
        last = p.arrives;
        const auto q = ordered.send(now, 1200);
        EXPECT_GE(q.arrives, last_ordered);
        last_ordered = q.arrives;
    }
    EXPECT_GE(least, 10ms);
    EXPECT_LT(least, 10100us) << "seed " << seed;
    EXPECT_LE(most, 14ms);
    EXPECT_GT(most, 13900us) << "seed " << seed;
    EXPECT_TRUE(overtaken) << "seed " << seed;
}

TEST(link, reordering_holds_back_its_share) {
    link l({.delay = 10ms, .reorder = 0.1, .reorder_delay = 7ms}, seed);
    int held = 0;
    for (int i = 0; i < 10'000; ++i) {
        const auto p = l.send(t0, 1200);
        held += p.held_back;
        EXPECT_EQ(p.arrives, t0 + (p.held_back ? 17ms : 10ms));
    }
    EXPECT_NEAR(held, 1000, 100) << "seed " << seed;
}

TEST(link, duplication_and_corruption_have_their_shares) {
    link l({.duplicate = 0.1, .corrupt = 0.02}, seed);
    int copies = 0, damaged = 0;
    std::set<std::uint64_t> bits;
    for (int i = 0; i < 10'000; ++i) {
        const auto p = l.send(t0, 1200);
        copies += p.copy_arrives.has_value();
        damaged += p.corrupt_bit.has_value();
        if (p.corrupt_bit) bits.insert(*p.corrupt_bit);
    }
    EXPECT_NEAR(copies, 1000, 100) << "seed " << seed;
    EXPECT_NEAR(damaged, 200, 50) << "seed " << seed;
    EXPECT_EQ(bits.size(), static_cast<std::size_t>(damaged));
}

std::vector<bool> losses(const link_config& config, std::size_t size = 1500) {
    link l(config, seed);
    std::vector<bool> out;
    for (int i = 0; i < 2000; ++i) out.push_back(l.send(t0 + i * 1ms, size).result == verdict::lost);
    return out;
}

TEST(link, other_kinds_of_chance_do_not_move_the_losses) {
    link_config config{.rate = 100'000'000, .delay = 10ms, .loss = loss_config::bernoulli(0.05)};
    const auto plain = losses(config);
    EXPECT_GT(std::count(plain.begin(), plain.end(), true), 50);
    config.jitter = 3ms;
    config.reorder = config.duplicate = config.corrupt = 0.2;
    EXPECT_EQ(losses(config), plain);
}

TEST(link, small_packets_do_not_move_the_losses_of_full_ones) {
    const link_config config{.loss = loss_config::bernoulli(0.05)};
    link l(config, seed);
    std::vector<bool> full;
    int small_lost = 0;
    for (int i = 0; i < 2000; ++i) {
        for (int k = 0; k < i % 3; ++k) small_lost += l.send(t0 + i * 1ms, 60).result == verdict::lost;
        full.push_back(l.send(t0 + i * 1ms, 1500).result == verdict::lost);
    }
    EXPECT_EQ(full, losses(config));
    EXPECT_GT(small_lost, 0) << "seed " << seed;
}

TEST(link, loss_by_time_depends_on_when_and_not_on_how_many) {
    const link_config config{.loss = loss_config::bernoulli(0.2), .loss_by = loss_clock::time, .loss_slot = 1ms};
    link many(config, seed), few(config, seed);
    for (int slot = 0; slot < 2000; ++slot) {
        const auto at = t0 + slot * 1ms;
        const auto a = many.send(at, 1500).result;
        const auto b = many.send(at + 500us, 60).result;
        EXPECT_EQ(a, b) << slot;
        if (slot % 5 == 0) {
            EXPECT_EQ(few.send(at + 900us, 300).result, a) << slot;
        }
    }
}

}  // namespace
}  // namespace tandem::sim
