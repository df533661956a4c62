// What an application can ask of a connection: cork, quick acknowledgments, user timeouts (RFC 5482), linger.
#include <gtest/gtest.h>

#include "tcp/script.hpp"

namespace tandem::tcp::test {
namespace {

using std::chrono::seconds;

TEST(cork, only_full_segments_leave_until_it_is_drawn) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.object()->set_cork(true);
    s.run(R"(
        0.200 write 600
        0.300 write 600
        0.300 > . 1:1001(1000) ack 1
        0.400 < . 1:1(0) ack 1001 win 65535
        0.450 nothing
    )");
    s.object()->set_cork(false);
    s.run(R"(
        0.450 > P. 1001:1201(200) ack 1
    )");
}

TEST(cork, the_end_of_the_stream_draws_it) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.object()->set_cork(true);
    s.run(R"(
        0.200 write 600
        0.300 shutdown
        0.300 > FP. 1:601(600) ack 1
    )");
}

TEST(cork, holds_for_a_retransmission_timeout_at_most) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.object()->set_cork(true);
    s.run(R"(
        0.200 write 600
        0.500 > P. 1:601(600) ack 1
    )");
}

TEST(quick_ack, answers_the_next_segments) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < . 1:1001(1000) ack 1 win 65535
        0.225 > . 1:1(0) ack 1001
    )");
    s.object()->set_quick_ack(1);
    s.run(R"(
        0.300 < . 1001:2001(1000) ack 1 win 65535
        0.300 > . 1:1(0) ack 2001
    )");
    s.run(R"(
        0.400 < . 2001:3001(1000) ack 1 win 65535
        0.425 > . 1:1(0) ack 3001
    )");
}

config with_option(duration ours, duration most = std::chrono::hours(1)) {
    auto c = script::no_timestamps();
    c.user_timeout_option = true;
    c.user_timeout = ours;
    c.max_user_timeout = most;
    return c;
}

duration agreed(const config& c, const std::string& theirs) {
    script s(c);
    s.run("0.000 connect\n 0.000 > S 0:0(0)\n 0.100 < S. 0:0(0) ack 1 win 65535 <mss 1000" + theirs +
          ">\n 0.100 > . 1:1(0) ack 1\n");
    return s.object()->user_timeout();
}

TEST(user_timeout, follows_the_peers) {  // RFC 5482 3.1
    EXPECT_EQ(agreed(with_option(seconds(120)), ""), seconds(120));
    EXPECT_EQ(agreed(with_option(seconds(120)), ",uto 300"), seconds(300));
    EXPECT_EQ(agreed(with_option(seconds(120)), ",uto 60"), seconds(120)) << "the longer one";
    EXPECT_EQ(agreed(with_option(seconds(10)), ",uto 20"), seconds(100)) << "not below the least";
    EXPECT_EQ(agreed(with_option(seconds(120)), ",uto 32798"), seconds(30 * 60)) << "minutes";
    EXPECT_EQ(agreed(with_option(seconds(120), seconds(400)), ",uto 32798"), seconds(400)) << "not above the most";
    auto off = script::no_timestamps();
    EXPECT_EQ(agreed(off, ",uto 300"), off.user_timeout);
}

TEST(user_timeout, is_told_to_the_peer) {
    script(with_option(seconds(120))).run("0.000 connect\n 0.000 > S 0:0(0) <mss 1460,sackOK,wscale 8,uto 120>\n");
    script(with_option(std::chrono::hours(20))).run("0.000 connect\n 0.000 > S 0:0(0) <mss 1460,sackOK,wscale 8,uto 33968>\n");
}

TEST(user_timeout, can_be_changed_while_data_wait) {
    auto c = script::no_timestamps();
    script s(c);
    s.run(script::connected);
    s.run(R"(
        0.200 write 10
        0.200 > P. 1:11(10) ack 1
    )");
    s.object()->set_user_timeout(std::chrono::milliseconds(150));
    s.run(R"(
        0.349 event
        0.351 event timed_out
    )");
}

}  // namespace
}  // namespace tandem::tcp::test
