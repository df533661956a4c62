#include <tandem/recovery/prr.hpp>

#include <string>

#include <gtest/gtest.h>

#include "world.hpp"

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;
using test::t0;
using test::world;

// A recovery as RFC 9937 tells it: 20 packets in flight, some lost, each of the others acknowledged by itself. Losses are found
// after the third that arrives. Returns what is sent at each of these ACKs and the flight at the end.
struct episode {
    std::uint64_t flight = 20;
    std::uint64_t lost = 1;
    std::uint64_t target = 10;
    bool safe = false;

    std::string sent;
    std::uint64_t in_flight = 0;

    void run() {
        prr p(flight, target, 1);
        in_flight = flight - lost;
        for (std::uint64_t i = 0; i + 3 < flight - lost + 1; ++i) {
            in_flight -= i == 0 ? 3 : 1;
            p.on_ack(i == 0 ? 3 : 1, in_flight, safe && i > 0);
            std::uint64_t n = 0;
            for (; in_flight < p.window(); ++n) {
                p.on_sent(1);
                ++in_flight;
            }
            sent += static_cast<char>('0' + n);
        }
    }
};

// RFC 9937 5, the first example: one loss of 20. Every other ACK sends one, and the flight ends at ssthresh.
TEST(prr, one_loss_halves_the_rate_at_once) {
    episode e;
    e.run();
    EXPECT_EQ(e.sent, "20101010101010011");
    EXPECT_EQ(e.in_flight, 10u);
}

// With CUBIC's 0.7 seven of ten ACKs send.
TEST(prr, the_share_is_what_the_controller_keeps) {
    episode e{.target = 14};
    e.run();
    EXPECT_EQ(e.sent, "30110110111001111");
    EXPECT_EQ(e.in_flight, 14u);
}

// RFC 9937 5, the second example: so much is lost that the flight falls below ssthresh. Packet conservation: one for one, no
// burst.
TEST(prr, after_heavy_loss_one_is_sent_for_each_that_arrives) {
    episode e{.lost = 15};
    e.run();
    EXPECT_EQ(e.sent, "311");
    EXPECT_EQ(e.in_flight, 5u);
}

// RFC 9937 6.2: ACKs that bring progress and no further loss let it grow as in slow start, up to ssthresh.
TEST(prr, after_heavy_loss_safe_acknowledgments_grow_the_flight) {
    episode e{.lost = 13, .safe = true};
    e.run();
    EXPECT_EQ(e.sent, "32221");
    EXPECT_EQ(e.in_flight, 10u);
}

