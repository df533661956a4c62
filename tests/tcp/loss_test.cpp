// RACK-TLP, the retransmission timeout and their undoing: RFC 8985, RFC 6298, RFC 3522.
#include <gtest/gtest.h>

#include "tcp/script.hpp"

namespace tandem::tcp::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* three_segments = R"(
        0.200 write 3000
        0.200 > . 1:1001(1000) ack 1
        0.200 > . 1001:2001(1000) ack 1
        0.200 > P. 2001:3001(1000) ack 1
)";

TEST(rack, time_shows_a_loss_where_too_few_segments_follow) {  // RFC 8985 6.2 step 5
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(three_segments);
    s.run(R"(
        0.300 < . 1:1(0) ack 1001 win 65535 <sack 2001:3001>
        0.3125 > . 1001:2001(1000) ack 1     # 9/8 of the round trip of 100 ms
        0.4125 < . 1:1(0) ack 3001 win 65535
        0.900 nothing
    )");
}

TEST(rack, a_little_reordering_is_no_loss) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(three_segments);
    s.run(R"(
        0.300 < . 1:1(0) ack 1 win 65535 <sack 1001:2001>
        0.301 < . 1:1(0) ack 1 win 65535 <sack 1001:3001>
        0.310 < . 1:1(0) ack 3001 win 65535
        0.900 nothing
    )");
    EXPECT_EQ(s.object()->stats().losses, 0u);
}

TEST(rack, lost_retransmission_is_found_too) {
    auto c = script::no_timestamps();
    c.controller.prr = false;  // it would let nothing new follow the retransmission before something is delivered
    script s(c);
    s.run(script::connected);
    s.run(three_segments);
    s.run(R"(
        0.300 < . 1:1(0) ack 1 win 65535 <sack 1001:3001>
        0.3125 > . 1:1001(1000) ack 1
        0.320 write 3000
        0.320 > . 3001:4001(1000) ack 1
        0.320 > . 4001:5001(1000) ack 1
        0.320 > P. 5001:6001(1000) ack 1
        0.420 < . 1:1(0) ack 1 win 65535 <sack 1001:6001>
        0.420 > . 1:1001(1000) ack 1
        0.520 < . 1:1(0) ack 6001 win 65535
        1.000 nothing
    )");
}

TEST(rack, spurious_loss_widens_the_tolerance_and_is_undone) {
    script s;
    s.run(script::connected_with_timestamps);
    s.run(R"(
        0.200 write 5000
        0.200 > . 1:1001(1000) ack 1 <nop,nop,TS val 200 ecr 1000>
        0.200 > . 1001:2001(1000) ack 1
        0.200 > . 2001:3001(1000) ack 1
        0.200 > . 3001:4001(1000) ack 1
        0.200 > P. 4001:5001(1000) ack 1
        0.300 < . 1:1(0) ack 1 win 65535 <nop,nop,TS val 1200 ecr 100,nop,nop,sack 1001:4001>
        0.300 cwnd 7168                      # 0.7 of 10 segments (RFC 9438 4.6)
        0.300 > . 1:1001(1000) ack 1 <nop,nop,TS val 300 ecr 1200>
        0.305 < . 1:1(0) ack 4001 win 65535 <nop,nop,TS val 1205 ecr 200>
        0.305 cwnd 10240                     # the echo names the first transmission: nothing was lost
        0.306 < . 1:1(0) ack 5001 win 65535 <nop,nop,TS val 1206 ecr 200>
        0.400 < . 1:1(0) ack 5001 win 65535 <nop,nop,TS val 1300 ecr 200,nop,nop,sack 1:1001>
        1.000 nothing
    )");
    EXPECT_EQ(s.object()->stats().spurious_losses, 1u);
    EXPECT_EQ(s.object()->stats().dsacks_received, 1u);
    // The same reordering again is no loss any more.
    s.run(R"(
        2.000 write 5000
        2.000 > . 5001:6001(1000) ack 1
        2.000 > . 6001:7001(1000) ack 1
        2.000 > . 7001:8001(1000) ack 1
        2.000 > . 8001:9001(1000) ack 1
        2.000 > P. 9001:10001(1000) ack 1
        2.100 < . 1:1(0) ack 5001 win 65535 <nop,nop,TS val 3000 ecr 200,nop,nop,sack 6001:9001>
        2.105 < . 1:1(0) ack 10001 win 65535 <nop,nop,TS val 3005 ecr 2000>
        3.000 nothing
    )");
    EXPECT_EQ(s.object()->stats().losses, 1u);
}

