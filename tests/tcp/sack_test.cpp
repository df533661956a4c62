// Selective acknowledgment, both ways: RFC 2018, RFC 2883.
#include <gtest/gtest.h>

#include "tcp/script.hpp"

namespace tandem::tcp::test {
namespace {

TEST(sack, blocks_of_what_lies_beyond_a_hole_newest_first) {  // RFC 2018 4
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < . 1001:2001(1000) ack 1 win 65535
        0.200 > . 1:1(0) ack 1 <nop,nop,sack 1001:2001>
        0.201 < . 3001:4001(1000) ack 1 win 65535
        0.201 > . 1:1(0) ack 1 <nop,nop,sack 3001:4001 1001:2001>
        0.202 < . 5001:6001(1000) ack 1 win 65535
        0.202 > . 1:1(0) ack 1 <nop,nop,sack 5001:6001 3001:4001 1001:2001>
        0.203 < . 7001:8001(1000) ack 1 win 65535
        0.203 > . 1:1(0) ack 1 <nop,nop,sack 7001:8001 5001:6001 3001:4001 1001:2001>
        0.204 < . 9001:10001(1000) ack 1 win 65535
        0.204 > . 1:1(0) ack 1 <nop,nop,sack 9001:10001 7001:8001 5001:6001 3001:4001>
        0.205 < . 2001:3001(1000) ack 1 win 65535
        0.205 > . 1:1(0) ack 1 <nop,nop,sack 1001:4001 9001:10001 7001:8001 5001:6001>
        0.206 < . 1:1001(1000) ack 1 win 65535
        0.206 > . 1:1(0) ack 4001 <nop,nop,sack 9001:10001 7001:8001 5001:6001>
    )");
}

TEST(sack, three_blocks_beside_a_timestamp) {
    script s;
    s.run(script::connected_with_timestamps);
    s.run(R"(
        0.200 < . 1001:2001(1000) ack 1 win 65535 <nop,nop,TS val 1100 ecr 100>
        0.200 > . 1:1(0) ack 1 <nop,nop,TS val 200 ecr 1000,nop,nop,sack 1001:2001>
        0.201 < . 3001:4001(1000) ack 1 win 65535 <nop,nop,TS val 1101 ecr 100>
        0.201 > . 1:1(0) ack 1 <nop,nop,TS val 201 ecr 1000,nop,nop,sack 3001:4001 1001:2001>
        0.202 < . 5001:6001(1000) ack 1 win 65535 <nop,nop,TS val 1102 ecr 100>
        0.202 > . 1:1(0) ack 1 <nop,nop,TS val 202 ecr 1000,nop,nop,sack 5001:6001 3001:4001 1001:2001>
        0.203 < . 7001:8001(1000) ack 1 win 65535 <nop,nop,TS val 1103 ecr 100>
        0.203 > . 1:1(0) ack 1 <nop,nop,TS val 203 ecr 1000,nop,nop,sack 7001:8001 5001:6001 3001:4001>
    )");
}

TEST(sack, not_without_the_peer_s_permission) {
    script s(script::no_timestamps());
    s.run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.100 < S. 0:0(0) ack 1 win 65535 <mss 1000>
        0.100 > . 1:1(0) ack 1
        0.200 < . 1001:2001(1000) ack 1 win 65535
        0.200 > . 1:1(0) ack 1 <>
    )");
}

TEST(sack, duplicate_below_the_acknowledgment) {  // RFC 2883 4.1
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < . 1:1001(1000) ack 1 win 65535
        0.200 < . 1001:2001(1000) ack 1 win 65535
        0.200 > . 1:1(0) ack 2001 <>
        0.300 < . 1:1001(1000) ack 1 win 65535
        0.300 > . 1:1(0) ack 2001 <nop,nop,sack 1:1001>
        0.310 < . 2001:3001(1000) ack 1 win 65535
        0.310 < . 3001:4001(1000) ack 1 win 65535
        0.310 > . 1:1(0) ack 4001 <>             # told once
    )");
}

TEST(sack, duplicate_beyond_a_hole) {  // RFC 2883 4.2
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < . 1001:2001(1000) ack 1 win 65535
        0.200 > . 1:1(0) ack 1 <nop,nop,sack 1001:2001>
        0.201 < . 2001:3001(1000) ack 1 win 65535
        0.201 > . 1:1(0) ack 1 <nop,nop,sack 1001:3001>
        0.202 < . 1001:2001(1000) ack 1 win 65535
        0.202 > . 1:1(0) ack 1 <nop,nop,sack 1001:2001 1001:3001>
    )");
}

TEST(sack, part_of_a_segment_is_a_duplicate) {  // RFC 2883 4.3
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < . 1:1001(1000) ack 1 win 65535
        0.210 < . 501:2001(1500) ack 1 win 65535
        0.210 > . 1:1(0) ack 2001 <nop,nop,sack 501:1001>
        0.220 readable 2000
        0.220 read
    )");
}

TEST(sack, first_copy_of_overlapping_bytes_wins) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < . 501:1001(500) ack 1 win 65535
        0.200 > . 1:1(0) ack 1 <nop,nop,sack 501:1001>
        0.210 < . 1:1501(1500) ack 1 win 65535
        0.210 > . 1:1(0) ack 1501
        0.220 read 1500
    )");
}

// What we send: the third segment behind a hole shows that it is lost (RFC 9002 6.1.1, RFC 6675).
constexpr const char* five_segments = R"(
        0.200 write 5000
        0.200 > . 1:1001(1000) ack 1
        0.200 > . 1001:2001(1000) ack 1
        0.200 > . 2001:3001(1000) ack 1
        0.200 > . 3001:4001(1000) ack 1
        0.200 > P. 4001:5001(1000) ack 1
)";

