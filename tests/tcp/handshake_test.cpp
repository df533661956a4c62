// Opening a connection: RFC 9293 3.5 and 3.10.7, RFC 7323 1.3, RFC 2018 2.
#include <gtest/gtest.h>

#include "tcp/script.hpp"

namespace tandem::tcp::test {
namespace {

using std::chrono::seconds;

TEST(handshake, client_offers_everything) {
    script().run(R"(
        0.000 connect
        0.000 state SYN-SENT
        0.000 > S 0:0(0) win 65535 <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 8>
        0.050 < S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 700 ecr 0,nop,wscale 7>
        0.050 > . 1:1(0) ack 1 win 1024 <nop,nop,TS val 50 ecr 700>
        0.050 event connected
        0.050 state ESTABLISHED
        0.050 srtt 50
    )");
}

TEST(handshake, server_answers_what_was_offered) {
    script().run(R"(
        0.000 listen
        0.000 < S 0:0(0) win 65535 <mss 1460,sackOK,TS val 700 ecr 0,nop,wscale 7>
        0.000 > S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 0 ecr 700,nop,wscale 8>
        0.000 event
        0.050 < . 1:1(0) ack 1 win 512 <nop,nop,TS val 750 ecr 0>
        0.050 event accepted
        0.050 state ESTABLISHED
        0.050 srtt 50
    )");
}

TEST(handshake, server_answers_no_option_that_was_not_offered) {
    script().run(R"(
        0.000 listen
        0.000 < S 0:0(0) win 1000 <mss 1460>
        0.000 > S. 0:0(0) ack 1 win 65535 <mss 1460>
        0.050 < . 1:1(0) ack 1 win 1000
        0.050 event accepted
        0.060 write 10
        0.060 > P. 1:11(10) ack 1 win 65535 <>
    )");
}

TEST(handshake, client_uses_no_option_that_was_not_answered) {
    script().run(R"(
        0.000 connect
        0.000 > S 0:0(0) win 65535 <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 8>
        0.050 < S. 0:0(0) ack 1 win 1000
        0.050 > . 1:1(0) ack 1 win 65535 <>
        0.060 write 600
        0.060 > . 1:537(536) ack 1 <>            # RFC 9293 MUST-15: 536 if the peer does not say
        0.060 > P. 537:601(64) ack 1
    )");
}

TEST(handshake, options_that_are_switched_off_are_not_offered) {
    auto c = script::plain();
    c.timestamps = c.sack = c.window_scale = false;
    script(c).run(R"(
        0.000 connect
        0.000 > S 0:0(0) win 65535 <mss 1460>
        0.050 < S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 700 ecr 0,nop,wscale 7>
        0.050 > . 1:1(0) ack 1 win 65535 <>
    )");
}

TEST(handshake, mss_follows_the_mtu) {
    auto c = script::no_timestamps();
    c.mtu = 1000;
    script(c).run(R"(
        0.000 connect
        0.000 > S 0:0(0) <mss 960,sackOK,nop,wscale 8>
        0.050 < S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK>
        0.050 > . 1:1(0) ack 1
        0.060 nodelay
        0.060 write 1000
        0.060 > . 1:961(960) ack 1
        0.060 > P. 961:1001(40) ack 1
    )");
}

TEST(handshake, a_tiny_mss_is_not_believed) {  // CVE-2019-11479
    script(script::no_timestamps()).run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.050 < S. 0:0(0) ack 1 win 65535 <mss 1,sackOK>
        0.050 > . 1:1(0) ack 1
        0.060 write 217
        0.060 > . 1:217(216) ack 1
        0.060 > P. 217:218(1) ack 1
    )");
}

TEST(handshake, window_scale_above_14_counts_as_14) {  // RFC 7323 2.3
    script s(script::no_timestamps());
    s.run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.050 < S. 0:0(0) ack 1 win 0 <mss 1000,sackOK,nop,wscale 200>
        0.050 > . 1:1(0) ack 1
        0.060 < . 1:1(0) ack 1 win 1
        0.070 write 20000
        0.070 > . 1:1001(1000) ack 1
        0.070 > . 1001:2001(1000) ack 1
        0.070 > . 2001:3001(1000) ack 1
        0.070 > . 3001:4001(1000) ack 1
        0.070 > . 4001:5001(1000) ack 1
        0.070 > . 5001:6001(1000) ack 1
        0.070 > . 6001:7001(1000) ack 1
        0.070 > . 7001:8001(1000) ack 1
        0.070 > . 8001:9001(1000) ack 1
        0.070 > . 9001:10001(1000) ack 1
        0.120 < . 1:1(0) ack 10001 win 1
        0.120 > . 10001:11001(1000) ack 1
        0.120 > . 11001:12001(1000) ack 1
        0.120 > . 12001:13001(1000) ack 1
        0.120 > . 13001:14001(1000) ack 1
        0.120 > . 14001:15001(1000) ack 1
        0.120 > . 15001:16001(1000) ack 1
        0.120 > . 16001:17001(1000) ack 1
        0.120 > . 17001:18001(1000) ack 1
        0.120 > . 18001:19001(1000) ack 1
        0.120 > P. 19001:20001(1000) ack 1
    )");
}