TEST(rack, dsack_tells_of_a_spurious_loss_where_there_is_no_echo) {  // RFC 3708
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 5000
        0.200 > . 1:1001(1000) ack 1
        0.200 > . 1001:2001(1000) ack 1
        0.200 > . 2001:3001(1000) ack 1
        0.200 > . 3001:4001(1000) ack 1
        0.200 > P. 4001:5001(1000) ack 1
        0.300 < . 1:1(0) ack 1 win 65535 <sack 1001:4001>
        0.300 cwnd 7084
        0.300 > . 1:1001(1000) ack 1
        0.410 < . 1:1(0) ack 5001 win 65535
        0.411 < . 1:1(0) ack 5001 win 65535 <sack 1:1001>
        0.411 cwnd 10120
    )");
    EXPECT_EQ(s.object()->stats().spurious_losses, 1u);
}

TEST(tail_loss_probe, repeats_the_last_segment_after_two_round_trips) {  // RFC 8985 7.2, 7.3
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(three_segments);
    s.run(R"(
        0.300 < . 1:1(0) ack 1001 win 65535
        0.500 > P. 2001:3001(1000) ack 1
        0.600 < . 1:1(0) ack 1001 win 65535 <sack 2001:3001>
        0.600 > . 1001:2001(1000) ack 1
        0.700 < . 1:1(0) ack 3001 win 65535
        1.900 nothing
    )");
    EXPECT_EQ(s.object()->stats().tail_loss_probes, 1u);
    EXPECT_EQ(s.object()->stats().timeouts, 0u);
}

TEST(tail_loss_probe, waits_for_a_delayed_ack_of_a_single_segment) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1
        0.425 > P. 1:1001(1000) ack 1
    )");
}

TEST(tail_loss_probe, prefers_new_data) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 12000
        0.200 > . 1:1001(1000) ack 1
        0.200 > . 1001:2001(1000) ack 1
        0.200 > . 2001:3001(1000) ack 1
        0.200 > . 3001:4001(1000) ack 1
        0.200 > . 4001:5001(1000) ack 1
        0.200 > . 5001:6001(1000) ack 1
        0.200 > . 6001:7001(1000) ack 1
        0.200 > . 7001:8001(1000) ack 1
        0.200 > . 8001:9001(1000) ack 1
        0.200 > . 9001:10001(1000) ack 1
        0.400 > . 10001:11001(1000) ack 1    # beyond the congestion window
        0.500 < . 1:1(0) ack 11001 win 65535
        0.500 > P. 11001:12001(1000) ack 1
        0.600 < . 1:1(0) ack 12001 win 65535
    )");
}

TEST(tail_loss_probe, that_repaired_a_loss_is_a_congestion_signal) {  // RFC 8985 7.4.2
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(three_segments);
    s.run(R"(
        0.300 < . 1:1(0) ack 2001 win 65535
        0.525 > P. 2001:3001(1000) ack 1
        0.625 < . 1:1(0) ack 3001 win 65535
        0.625 cwnd 7084
    )");
    EXPECT_EQ(s.object()->stats().losses, 1u);
}

TEST(tail_loss_probe, that_was_not_needed_is_none) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(three_segments);
    s.run(R"(
        0.300 < . 1:1(0) ack 2001 win 65535
        0.525 > P. 2001:3001(1000) ack 1
        0.530 < . 1:1(0) ack 3001 win 65535                     # of the first transmission, delayed
        0.625 < . 1:1(0) ack 3001 win 65535 <sack 2001:3001>    # of the probe
        0.625 cwnd 10120
    )");
    EXPECT_EQ(s.object()->stats().losses, 0u);
}

TEST(tail_loss_probe, duplicate_with_the_first_acknowledgment) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(three_segments);
    s.run(R"(
        0.300 < . 1:1(0) ack 2001 win 65535
        0.525 > P. 2001:3001(1000) ack 1
        0.625 < . 1:1(0) ack 3001 win 65535 <sack 2001:3001>    # both arrived, the first ACK was lost
        0.625 cwnd 10120
    )");
    EXPECT_EQ(s.object()->stats().losses, 0u);
}

TEST(tail_loss_probe, only_one_then_the_timeout) {  // RFC 8985 7.3
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(three_segments);
    s.run(R"(
        0.400 > P. 2001:3001(1000) ack 1
        0.700 > . 1:1001(1000) ack 1
        1.300 > . 1:1001(1000) ack 1
    )");
    EXPECT_EQ(s.object()->stats().tail_loss_probes, 1u);
    EXPECT_EQ(s.object()->stats().timeouts, 2u);
}