TEST(prr, the_first_retransmission_never_waits) {
    prr p(100'000, 50'000, 1000);
    p.on_ack(0, 99'000, false);  // a timer found the loss
    EXPECT_EQ(p.window(), 100'000u);
    p.on_sent(1000);
    p.on_ack(1000, 98'000, false);
    EXPECT_EQ(p.window(), 98'000u);  // it was one ahead
    p.on_ack(1000, 97'000, false);
    EXPECT_EQ(p.window(), 97'000u);
    p.on_ack(1000, 96'000, false);
    EXPECT_EQ(p.window(), 96'500u);
}

// A handshake's packets are of all sizes: what a small one delivers must not be all that may leave.
TEST(prr, with_nothing_in_flight_a_datagram_may_leave) {
    prr p(2000, 6000, 1200);
    p.on_ack(100, 0, false);
    EXPECT_EQ(p.window(), 1200u);
    p.on_sent(1200);
    p.on_ack(0, 0, false);  // that was lost as well
    EXPECT_EQ(p.window(), 1200u);
}

sender_config with_prr(bool on) {
    auto config = test::plain(20'000);
    config.controller.prr = on;
    return config;
}

// Counts what may leave at each ACK of a round trip after the loss of the first of 20. What the first ACK delivers still grows
// the window, to 23; so the target is 11.5, and 11.5 / 20 of what is delivered leaves.
std::string sent_in_recovery(world& w) {
    w.send_range(0, 20, t0);
    std::string sent;
    std::uint64_t next = 20;
    for (std::uint64_t n = 1; n < 20; ++n) {
        const auto now = t0 + 100ms + n * 1ms;
        if (n < 3) continue;
        w.ack_and_detect({{n == 3 ? 1 : n, n + 1}}, now);
        std::uint64_t count = 0;
        for (; w.path.allowance(now) >= 1000; ++count) w.send(next++, now);
        sent += static_cast<char>('0' + count);
    }
    return sent;
}

TEST(prr, the_sender_spreads_a_reduction_over_the_round_trip) {
    world w(with_prr(true));
    EXPECT_EQ(sent_in_recovery(w), "11011010101100111");
    EXPECT_EQ(w.path.bytes_in_flight(), 11'000u);
    EXPECT_EQ(w.path.congestion_window(), 11'500u);
}

// Without it: silence until half of the window is gone.
TEST(prr, switched_off_the_window_falls_at_once) {
    world w(with_prr(false));
    EXPECT_EQ(sent_in_recovery(w), "00000011111111111");
}

TEST(prr, it_ends_with_the_recovery_period) {
    world w(with_prr(true));
    sent_in_recovery(w);
    w.ack_and_detect({{20, 22}}, t0 + 210ms);  // 21 was sent in the period: it is over
    EXPECT_EQ(w.path.allowance(t0 + 210ms), 2500u);
    EXPECT_FALSE(w.path.recovering());
}

TEST(prr, a_ce_mark_is_answered_in_the_same_measure) {
    world w(with_prr(true));
    w.send_range(0, 20, t0);
    w.ack_and_detect({{0, 1}}, t0 + 100ms);
    w.path.on_ecn_ce(t0 + 100ms, t0);
    ASSERT_EQ(w.path.congestion_window(), 10'500u);
    EXPECT_EQ(w.path.allowance(t0 + 100ms), 1000u);
    w.send(20, t0 + 100ms);
    w.ack_and_detect({{1, 5}}, t0 + 101ms);  // four more arrived: two less one may leave
    EXPECT_GE(w.path.allowance(t0 + 101ms), 1000u);
    EXPECT_LT(w.path.allowance(t0 + 101ms), 3000u);
}

// A timeout has its own slow start.
TEST(prr, not_after_a_timeout) {
    world w(with_prr(true));
    w.send_range(0, 20, t0);
    w.ack_and_detect({{1, 5}}, t0 + 100ms);
    w.log.lose_all(w.path, t0 + 1s);
    EXPECT_EQ(w.path.allowance(t0 + 1s), 2000u);
    EXPECT_EQ(w.path.bytes_in_flight(), 0u);
}

// Handshake packets that are discarded with their keys: nothing is in flight any more, and nobody will acknowledge anything.
TEST(prr, what_leaves_flight_without_an_ack_does_not_block_for_good) {
    world w(with_prr(true));
    w.send_range(0, 20, t0);
    w.ack_and_detect({{3, 6}}, t0 + 100ms);
    w.path.forget(w.path.bytes_in_flight());
    EXPECT_GE(w.path.allowance(t0 + 100ms), 1000u);
    EXPECT_FALSE(w.path.window_blocked());
}

TEST(prr, an_undo_gives_back_all) {
    world w(with_prr(true));
    w.send_range(0, 20, t0);
    EXPECT_EQ(w.ack_and_detect({{3, 6}}, t0 + 100ms).size(), 3u);
    EXPECT_LT(w.path.allowance(t0 + 100ms), 3000u);
    EXPECT_TRUE(w.ack({{0, 3}}, t0 + 101ms).undo);
    EXPECT_GE(w.path.allowance(t0 + 101ms), 6000u);
}

}  // namespace
}  // namespace tandem::recovery
