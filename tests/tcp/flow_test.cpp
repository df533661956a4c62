// How bytes are cut into segments and acknowledged: Nagle, silly windows, delayed acknowledgments, zero windows, scaling.
// RFC 9293 3.7.4 and 3.8.6, RFC 7323 2.
#include <gtest/gtest.h>

#include "tcp/script.hpp"

namespace tandem::tcp::test {
namespace {

using std::chrono::seconds;

// A segment that is sent again has an old number and the newest acknowledgment. The window in it is that of its acknowledgment.
TEST(flow, retransmission_that_acknowledges_tells_the_window) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < P. 101:201(100) ack 1 win 3000      # the bytes before it are lost
        0.200 > . 1:1(0) ack 1 <nop,nop,sack 101:201>
        0.300 write 10000
        0.300 > . 1:989(988) ack 1
        0.300 > . 989:1977(988) ack 1
        0.300 > . 1977:2965(988) ack 1
        0.400 < P. 1:101(100) ack 2965 win 1500     # up to 4465, and no further
        0.400 > . 2965:3965(1000) ack 201
        0.450 nothing
    )");
}

TEST(nagle, one_small_segment_in_flight) {  // RFC 9293 3.7.4, Minshall's variant
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 10
        0.200 > P. 1:11(10) ack 1
        0.210 write 10
        0.220 write 10
        0.220 nothing
        0.300 < . 1:1(0) ack 11 win 65535
        0.300 > P. 11:31(20) ack 1
    )");
}

TEST(nagle, full_segments_are_not_held_back) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 10
        0.200 > P. 1:11(10) ack 1
        0.210 write 2500
        0.210 > . 11:1011(1000) ack 1
        0.210 > . 1011:2011(1000) ack 1
        0.300 < . 1:1(0) ack 11 win 65535
        0.300 > P. 2011:2511(500) ack 1
    )");
}

TEST(nagle, a_small_rest_follows_full_segments_at_once) {  // what Nagle's own rule would delay
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 1010
        0.200 > . 1:1001(1000) ack 1
        0.200 > P. 1001:1011(10) ack 1
    )");
}

TEST(nagle, can_be_switched_off) {  // RFC 9293 MUST-17
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 10
        0.200 > P. 1:11(10) ack 1
        0.210 write 10
        0.220 nodelay
        0.220 > P. 11:21(10) ack 1
        0.230 write 10
        0.230 > P. 21:31(10) ack 1
    )");
}

TEST(silly_window, the_sender_waits_for_a_worthwhile_window) {  // RFC 9293 3.8.6.2.1
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.150 < . 1:1(0) ack 1 win 4000
        0.200 write 5000
        0.200 > . 1:1001(1000) ack 1
        0.200 > . 1001:2001(1000) ack 1
        0.200 > . 2001:3001(1000) ack 1
        0.200 > . 3001:4001(1000) ack 1
        0.300 < . 1:1(0) ack 4001 win 10
        0.310 < . 1:1(0) ack 4001 win 999
        0.320 < . 1:1(0) ack 4001 win 1000
        0.320 > P. 4001:5001(1000) ack 1
    )");
}

TEST(silly_window, half_of_the_largest_window_is_worthwhile) {
    script s(script::no_timestamps());
    s.run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.100 < S. 0:0(0) ack 1 win 600 <mss 1000,sackOK>
        0.100 > . 1:1(0) ack 1
        0.200 write 900
        0.200 > . 1:601(600) ack 1
        0.300 < . 1:1(0) ack 601 win 299
        0.310 < . 1:1(0) ack 601 win 300
        0.310 > P. 601:901(300) ack 1
    )");
}

TEST(silly_window, what_the_window_allows_is_sent_in_the_end) {  // the override timeout
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.150 < . 1:1(0) ack 1 win 1000
        0.200 write 2000
        0.200 > . 1:1001(1000) ack 1
        0.300 < . 1:1(0) ack 1001 win 100
        0.550 > . 1001:1101(100) ack 1
        0.700 < . 1:1(0) ack 1101 win 1000
        0.700 > P. 1101:2001(900) ack 1
    )");
}