TEST(timeout, window_of_one_segment_and_slow_start) {  // RFC 5681 3.1, RFC 6298 5.4 to 5.6
    auto c = script::no_timestamps();
    c.controller.kind = recovery::controller_kind::new_reno;
    script s(c);
    s.run(script::connected);
    s.run(R"(
        0.200 write 8000
        0.200 > . 1:1001(1000) ack 1
        0.200 > . 1001:2001(1000) ack 1
        0.200 > . 2001:3001(1000) ack 1
        0.200 > . 3001:4001(1000) ack 1
        0.200 > . 4001:5001(1000) ack 1
        0.200 > . 5001:6001(1000) ack 1
        0.200 > . 6001:7001(1000) ack 1
        0.200 > P. 7001:8001(1000) ack 1
        0.400 > P. 7001:8001(1000) ack 1
        0.700 > . 1:1001(1000) ack 1
        0.700 cwnd 1012
        0.800 < . 1:1(0) ack 1001 win 65535
        0.800 cwnd 2024
        0.800 > . 1001:2001(1000) ack 1
        0.800 > . 2001:3001(1000) ack 1
        0.900 < . 1:1(0) ack 3001 win 65535
        0.900 > . 3001:4001(1000) ack 1
        0.900 > . 4001:5001(1000) ack 1
        0.900 > . 5001:6001(1000) ack 1
        0.900 > . 6001:7001(1000) ack 1
        1.000 < . 1:1(0) ack 7001 win 65535
        1.000 > P. 7001:8001(1000) ack 1
        1.100 < . 1:1(0) ack 8001 win 65535
    )");
}

// What waited at the peer for a segment that was sent again says nothing of the round trip (Karn).
TEST(timeout, is_not_sampled_through_a_hole) {
    auto c = script::no_timestamps();
    c.sack = false;
    script s(c);
    s.run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.100 < S. 0:0(0) ack 1 win 65535 <mss 1000>
        0.100 > . 1:1(0) ack 1
        0.200 write 2000
        0.200 > . 1:1001(1000) ack 1
        0.200 > P. 1001:2001(1000) ack 1           # arrives, but its duplicate ACK does not
        0.500 > . 1:1001(1000) ack 1
        0.600 < . 1:1(0) ack 2001 win 65535
        0.600 srtt 100
    )");
}

TEST(timeout, backs_off_and_starts_afresh) {  // RFC 6298 5.5, 5.7
    auto c = script::no_timestamps();
    c.sack = false;  // no probe in the way
    script s(c);
    s.run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.100 < S. 0:0(0) ack 1 win 65535 <mss 1000>
        0.100 > . 1:1(0) ack 1
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1
        0.500 > P. 1:1001(1000) ack 1
        1.100 > P. 1:1001(1000) ack 1
        2.300 > P. 1:1001(1000) ack 1
        2.400 < . 1:1(0) ack 1001 win 65535
        3.000 write 1000
        3.000 > P. 1001:2001(1000) ack 1
        3.100 < . 1:1(0) ack 2001 win 65535   # Karn: this is a sample, what was before it was none
        4.000 write 1000
        4.000 > P. 2001:3001(1000) ack 1
        4.250 > P. 2001:3001(1000) ack 1      # 100 ms + 4 * 37.5 ms
    )");
}

TEST(timeout, stays_backed_off_without_a_sample) {  // RFC 6298 5.7
    auto c = script::no_timestamps();
    c.sack = false;
    script s(c);
    s.run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.100 < S. 0:0(0) ack 1 win 65535 <mss 1000>
        0.100 > . 1:1(0) ack 1
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1
        0.500 > P. 1:1001(1000) ack 1
        1.000 < . 1:1(0) ack 1001 win 65535   # of which transmission?
        2.000 write 1000
        2.000 > P. 1001:2001(1000) ack 1
        2.600 > P. 1001:2001(1000) ack 1
    )");
}

TEST(rtt, an_echo_that_a_retransmission_brought_back_is_no_sample) {
    script s;
    s.run(script::connected_with_timestamps);
    s.run(R"(
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1
        0.425 > P. 1:1001(1000) ack 1
        # the first arrived, its acknowledgment was lost: this one answers the second, and echoes the first (RFC 7323 5.3 R2, R3)
        0.525 < . 1:1(0) ack 1001 win 65535 <nop,nop,TS val 1500 ecr 200,nop,nop,sack 1:1001>
        0.525 srtt 100
    )");
    EXPECT_EQ(s.object()->stats().losses, 0u);
}

TEST(timeout, is_never_shorter_than_configured_nor_longer_than_the_cap) {
    auto c = script::no_timestamps();
    c.sack = false;
    c.min_rto = seconds(1);
    c.max_rto = seconds(3);
    script s(c);
    s.run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.100 < S. 0:0(0) ack 1 win 65535 <mss 1000>
        0.100 > . 1:1(0) ack 1
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1
        1.200 > P. 1:1001(1000) ack 1
        3.200 > P. 1:1001(1000) ack 1
        6.200 > P. 1:1001(1000) ack 1
        9.200 > P. 1:1001(1000) ack 1
    )");
}

