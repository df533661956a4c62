// Every way to close: RFC 9293 3.6 and 3.10.4, 3.10.7.4 eighth.
#include <gtest/gtest.h>

#include "tcp/script.hpp"

namespace tandem::tcp::test {
namespace {

using std::chrono::seconds;

TEST(close, active) {  // RFC 9293 figure 12
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 shutdown
        0.200 > F. 1:1(0) ack 1
        0.200 state FIN-WAIT-1
        0.300 < . 1:1(0) ack 2 win 65535
        0.300 state FIN-WAIT-2
        0.300 event
        0.400 < F. 1:1(0) ack 2 win 65535
        0.400 > . 2:2(0) ack 2
        0.400 state TIME-WAIT
        0.400 event peer_closed closed
        60.399 state TIME-WAIT
        60.401 gone
        60.401 event
    )");
}

TEST(close, passive) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < F. 1:1(0) ack 1 win 65535
        0.200 > . 1:1(0) ack 2
        0.200 state CLOSE-WAIT
        0.200 event peer_closed
        0.300 write 100
        0.300 > P. 1:101(100) ack 2
        0.400 < . 2:2(0) ack 101 win 65535
        0.500 shutdown
        0.500 > F. 101:101(0) ack 2
        0.500 state LAST-ACK
        0.600 < . 2:2(0) ack 102 win 65535
        0.600 event closed
        0.600 gone
    )");
}

TEST(close, passive_with_the_fin_on_data) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < FP. 1:101(100) ack 1 win 65535
        0.200 > . 1:1(0) ack 102
        0.200 event readable peer_closed
        0.200 readable 100
        0.300 read
        0.300 write 50
        0.300 > P. 1:51(50) ack 102
        0.300 shutdown
        0.300 > F. 51:51(0) ack 102
        0.400 < . 102:102(0) ack 52 win 65535
        0.400 event closed
        0.400 gone
    )");
}

TEST(close, simultaneous) {  // RFC 9293 figure 13
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 shutdown
        0.200 > F. 1:1(0) ack 1
        0.210 < F. 1:1(0) ack 1 win 65535
        0.210 > . 2:2(0) ack 2
        0.210 state CLOSING
        0.310 < . 2:2(0) ack 2 win 65535
        0.310 state TIME-WAIT
        0.310 event peer_closed closed
        60.311 gone
    )");
}

TEST(close, fin_and_its_acknowledgment_together) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 shutdown
        0.200 > F. 1:1(0) ack 1
        0.300 < F. 1:1(0) ack 2 win 65535
        0.300 > . 2:2(0) ack 2
        0.300 state TIME-WAIT
    )");
}

TEST(close, half_closed_connection_receives) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 shutdown
        0.200 > F. 1:1(0) ack 1
        0.300 < . 1:1(0) ack 2 win 65535
        0.400 < . 1:1001(1000) ack 2 win 65535
        0.400 event readable
        0.400 < P. 1001:2001(1000) ack 2 win 65535
        0.400 > . 2:2(0) ack 2001
        0.400 event readable
        0.400 read
        9.000 < F. 2001:2001(0) ack 2 win 65535
        9.000 > . 2:2(0) ack 2002
        9.000 event peer_closed closed
    )");
}

TEST(close, fin_follows_what_was_written) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 1500
        0.200 > . 1:1001(1000) ack 1
        0.200 > P. 1001:1501(500) ack 1
        0.200 write 10
        0.200 shutdown
        0.200 > FP. 1501:1511(10) ack 1     # nothing will join it: Nagle does not hold it back
        0.300 < . 1:1(0) ack 1512 win 65535
        0.300 state FIN-WAIT-2
    )");
}

TEST(close, nothing_can_be_written_after_shutdown) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.object()->shutdown_send();
    EXPECT_EQ(s.object()->send_room(), 0u);
    EXPECT_EQ(s.object()->write(std::vector<std::uint8_t>(10)), 0u);
    s.run("0.1 > F. 1:1(0) ack 1");
}

TEST(close, lost_fin_is_sent_again) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 shutdown
        0.200 > F. 1:1(0) ack 1
        0.425 > F. 1:1(0) ack 1             # probe: 2 SRTT + 25 ms
        0.725 > F. 1:1(0) ack 1             # RTO 300 ms
        1.325 > F. 1:1(0) ack 1
        1.400 < . 1:1(0) ack 2 win 65535
        1.400 state FIN-WAIT-2
    )");
}

TEST(close, lost_data_with_fin) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 3500
        0.200 > . 1:1001(1000) ack 1
        0.200 > . 1001:2001(1000) ack 1
        0.200 > . 2001:3001(1000) ack 1
        0.200 > P. 3001:3501(500) ack 1
        0.200 shutdown
        0.200 > F. 3501:3501(0) ack 1
        0.300 < . 1:1(0) ack 1001 win 65535 <sack 3001:3502>
        0.300 > . 1001:2001(1000) ack 1     # the FIN is the third behind it
        0.310 < . 1:1(0) ack 1001 win 65535 <sack 2001:3502>
        0.400 < . 1:1(0) ack 3502 win 65535
        0.400 state FIN-WAIT-2
    )");
}

TEST(close, lost_fin_is_found_by_sack) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1
        0.210 shutdown
        0.210 > F. 1001:1001(0) ack 1
        0.320 < . 1:1(0) ack 1 win 65535 <sack 1001:1002>
        0.320 nothing
        0.32375 > P. 1:1001(1000) ack 1     # 9/8 of a round trip of 110 ms after it was sent
        0.420 < . 1:1(0) ack 1002 win 65535
        0.420 state FIN-WAIT-2
    )");
}