TEST(silly_window, the_receiver_opens_in_worthwhile_steps) {  // RFC 9293 3.8.6.2.2
    auto c = script::no_timestamps();
    c.receive_window = c.max_receive_window = 4000;
    c.window_scale = false;
    script s(c);
    s.run(R"(
        0.000 connect
        0.000 > S 0:0(0) win 4000
        0.100 < S. 0:0(0) ack 1 win 65535 <mss 1000,sackOK>
        0.100 > . 1:1(0) ack 1 win 4000
        0.200 < . 1:1001(1000) ack 1 win 65535
        0.200 < . 1001:2001(1000) ack 1 win 65535
        0.200 > . 1:1(0) ack 2001 win 2000
        0.210 < . 2001:3001(1000) ack 1 win 65535
        0.210 < . 3001:4001(1000) ack 1 win 65535
        0.210 > . 1:1(0) ack 4001 win 0
        0.300 read 1000                      # not yet half of the window
        0.310 read 999
        0.320 nothing
        0.330 read 1
        0.330 > . 1:1(0) ack 4001 win 2000
        0.340 read 1000
        0.350 < . 4001:5001(1000) ack 1 win 65535
        0.375 > . 1:1(0) ack 5001 win 1000   # 1000 more would be less than a segment and than half
    )");
}

TEST(delayed_ack, after_25_ms) {  // RFC 9293 3.8.6.3
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < P. 1:101(100) ack 1 win 65535
        0.225 > . 1:1(0) ack 101
        0.300 < P. 101:201(100) ack 1 win 65535
        0.325 > . 1:1(0) ack 201
    )");
}

TEST(delayed_ack, every_second_segment_at_once) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < . 1:1001(1000) ack 1 win 65535
        0.210 < . 1001:2001(1000) ack 1 win 65535
        0.210 > . 1:1(0) ack 2001
        0.220 < . 2001:3001(1000) ack 1 win 65535
        0.230 < . 3001:4001(1000) ack 1 win 65535
        0.230 > . 1:1(0) ack 4001
    )");
}

TEST(delayed_ack, at_once_for_what_is_out_of_order_and_for_what_fills_a_hole) {  // RFC 5681 4.2
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < . 1001:2001(1000) ack 1 win 65535
        0.200 > . 1:1(0) ack 1
        0.210 < . 1:1001(1000) ack 1 win 65535
        0.210 > . 1:1(0) ack 2001
        0.220 < . 1:1001(1000) ack 1 win 65535
        0.220 > . 1:1(0) ack 2001
    )");
}

TEST(delayed_ack, rides_on_data) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < P. 1:101(100) ack 1 win 65535
        0.210 write 50
        0.210 > P. 1:51(50) ack 101
        0.300 nothing
    )");
}

TEST(delayed_ack, can_be_configured) {
    auto c = script::no_timestamps();
    c.ack_delay = std::chrono::milliseconds(40);
    script s(c);
    s.run(script::connected);
    s.run(R"(
        0.200 < P. 1:101(100) ack 1 win 65535
        0.240 > . 1:1(0) ack 101
    )");
}

TEST(zero_window, is_probed_with_backoff) {  // RFC 9293 3.8.6.1
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1
        0.300 < . 1:1(0) ack 1001 win 0
        0.400 write 500
        0.650 > . 1001:1002(1) ack 1         # RTO: 100 ms + 4 * 37.5 ms
        0.750 < . 1:1(0) ack 1001 win 0
        1.150 > . 1001:1002(1) ack 1
        1.250 < . 1:1(0) ack 1001 win 0
        2.150 > . 1001:1002(1) ack 1
        2.250 < . 1:1(0) ack 1001 win 65535
        2.250 > P. 1001:1501(500) ack 1
        2.350 < . 1:1(0) ack 1501 win 65535
        9.000 nothing
    )");
    EXPECT_EQ(s.object()->stats().losses, 0u);
    EXPECT_EQ(s.object()->stats().window_probes, 3u);
}