TEST(timeout, too_early_is_undone_by_the_echo) {  // RFC 3522, RFC 4015
    script s;
    s.run(script::connected_with_timestamps);
    s.run(R"(
        0.200 write 5000
        0.200 > . 1:1001(1000) ack 1 <nop,nop,TS val 200 ecr 1000>
        0.200 > . 1001:2001(1000) ack 1
        0.200 > . 2001:3001(1000) ack 1
        0.200 > . 3001:4001(1000) ack 1
        0.200 > P. 4001:5001(1000) ack 1
        0.400 > P. 4001:5001(1000) ack 1 <nop,nop,TS val 400 ecr 1000>
        0.700 > . 1:1001(1000) ack 1 <nop,nop,TS val 700 ecr 1000>
        0.700 cwnd 1024
        # the path just got slower: nothing was lost, and nothing more is sent again
        0.800 < . 1:1(0) ack 2001 win 65535 <nop,nop,TS val 1700 ecr 200>
        0.800 cwnd 10240
        0.810 < . 1:1(0) ack 5001 win 65535 <nop,nop,TS val 1710 ecr 200>
        0.810 write 1000
        0.810 > P. 5001:6001(1000) ack 1
    )");
    EXPECT_EQ(s.object()->stats().spurious_timeouts, 1u);
}

TEST(timeout, undone_and_yet_something_was_lost) {
    script s;
    s.run(script::connected_with_timestamps);
    s.run(R"(
        0.200 write 5000
        0.200 > . 1:1001(1000) ack 1 <nop,nop,TS val 200 ecr 1000>
        0.200 > . 1001:2001(1000) ack 1
        0.200 > . 2001:3001(1000) ack 1
        0.200 > . 3001:4001(1000) ack 1
        0.200 > P. 4001:5001(1000) ack 1
        0.400 > P. 4001:5001(1000) ack 1
        0.700 > . 1:1001(1000) ack 1
        0.800 < . 1:1(0) ack 1001 win 65535 <nop,nop,TS val 1700 ecr 200>
        0.810 < . 1:1(0) ack 1001 win 65535 <nop,nop,TS val 1710 ecr 200,nop,nop,sack 2001:5001>
        0.810 > . 1001:2001(1000) ack 1
        0.910 < . 1:1(0) ack 5001 win 65535 <nop,nop,TS val 1810 ecr 810>
        2.000 nothing
    )");
}

TEST(timeout, that_was_right_is_not_undone) {
    script s;
    s.run(script::connected_with_timestamps);
    s.run(R"(
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1 <nop,nop,TS val 200 ecr 1000>
        0.425 > P. 1:1001(1000) ack 1 <nop,nop,TS val 425 ecr 1000>
        0.725 > P. 1:1001(1000) ack 1 <nop,nop,TS val 725 ecr 1000>
        0.825 < . 1:1(0) ack 1001 win 65535 <nop,nop,TS val 1725 ecr 725>
        0.825 srtt 100
    )");
    EXPECT_EQ(s.object()->stats().spurious_timeouts, 0u);
    EXPECT_LE(s.object()->congestion(s.now()).congestion_window, 2048u);
}

TEST(timeout, user_timeout_ends_the_connection) {  // RFC 9293 3.8.3
    auto c = script::no_timestamps();
    c.user_timeout = seconds(2);
    script s(c);
    s.run(script::connected);
    s.run(R"(
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1
        0.425 > P. 1:1001(1000) ack 1
        0.725 > P. 1:1001(1000) ack 1
        1.325 > P. 1:1001(1000) ack 1
        2.199 state ESTABLISHED
        2.201 event timed_out
        2.201 gone
    )");
}

TEST(rtt, karn_without_timestamps) {  // RFC 9293 MUST-18
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1
        0.425 > P. 1:1001(1000) ack 1
        0.535 < . 1:1(0) ack 1001 win 65535
        0.535 srtt 100
    )");
}

TEST(rtt, sample_of_the_transmission_the_echo_names) {
    script s;
    s.run(script::connected_with_timestamps);
    s.run(R"(
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1
        0.425 > P. 1:1001(1000) ack 1
        0.605 < . 1:1(0) ack 1001 win 65535 <nop,nop,TS val 1500 ecr 425>
        0.605 srtt 110                       # 7/8 of 100 and 1/8 of 180
    )");
}

TEST(congestion, counts_what_quic_would_count) {
    auto c = script::plain();
    c.controller.kind = recovery::controller_kind::fixed_window;
    script s(c);
    s.run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.100 < S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 1000 ecr 0,nop,wscale 7>
        0.100 > . 1:1(0) ack 1
        0.200 write 1448
        0.200 > P. 1:1449(1448) ack 1
    )");
    EXPECT_EQ(s.object()->congestion(s.now()).bytes_in_flight, 1472u);  // 1500 - 20 - 8
}

}  // namespace
}  // namespace tandem::tcp::test
