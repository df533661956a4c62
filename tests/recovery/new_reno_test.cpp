#include <tandem/recovery/new_reno.hpp>

#include <gtest/gtest.h>

#include <tandem/recovery/fixed_window.hpp>

#include "controller_events.hpp"

namespace tandem::recovery {
namespace {

using namespace std::chrono_literals;
using test::acked;
constexpr time_point t0{};
const auto rtt = test::steady(100ms);

controller_config config(std::uint64_t initial_window = 0) {
    return {.kind = controller_kind::new_reno, .max_datagram_size = 1000, .initial_window = initial_window, .hystart = false};
}

// RFC 9002 7.2
TEST(initial_window, ten_datagrams_at_most_14720_bytes_or_two) {
    EXPECT_EQ(default_initial_window(1200), 12000u);
    EXPECT_EQ(default_initial_window(1472), 14720u);
    EXPECT_EQ(default_initial_window(1500), 14720u);
    EXPECT_EQ(default_initial_window(9000), 18000u);
    EXPECT_EQ(new_reno(config()).window(), 10000u);
    EXPECT_EQ(new_reno(config()).ssthresh(), UINT64_MAX);
    EXPECT_EQ(new_reno(config(5000)).window(), 5000u);
}

TEST(initial_window, follows_the_datagram_size_until_something_was_learned) {
    new_reno c(config());
    c.on_max_datagram_size(1400);
    EXPECT_EQ(c.window(), 14000u);
    c.on_ack(acked(t0, 1400, rtt));
    c.on_max_datagram_size(1000);
    EXPECT_EQ(c.window(), 15400u);
}

// RFC 9002 7.3.1
TEST(new_reno, slow_start_grows_by_what_is_acknowledged) {
    new_reno c(config());
    c.on_ack(acked(t0, 10000, rtt));
    EXPECT_EQ(c.window(), 20000u);
    c.on_ack(acked(t0, 1, rtt));
    EXPECT_EQ(c.window(), 20001u);
}

// RFC 9002 7.8
TEST(new_reno, does_not_grow_a_window_that_is_not_used) {
    new_reno c(config());
    auto ack = acked(t0, 5000, rtt);
    ack.window_limited = false;
    c.on_ack(ack);
    EXPECT_EQ(c.window(), 10000u);
    c.on_congestion({.now = t0});
    for (int i = 0; i < 10; ++i) c.on_ack(ack);
    EXPECT_EQ(c.window(), 5000u);
}

// RFC 9002 7.3.2 and 7.3.3: half the window, then one datagram for each window acknowledged.
TEST(new_reno, sawtooth) {
    new_reno c(config(40000));
    for (int tooth = 0; tooth < 3; ++tooth) {
        c.on_congestion({.now = t0, .bytes_lost = 1000});
        ASSERT_EQ(c.window(), 20000u);
        ASSERT_EQ(c.ssthresh(), 20000u);
        for (std::uint64_t window = 20000; window < 40000; window += 1000) {
            ASSERT_EQ(c.window(), window);
            for (std::uint64_t bytes = 0; bytes < window; bytes += 1000) c.on_ack(acked(t0, 1000, rtt));
        }
        ASSERT_EQ(c.window(), 40000u);
    }
}

TEST(new_reno, growth_counts_bytes_and_not_acknowledgments) {
    new_reno one_by_one(config(20000)), batched(config(20000));
    one_by_one.on_congestion({.now = t0});
    batched.on_congestion({.now = t0});
    for (int i = 0; i < 500; ++i) one_by_one.on_ack(acked(t0, 700, rtt));
    for (int i = 0; i < 10; ++i) batched.on_ack(acked(t0, 35000, rtt));
    EXPECT_EQ(one_by_one.window(), batched.window());
    EXPECT_GT(one_by_one.window(), 25000u);
}

TEST(new_reno, never_falls_below_two_datagrams) {
    new_reno c(config(3000));
    c.on_congestion({.now = t0});
    EXPECT_EQ(c.window(), 2000u);
    c.on_congestion({.now = t0, .ecn = true});
    EXPECT_EQ(c.window(), 2000u);
}

// RFC 9002 7.6.2; RFC 5681 3.1 for TCP
TEST(new_reno, persistent_congestion_leaves_the_loss_window_and_slow_start_to_ssthresh) {
    new_reno quic(config(40000));
    quic.on_congestion({.now = t0});
    quic.on_persistent_congestion(t0);
    EXPECT_EQ(quic.window(), 2000u);
    EXPECT_EQ(quic.ssthresh(), 20000u);
    quic.on_ack(acked(t0, 18000, rtt));
    EXPECT_EQ(quic.window(), 20000u);
    quic.on_ack(acked(t0, 20000, rtt));
    EXPECT_EQ(quic.window(), 21000u);

    auto tcp_config = config(40000);
    tcp_config.loss_window = 1;
    new_reno tcp(tcp_config);
    tcp.on_persistent_congestion(t0);
    EXPECT_EQ(tcp.window(), 1000u);
}

// RFC 5681 3.1: a second timeout for the same data holds ssthresh.
TEST(new_reno, losing_the_probes_of_a_collapse_again_keeps_ssthresh) {
    new_reno c(config(40000));
    c.on_congestion({.now = t0});
    c.on_persistent_congestion(t0);
    c.on_congestion({.now = t0 + 1s});
    c.on_persistent_congestion(t0 + 1s);
    EXPECT_EQ(c.ssthresh(), 20000u);
    c.on_ack(acked(t0 + 2s, 1000, rtt));
    c.on_congestion({.now = t0 + 3s});
    EXPECT_EQ(c.ssthresh(), 2000u);
}

TEST(new_reno, a_spurious_congestion_event_is_undone) {
    new_reno c(config(40000));
    c.on_congestion({.now = t0});
    c.on_spurious_congestion();
    EXPECT_EQ(c.window(), 40000u);
    EXPECT_EQ(c.ssthresh(), UINT64_MAX);
    c.on_spurious_congestion();  // there is nothing more to undo
    EXPECT_EQ(c.window(), 40000u);
}

TEST(new_reno, a_spurious_timeout_is_undone) {
    new_reno c(config(40000));
    c.on_congestion({.now = t0});
    c.on_persistent_congestion(t0);
    c.on_spurious_congestion();
    EXPECT_EQ(c.window(), 40000u);
    EXPECT_EQ(c.ssthresh(), UINT64_MAX);
}

TEST(new_reno, undo_keeps_a_window_that_has_grown_larger_since) {
    new_reno c(config(4000));
    c.on_congestion({.now = t0});
    for (int i = 0; i < 100; ++i) c.on_ack(acked(t0, 1000, rtt));
    const auto window = c.window();
    ASSERT_GT(window, 4000u);
    c.on_spurious_congestion();
    EXPECT_EQ(c.window(), window);
    EXPECT_EQ(c.ssthresh(), 2000u);
}

TEST(fixed_window, nothing_changes_it) {
    controller_config fixed{.kind = controller_kind::fixed_window, .fixed_window = 77000};
    const auto c = make_controller(fixed);
    EXPECT_EQ(c->name(), "fixed");
    c->on_ack(acked(t0, 10000, rtt));
    c->on_congestion({.now = t0});
    c->on_persistent_congestion(t0);
    c->on_max_datagram_size(9000);
    EXPECT_EQ(c->window(), 77000u);
    EXPECT_EQ(c->ssthresh(), 77000u);
    EXPECT_EQ(make_controller({.kind = controller_kind::fixed_window})->window(), fixed_window::default_window);
}

TEST(controllers, are_named_and_made_by_kind) {
    for (const auto name : {"newreno", "cubic", "fixed"}) {
        const auto kind = parse_controller(name);
        ASSERT_TRUE(kind);
        EXPECT_EQ(make_controller({.kind = *kind})->name(), name);
    }
    EXPECT_FALSE(parse_controller("Cubic"));
    EXPECT_FALSE(parse_controller(""));
}

}  // namespace
}  // namespace tandem::recovery