TEST(zero_window, probe_that_is_taken) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1
        0.300 < . 1:1(0) ack 1001 win 0
        0.400 write 500
        0.650 > . 1001:1002(1) ack 1
        0.750 < . 1:1(0) ack 1002 win 65535
        0.750 > P. 1002:1501(499) ack 1
        0.850 < . 1:1(0) ack 1501 win 65535
        9.000 nothing
    )");
}

TEST(zero_window, is_no_death_sentence_while_probes_are_answered) {  // RFC 9293 MUST-37
    auto c = script::no_timestamps();
    c.user_timeout = seconds(10);
    c.max_rto = seconds(60);
    script s(c);
    s.run(script::connected);
    s.run(R"(
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1
        0.300 < . 1:1(0) ack 1001 win 0
        0.400 write 500
        0.650 > . 1001:1002(1) ack 1
        0.750 < . 1:1(0) ack 1001 win 0
        1.150 > . 1001:1002(1) ack 1
        1.250 < . 1:1(0) ack 1001 win 0
        2.150 > . 1001:1002(1) ack 1
        2.250 < . 1:1(0) ack 1001 win 0
        4.150 > . 1001:1002(1) ack 1
        4.250 < . 1:1(0) ack 1001 win 0
        8.150 > . 1001:1002(1) ack 1
        8.250 < . 1:1(0) ack 1001 win 0
        16.150 > . 1001:1002(1) ack 1
        16.250 < . 1:1(0) ack 1001 win 0
        16.250 state ESTABLISHED
        26.200 state ESTABLISHED
        26.300 event timed_out               # nobody answered for ten seconds
    )");
}

TEST(zero_window, reopened_by_an_update) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 3000
        0.200 > . 1:1001(1000) ack 1
        0.200 > . 1001:2001(1000) ack 1
        0.200 > P. 2001:3001(1000) ack 1
        0.300 < . 1:1(0) ack 3001 win 0
        0.310 write 1000
        0.400 < . 1:1(0) ack 3001 win 3000
        0.400 > P. 3001:4001(1000) ack 1
    )");
}

TEST(zero_window, time_and_bytes_held_back_are_counted) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1
        0.300 < . 1:1(0) ack 1001 win 0
        0.310 write 1000
        0.410 write 500
        0.510 < . 1:1(0) ack 1001 win 3000
        0.510 > . 1001:2001(1000) ack 1
        0.510 > P. 2001:2501(500) ack 1
    )");
    EXPECT_EQ(s.object()->stats().peer_window_limited, std::chrono::milliseconds(200));
    EXPECT_EQ(s.object()->stats().peer_window_wait, wait_sum{2500} * 100'000'000);
}

TEST(zero_window, fin_alone_is_a_probe_too) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1
        0.300 < . 1:1(0) ack 1001 win 0
        0.400 shutdown
        0.650 > F. 1001:1001(0) ack 1
        0.750 < . 1:1(0) ack 1001 win 0
        1.150 > F. 1001:1001(0) ack 1
        1.250 < . 1:1(0) ack 1002 win 0
        1.250 state FIN-WAIT-2
    )");
}

TEST(zero_window, that_shrank_below_what_is_in_flight) {  // RFC 9293 SHLD-15 to SHLD-17, MUST-34
    auto c = script::no_timestamps();
    c.user_timeout = seconds(5);
    script s(c);
    s.run(script::connected);
    s.run(R"(
        0.200 write 3000
        0.200 > . 1:1001(1000) ack 1
        0.200 > . 1001:2001(1000) ack 1
        0.200 > P. 2001:3001(1000) ack 1
        0.300 < . 1:1(0) ack 1001 win 0
        0.500 > P. 2001:3001(1000) ack 1     # a tail loss probe: the window was there when they left
        0.600 < . 1:1(0) ack 1001 win 0
        1.250 > . 1001:1002(1) ack 1         # the timeout at 0.750 had nothing it was allowed to send
        1.350 < . 1:1(0) ack 1001 win 0
        2.250 > . 1001:1002(1) ack 1
        2.290 < . 1:1(0) ack 1001 win 2000
        2.290 > . 1001:2001(1000) ack 1
        2.300 < . 1:1(0) ack 2001 win 2000
        2.300 > P. 2001:3001(1000) ack 1
        2.400 < . 1:1(0) ack 3001 win 2000
    )");
}