TEST(handshake, syn_is_sent_again_with_backoff) {  // RFC 6298 2.1, 5.5
    script(script::no_timestamps()).run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        1.000 > S 0:0(0)
        3.000 > S 0:0(0)
        7.000 > S 0:0(0)
        7.100 < S. 0:0(0) ack 1 win 65535 <mss 1000,sackOK>
        7.100 > . 1:1(0) ack 1
        7.100 event connected
        7.100 cwnd 1012                       # RFC 6928 2: more than one SYN was lost
        7.200 write 1000
        7.200 > P. 1:1001(1000) ack 1
        8.200 > P. 1:1001(1000) ack 1         # a probe, one second without an RTT sample (RFC 8985 7.2)
        11.200 > P. 1:1001(1000) ack 1        # RFC 6298 5.7: 3 s
    )");
}

TEST(handshake, timestamp_echo_tells_which_syn_was_answered) {
    script().run(R"(
        0.000 connect
        0.000 > S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 8>
        1.000 > S 0:0(0) <mss 1460,sackOK,TS val 1000 ecr 0,nop,wscale 8>
        1.200 < S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 7 ecr 1000>
        1.200 > . 1:1(0) ack 1 <nop,nop,TS val 1200 ecr 7>
        1.200 srtt 200
        1.200 cwnd 14720                      # one lost SYN may be chance
    )");
}

TEST(handshake, syn_ack_is_sent_again) {
    script(script::no_timestamps()).run(R"(
        0.000 listen
        0.000 < S 0:0(0) win 65535 <mss 1000,sackOK>
        0.000 > S. 0:0(0) ack 1
        1.000 > S. 0:0(0) ack 1
        1.500 < S 0:0(0) win 65535 <mss 1000,sackOK>
        1.500 > S. 0:0(0) ack 1
        1.600 < . 1:1(0) ack 1 win 65535
        1.600 event accepted
    )");
}

TEST(handshake, gives_up) {
    auto c = script::no_timestamps();
    c.handshake_timeout = seconds(5);
    script(c).run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        1.000 > S 0:0(0)
        3.000 > S 0:0(0)
        5.000 event timed_out
        5.000 gone
    )");
}

TEST(handshake, refused) {
    script(script::no_timestamps()).run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.050 < R. 0:0(0) ack 1 win 0
        0.050 event refused
        0.050 gone
    )");
}

TEST(handshake, a_reset_that_does_not_acknowledge_the_syn_is_ignored) {  // RFC 9293 3.10.7.3
    script(script::no_timestamps()).run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.010 < R 0:0(0) win 0
        0.020 < R. 0:0(0) ack 2 win 0
        0.030 < R. 0:0(0) ack 0 win 0
        0.040 state SYN-SENT
        0.040 event
    )");
}

TEST(handshake, an_acknowledgment_of_nothing_is_answered_with_reset) {
    script(script::no_timestamps()).run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.010 < . 0:0(0) ack 77 win 0
        0.010 > R 77:77(0) <>
        0.020 < S. 0:0(0) ack 500 win 100
        0.020 > R 500:500(0)
        0.030 < . 0:0(0) ack 1 win 100          # acceptable, but no SYN: dropped
        0.030 state SYN-SENT
    )");
}