TEST(sack, a_hole_is_filled_and_nothing_else) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(five_segments);
    s.run(R"(
        0.300 < . 1:1(0) ack 1 win 65535 <sack 1001:2001>
        0.300 < . 1:1(0) ack 1 win 65535 <sack 1001:3001>
        0.300 nothing
        0.300 < . 1:1(0) ack 1 win 65535 <sack 1001:4001>
        0.300 > . 1:1001(1000) ack 1
        0.300 < . 1:1(0) ack 1 win 65535 <sack 1001:5001>
        0.400 < . 1:1(0) ack 5001 win 65535
        0.900 nothing
    )");
}

TEST(sack, two_holes) {
    script s(script::no_timestamps());
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
        0.300 < . 1:1(0) ack 1001 win 65535 <sack 2001:3001>
        0.301 < . 1:1(0) ack 1001 win 65535 <sack 4001:5001 2001:3001>
        0.301 > . 1001:2001(1000) ack 1
        0.302 < . 1:1(0) ack 1001 win 65535 <sack 4001:7001 2001:3001>
        0.302 > . 3001:4001(1000) ack 1
        0.303 < . 1:1(0) ack 1001 win 65535 <sack 4001:8001 2001:3001>
        0.401 < . 1:1(0) ack 3001 win 65535 <sack 4001:8001>
        0.402 < . 1:1(0) ack 8001 win 65535
        0.900 nothing
        0.900 state ESTABLISHED
    )");
}

TEST(sack, blocks_that_cannot_be_are_ignored) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(five_segments);
    s.run(R"(
        0.300 < . 1:1(0) ack 1 win 65535 <sack 5001:9001 1:2001 3001:2001 4000000000:5>
        0.300 nothing
        0.301 < . 1:1(0) ack 5001 win 65535
        0.301 state ESTABLISHED
        0.901 nothing
    )");
}

TEST(sack, partly_acknowledged_segment_is_sent_again_from_there) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(five_segments);
    s.run(R"(
        0.300 < . 1:1(0) ack 501 win 65535 <sack 1001:5001>
        0.300 > . 501:1001(500) ack 1
        0.400 < . 1:1(0) ack 5001 win 65535
        0.900 nothing
    )");
}

TEST(sack, reneging_peer_gets_everything_again) {  // RFC 2018 8
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(five_segments);
    s.run(R"(
        0.300 < . 1:1(0) ack 1 win 65535 <sack 1001:5001>
        0.300 > . 1:1001(1000) ack 1
        0.400 < . 1:1(0) ack 1001 win 65535
        0.400 > . 1001:2001(1000) ack 1
        0.400 > . 2001:3001(1000) ack 1
        0.400 > . 3001:4001(1000) ack 1
        0.400 > P. 4001:5001(1000) ack 1
        0.500 < . 1:1(0) ack 5001 win 65535
        0.900 nothing
    )");
}

TEST(sack, peer_that_acknowledged_all_selectively_and_then_reneges) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 2000
        0.200 > . 1:1001(1000) ack 1
        0.200 > P. 1001:2001(1000) ack 1
        0.300 < . 1:1(0) ack 501 win 65535 <sack 1001:2001>
        0.3125 > . 501:1001(500) ack 1
        0.400 < . 1:1(0) ack 1001 win 65535
        0.400 > P. 1001:2001(1000) ack 1
    )");
}

TEST(sack, without_it_three_duplicate_acknowledgments_show_a_loss) {  // RFC 5681 3.2
    script s(script::no_timestamps());
    s.run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.100 < S. 0:0(0) ack 1 win 65535 <mss 1000>
        0.100 > . 1:1(0) ack 1
    )");
    s.run(five_segments);
    s.run(R"(
        0.300 < . 1:1(0) ack 1 win 65535
        0.301 < . 1:1(0) ack 1 win 65535
        0.301 nothing
        0.302 < . 1:1(0) ack 1 win 65535
        0.302 > . 1:1001(1000) ack 1
        0.303 < . 1:1(0) ack 1 win 65535
        0.400 < . 1:1(0) ack 5001 win 65535
        1.000 nothing
    )");
}

TEST(sack, without_it_a_partial_acknowledgment_shows_the_next_loss) {  // RFC 6582 3.2
    script s(script::no_timestamps());
    s.run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.100 < S. 0:0(0) ack 1 win 65535 <mss 1000>
        0.100 > . 1:1(0) ack 1
    )");
    s.run(five_segments);
    s.run(R"(
        0.300 < . 1:1(0) ack 1 win 65535
        0.301 < . 1:1(0) ack 1 win 65535
        0.302 < . 1:1(0) ack 1 win 65535
        0.302 > . 1:1001(1000) ack 1
        0.402 < . 1:1(0) ack 2001 win 65535
        0.402 > . 2001:3001(1000) ack 1
        0.502 < . 1:1(0) ack 5001 win 65535
        1.000 nothing
    )");
}

TEST(sack, window_updates_are_no_duplicate_acknowledgments) {
    script s(script::no_timestamps());
    s.run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.100 < S. 0:0(0) ack 1 win 65535 <mss 1000>
        0.100 > . 1:1(0) ack 1
    )");
    s.run(five_segments);
    s.run(R"(
        0.300 < . 1:1(0) ack 1 win 65000
        0.301 < . 1:1(0) ack 1 win 64000
        0.302 < . 1:1(0) ack 1 win 65000
        0.303 < . 1:1(0) ack 1 win 64500
        0.304 < P. 1:11(10) ack 1 win 64500
        0.305 < P. 11:21(10) ack 1 win 64500
        0.305 > . 5001:5001(0) ack 21
        0.310 < . 21:21(0) ack 5001 win 65535
    )");
}

}  // namespace
}  // namespace tandem::tcp::test