TEST(zero_window, ours_takes_acknowledgments_but_no_data) {  // RFC 9293 MUST-66
    auto c = script::no_timestamps();
    c.receive_window = c.max_receive_window = 1000;
    script s(c);
    s.run(script::connected);
    s.run(R"(
        0.200 write 100
        0.200 > P. 1:101(100) ack 1
        0.200 < . 1:1001(1000) ack 1 win 65535
        0.225 > . 101:101(0) ack 1001 win 0
        0.300 < . 1001:1002(1) ack 101 win 65535
        0.300 > . 101:101(0) ack 1001 win 0
        0.900 nothing                        # the acknowledgment counted
        1.000 readable 1000
        1.000 read
        1.000 > . 101:101(0) ack 1001 win 1000
    )");
}

TEST(window, data_beyond_it_are_cut_off) {
    auto c = script::no_timestamps();
    c.receive_window = c.max_receive_window = 1000;
    script s(c);
    s.run(script::connected);
    s.run(R"(
        0.200 < . 1:1501(1500) ack 1 win 65535
        0.200 > . 1:1(0) ack 1001 win 0
        0.200 readable 1000
    )");
}

TEST(window, an_old_segment_does_not_change_it) {  // RFC 9293 3.10.7.4: SND.WL1, SND.WL2
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < P. 1:101(100) ack 1 win 2000
        0.225 > . 1:1(0) ack 101
        0.230 < P. 101:201(100) ack 1 win 1000
        0.255 > . 1:1(0) ack 201
        0.300 write 2000
        0.300 > . 1:1001(1000) ack 201
        0.310 < . 150:150(0) ack 1 win 60000
        0.310 > . 1001:1001(0) ack 201
        0.400 < . 201:201(0) ack 1001 win 1000
        0.400 > P. 1001:2001(1000) ack 201
    )");
}

TEST(window, is_doubled_for_a_reader_who_keeps_up) {
    auto c = script::no_timestamps();
    c.receive_window = 4000;
    c.max_receive_window = 16000;
    script s(c);
    s.run(script::connected);
    s.run(R"(
        0.200 < . 1:1001(1000) ack 1 win 65535
        0.200 < . 1001:2001(1000) ack 1 win 65535
        0.200 > . 1:1(0) ack 2001 win 2000
        0.200 read
        0.200 > . 1:1(0) ack 2001 win 4000
        0.210 < . 2001:3001(1000) ack 1 win 65535
        0.210 < . 3001:4001(1000) ack 1 win 65535
        0.210 > . 1:1(0) ack 4001 win 2000
        0.210 read                            # half of the window within a round trip
        0.210 > . 1:1(0) ack 4001 win 8000
        9.000 < . 4001:5001(1000) ack 1 win 65535
        9.000 < . 5001:6001(1000) ack 1 win 65535
        9.000 > . 1:1(0) ack 6001 win 6000
    )");
}

TEST(window, scale_is_that_of_the_largest_window) {
    for (const auto& [window, scale] : {std::pair{65535, 0}, {65536, 1}, {1 << 20, 5}, {8 << 20, 8}, {1 << 30, 14}}) {
        auto c = script::no_timestamps();
        c.receive_window = 65535;
        c.max_receive_window = static_cast<std::size_t>(window);
        script s(c);
        s.run("0.0 connect\n0.0 > S 0:0(0) win 65535 <mss 1460,sackOK,nop,wscale " + std::to_string(scale) + ">");
    }
}

TEST(urgent, pointer_is_accepted_and_data_stay_in_line) {  // RFC 6093
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < PU. 1:101(100) ack 1 win 65535 urg 50
        0.200 event readable
        0.200 read 100
        0.225 > . 1:1(0) ack 101
    )");
}

}  // namespace
}  // namespace tandem::tcp::test