TEST(close, fin_before_the_data_it_follows) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < F. 1001:1001(0) ack 1 win 65535
        0.200 > . 1:1(0) ack 1
        0.200 event
        0.210 < P. 1:1001(1000) ack 1 win 65535
        0.210 > . 1:1(0) ack 1002
        0.210 event readable peer_closed
        0.210 state CLOSE-WAIT
    )");
}

// What lies beyond the window is not taken, the FIN as little as the bytes before it.
TEST(close, fin_beyond_the_window_is_not_remembered) {
    auto c = script::no_timestamps();
    c.receive_window = c.max_receive_window = 2000;
    script s(c);
    s.run(script::connected);
    s.run(R"(
        0.200 < FP. 1001:3001(2000) ack 1 win 65535
        0.200 > . 1:1(0) ack 1
        0.300 < . 1:1001(1000) ack 1 win 65535
        0.300 > . 1:1(0) ack 2001
        0.300 event readable
        0.400 read 2000
        0.400 > . 1:1(0) ack 2001 win 2000
        0.500 < . 2001:3001(1000) ack 1 win 65535
        0.500 event readable
        0.500 readable 1000
        0.500 state ESTABLISHED
    )");
}

TEST(close, time_wait_answers_the_fin_again_and_starts_over) {  // RFC 9293 3.10.7.4 eighth
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 shutdown
        0.200 > F. 1:1(0) ack 1
        0.300 < F. 1:1(0) ack 2 win 65535
        0.300 > . 2:2(0) ack 2
        30.00 < F. 1:1(0) ack 2 win 65535
        30.00 > . 2:2(0) ack 2
        89.99 state TIME-WAIT
        90.01 gone
    )");
}

TEST(close, nothing_ends_time_wait_early) {  // RFC 1337
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 shutdown
        0.200 > F. 1:1(0) ack 1
        0.300 < F. 1:1(0) ack 2 win 65535
        0.300 > . 2:2(0) ack 2
        1.000 < R 2:2(0) win 0
        1.000 state TIME-WAIT
        2.000 < . 1:2(1) ack 2 win 100      # an old duplicate
        2.000 > . 2:2(0) ack 2
        2.000 state TIME-WAIT
    )");
}

TEST(close, time_wait_is_configurable) {
    auto c = script::no_timestamps();
    c.time_wait = seconds(1);
    script s(c);
    s.run(script::connected);
    s.run(R"(
        0.200 shutdown
        0.200 > F. 1:1(0) ack 1
        0.300 < F. 1:1(0) ack 2 win 65535
        0.300 > . 2:2(0) ack 2
        1.299 state TIME-WAIT
        1.301 gone
    )");
}

TEST(close, unread_data_survive_an_orderly_end) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < FP. 1:101(100) ack 1 win 65535
        0.200 > . 1:1(0) ack 102
        0.300 shutdown
        0.300 > F. 1:1(0) ack 102
        0.400 < . 102:102(0) ack 2 win 65535
        0.400 event readable peer_closed closed
        0.500 state CLOSED
        0.500 readable 100
        0.600 read
        0.600 gone
    )");
}

TEST(close, release_with_unread_data_resets) {  // RFC 2525 2.17
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < P. 1:101(100) ack 1 win 65535
        0.210 release
        0.210 > R. 1:1(0) ack 101
        0.210 gone
    )");
}

TEST(close, data_for_a_released_connection_are_answered_with_reset) {  // RFC 9293 3.6.1
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 release
        0.200 > F. 1:1(0) ack 1
        0.300 < P. 1:101(100) ack 2 win 65535
        0.300 > R. 2:2(0) ack 1
        0.300 gone
    )");
}

TEST(close, released_connection_does_not_wait_for_ever) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 release
        0.200 > F. 1:1(0) ack 1
        0.300 < . 1:1(0) ack 2 win 65535
        60.29 state FIN-WAIT-2
        60.31 gone
        60.31 event
    )");
}

TEST(close, a_connection_that_is_not_released_waits) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 shutdown
        0.200 > F. 1:1(0) ack 1
        0.300 < . 1:1(0) ack 2 win 65535
        90000 state FIN-WAIT-2
    )");
}

TEST(close, release_after_an_orderly_end_of_both) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < F. 1:1(0) ack 1 win 65535
        0.200 > . 1:1(0) ack 2
        0.300 release
        0.300 > F. 1:1(0) ack 2
        0.400 < . 2:2(0) ack 2 win 65535
        0.400 gone
    )");
}

TEST(close, release_while_connecting) {
    script(script::no_timestamps()).run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.100 release
        0.100 gone
    )");
}

TEST(close, abort_sends_reset) {  // RFC 9293 3.10.5
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1
        0.210 abort
        0.210 > R. 1001:1001(0) ack 1 <>
        0.210 event closed
        0.210 gone
    )");
}

TEST(close, abort_before_the_handshake_is_silent) {
    script(script::no_timestamps()).run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.100 abort
        0.100 event closed
        0.100 gone
    )");
}

TEST(close, fin_waits_for_the_window) {
    script s(script::no_timestamps());
    s.run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.100 < S. 0:0(0) ack 1 win 1000 <mss 1000,sackOK>
        0.100 > . 1:1(0) ack 1
        0.200 write 1000
        0.200 > P. 1:1001(1000) ack 1
        0.200 shutdown
        0.200 nothing
        0.300 < . 1:1(0) ack 1001 win 1000
        0.300 > F. 1001:1001(0) ack 1
    )");
}

}  // namespace
}  // namespace tandem::tcp::test