TEST(handshake, simultaneous_open) {  // RFC 9293 figure 7
    script(script::no_timestamps()).run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.010 < S 0:0(0) win 65535 <mss 1000,sackOK,nop,wscale 2>
        0.010 state SYN-RECEIVED
        0.010 > S. 0:0(0) ack 1 <mss 1460,sackOK,nop,wscale 8>
        0.020 < S. 0:0(0) ack 1 win 65535 <mss 1000,sackOK,nop,wscale 2>
        0.020 > . 1:1(0) ack 1
        0.020 event connected
        0.020 state ESTABLISHED
    )");
}

TEST(handshake, simultaneous_open_with_plain_ack) {
    script(script::no_timestamps()).run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.010 < S 0:0(0) win 65535 <mss 1000,sackOK>
        0.010 > S. 0:0(0) ack 1
        0.020 < . 1:1(0) ack 1 win 65535
        0.020 event connected
        0.030 < P. 1:11(10) ack 1 win 65535
        0.030 event readable
        0.055 > . 1:1(0) ack 11
    )");
}

TEST(handshake, simultaneous_open_refused) {
    script(script::no_timestamps()).run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.010 < S 0:0(0) win 65535 <mss 1000,sackOK>
        0.010 > S. 0:0(0) ack 1
        0.020 < R 1:1(0) win 0
        0.020 event refused
        0.020 gone
    )");
}

TEST(handshake, reset_returns_a_listener_s_connection_to_nothing) {
    script(script::no_timestamps()).run(R"(
        0.000 listen
        0.000 < S 0:0(0) win 65535 <mss 1000,sackOK>
        0.000 > S. 0:0(0) ack 1
        0.010 < R 1:1(0) win 0
        0.010 event
        0.010 gone
    )");
}

TEST(handshake, a_wrong_acknowledgment_in_syn_received_is_answered_with_reset) {
    script(script::no_timestamps()).run(R"(
        0.000 listen
        0.000 < S 0:0(0) win 65535 <mss 1000,sackOK>
        0.000 > S. 0:0(0) ack 1
        0.010 < . 1:1(0) ack 9 win 65535
        0.010 > R 9:9(0)
        0.020 < . 1:1(0) ack 1 win 65535
        0.020 event accepted
    )");
}

TEST(handshake, data_with_the_last_acknowledgment) {
    script(script::no_timestamps()).run(R"(
        0.000 listen
        0.000 < S 0:0(0) win 65535 <mss 1000,sackOK>
        0.000 > S. 0:0(0) ack 1
        0.010 < P. 1:101(100) ack 1 win 65535
        0.010 event accepted readable
        0.010 read 100
        0.035 > . 1:1(0) ack 101
    )");
}

TEST(handshake, what_was_written_early_goes_with_the_acknowledgment) {
    script(script::no_timestamps()).run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.010 write 100
        0.020 shutdown
        0.050 < S. 0:0(0) ack 1 win 65535 <mss 1000,sackOK>
        0.050 > FP. 1:101(100) ack 1
        0.050 event connected
        0.050 state FIN-WAIT-1
    )");
}

TEST(handshake, data_in_the_syn_ack_is_taken) {
    script(script::no_timestamps()).run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.050 < S. 0:10(10) ack 1 win 65535 <mss 1000,sackOK>
        0.050 > . 1:1(0) ack 11
        0.050 readable 10
    )");
}

TEST(handshake, closed_port) {  // RFC 9293 3.5.2 group 1
    script(script::no_timestamps()).run(R"(
        0.000 < S 0:0(0) win 65535 <mss 1000>
        0.000 > R. 0:0(0) ack 1 <>
        0.010 < . 5:5(0) ack 9 win 100
        0.010 > R 9:9(0) <>
        0.020 < FP 5:15(10) win 100
        0.020 > R. 0:0(0) ack 16
        0.030 < R 5:5(0) win 0
        0.040 < R. 5:5(0) ack 1 win 0
        0.050 < S. 5:5(0) ack 1 win 0
        0.050 > R 1:1(0)
    )");
}

}  // namespace
}  // namespace tandem::tcp::test
