// The timestamps option: RFC 7323 3 to 5.
#include <gtest/gtest.h>

#include "tcp/script.hpp"

namespace tandem::tcp::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(timestamps, echo_is_of_the_first_segment_of_a_delayed_acknowledgment) {  // RFC 7323 4.3 (A)
    script s;
    s.run(script::connected_with_timestamps);
    s.run(R"(
        0.200 < . 1:1001(1000) ack 1 win 65535 <nop,nop,TS val 1100 ecr 100>
        0.210 < . 1001:2001(1000) ack 1 win 65535 <nop,nop,TS val 1110 ecr 100>
        0.210 > . 1:1(0) ack 2001 <nop,nop,TS val 210 ecr 1100>
    )");
}

TEST(timestamps, echo_is_not_of_what_is_out_of_order) {  // RFC 7323 4.3 (B)
    script s;
    s.run(script::connected_with_timestamps);
    s.run(R"(
        0.200 < . 1:1001(1000) ack 1 win 65535 <nop,nop,TS val 1100 ecr 100>
        0.200 < . 1001:2001(1000) ack 1 win 65535 <nop,nop,TS val 1100 ecr 100>
        0.200 > . 1:1(0) ack 2001 <nop,nop,TS val 200 ecr 1100>
        0.210 < . 3001:4001(1000) ack 1 win 65535 <nop,nop,TS val 1110 ecr 100>
        0.210 > . 1:1(0) ack 2001 <nop,nop,TS val 210 ecr 1100,nop,nop,sack 3001:4001>
    )");
}

TEST(timestamps, echo_is_of_what_fills_a_hole) {  // RFC 7323 4.3 (C)
    script s;
    s.run(script::connected_with_timestamps);
    s.run(R"(
        0.200 < . 1001:2001(1000) ack 1 win 65535 <nop,nop,TS val 1110 ecr 100>
        0.200 > . 1:1(0) ack 1 <nop,nop,TS val 200 ecr 1000,nop,nop,sack 1001:2001>
        0.300 < . 1:1001(1000) ack 1 win 65535 <nop,nop,TS val 1200 ecr 100>
        0.300 > . 1:1(0) ack 2001 <nop,nop,TS val 300 ecr 1200>
    )");
}

TEST(paws, an_older_timestamp_is_a_segment_of_another_turn) {  // RFC 7323 5.3 R1
    script s;
    s.run(script::connected_with_timestamps);
    s.run(R"(
        0.200 < P. 1:101(100) ack 1 win 65535 <nop,nop,TS val 2000 ecr 100>
        0.225 > . 1:1(0) ack 101
        0.300 < P. 101:201(100) ack 1 win 65535 <nop,nop,TS val 1999 ecr 100>
        0.300 > . 1:1(0) ack 101 <nop,nop,TS val 300 ecr 2000>
        0.300 readable 100
        0.310 < P. 101:201(100) ack 1 win 65535 <nop,nop,TS val 2000 ecr 100>
        0.310 readable 200
        0.335 > . 1:1(0) ack 201
    )");
    EXPECT_EQ(s.object()->stats().paws_rejected, 1u);
}

// A forged segment in the window, with a timestamp far ahead and an acknowledgment that was only guessed.
TEST(paws, learns_nothing_from_segments_with_a_wrong_acknowledgment) {
    script s;
    s.run(script::connected_with_timestamps);
    s.run(R"(
        0.200 < P. 1:101(100) ack 70000 win 65535 <nop,nop,TS val 2000000000 ecr 100>
        0.200 > . 1:1(0) ack 1 <nop,nop,TS val 200 ecr 1000>
        0.300 < P. 1:101(100) ack 1 win 65535 <nop,nop,TS val 1200 ecr 100>
        0.300 readable 100
    )");
}

TEST(paws, wraps_around) {
    script s;
    s.run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.100 < S. 0:0(0) ack 1 win 65535 <mss 1012,sackOK,TS val 4294967290 ecr 0>
        0.100 > . 1:1(0) ack 1
        0.200 < P. 1:101(100) ack 1 win 65535 <nop,nop,TS val 5 ecr 100>
        0.200 readable 100
        0.225 > . 1:1(0) ack 101 <nop,nop,TS val 225 ecr 5>
        0.300 < P. 101:201(100) ack 1 win 65535 <nop,nop,TS val 4294967295 ecr 100>
        0.300 > . 1:1(0) ack 101
        0.300 readable 100
    )");
}

TEST(paws, does_not_judge_resets) {
    script s;
    s.run(script::connected_with_timestamps);
    s.run(R"(
        0.200 < R 1:1(0) win 0 <nop,nop,TS val 1 ecr 0>
        0.200 event reset
    )");
}

TEST(paws, forgets_after_24_days_of_silence) {  // RFC 7323 5.5
    script s;
    s.run(script::connected_with_timestamps);
    s.run(R"(
        0.200 < P. 1:101(100) ack 1 win 65535 <nop,nop,TS val 2000000000 ecr 100>
        0.225 > . 1:1(0) ack 101
        2073500 < P. 101:201(100) ack 1 win 65535 <nop,nop,TS val 1900000000 ecr 100>
        2073500 > . 1:1(0) ack 101
        2073700 < P. 101:201(100) ack 1 win 65535 <nop,nop,TS val 1900000000 ecr 100>
        2073700 readable 200
        +0.025 > . 1:1(0) ack 201
    )");
}

TEST(timestamps, a_segment_without_them_is_dropped_once_they_are_agreed_on) {  // RFC 7323 3.2
    script s;
    s.run(script::connected_with_timestamps);
    s.run(R"(
        0.200 < P. 1:101(100) ack 1 win 65535
        0.200 readable 0
        0.210 < R 1:1(0) win 0
        0.210 event reset
    )");
}

TEST(timestamps, tell_nothing_about_other_connections) {
    time_point now{std::chrono::seconds(77)};
    endpoint host({}, random_source(4));
    std::vector<std::uint8_t> buffer(2000);
    std::vector<std::uint32_t> seen;
    for (std::uint16_t port = 1; port <= 3; ++port) {
        host.connect({ip_address::v4(10, 0, 0, 1), 5000}, {ip_address::v4(10, 0, 0, 2), port}, {}, now);
        train out;
        out.buffer = buffer;
        ASSERT_TRUE(host.transmit(now, out));
        packet p;
        ASSERT_EQ(parse_packet(out.datagram(0), p), drop_reason::none);
        seen.push_back(p.tcp.options.timestamps->value);
        seen.push_back(p.tcp.sequence);
    }
    for (std::size_t i = 0; i < seen.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) EXPECT_GT(std::abs(static_cast<std::int32_t>(seen[i] - seen[j])), 100'000);
    }
}

}  // namespace
}  // namespace tandem::tcp::test
