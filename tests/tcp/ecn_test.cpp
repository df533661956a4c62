// Explicit Congestion Notification, RFC 3168: in segments "ecn N" is the IP header's field (2: ECT(0), 3: CE), E is ECE, C is
// CWR.
#include <gtest/gtest.h>

#include "seed.hpp"
#include "tcp/hosts.hpp"
#include "tcp/script.hpp"

namespace tandem::tcp::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

config asking() {
    auto c = script::no_timestamps();
    c.ecn = ecn_use::always;
    return c;
}

constexpr const char* agreed = R"(
    0.000 connect
    0.000 > SEC 0:0(0) ecn 0
    0.100 < S.E 0:0(0) ack 1 win 65535 <mss 1000,sackOK,nop,wscale 0>
    0.100 > . 1:1(0) ack 1 ecn 0
    0.100 event connected
)";

TEST(ecn, only_new_data_are_marked) {  // RFC 3168 6.1.4, 6.1.5
    script s(asking());
    s.run(agreed);
    s.run(R"(
        0.200 write 3000
        0.200 > . 1:1001(1000) ack 1 ecn 2
        0.200 > . 1001:2001(1000) ack 1 ecn 2
        0.200 > P. 2001:3001(1000) ack 1 ecn 2
        0.300 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 1001:3001>
        0.3125 > . 1:1001(1000) ack 1 ecn 0                   # a retransmission, once RACK is sure
        0.4125 < . 1:1(0) ack 3001 win 65535
        0.500 shutdown
        0.500 > F. 3001:3001(0) ack 1 ecn 0                  # no data
    )");
}

TEST(ecn, is_not_used_unless_both_agree) {
    script(asking()).run(R"(
        0.000 connect
        0.000 > SEC 0:0(0)
        0.100 < S. 0:0(0) ack 1 win 65535 <mss 1000>
        0.100 > . 1:1(0) ack 1
        0.200 write 10
        0.200 > P. 1:11(10) ack 1 ecn 0
    )");
    script(asking()).run(R"(
        0.000 connect
        0.000 > SEC 0:0(0)
        0.100 < S.EC 0:0(0) ack 1 win 65535 <mss 1000>       # a peer that reflects reserved bits (RFC 3168 6.1.1)
        0.100 > . 1:1(0) ack 1
        0.200 write 10
        0.200 > P. 1:11(10) ack 1 ecn 0
    )");
    script(script::no_timestamps()).run(R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.100 < S.E 0:0(0) ack 1 win 65535 <mss 1000>        # not asked for
        0.100 > . 1:1(0) ack 1
        0.200 write 10
        0.200 > P. 1:11(10) ack 1 ecn 0
    )");
}

TEST(ecn, is_not_asked_for_again_when_the_syn_was_lost) {  // RFC 3168 6.1.1.1
    script(asking()).run(R"(
        0.000 connect
        0.000 > SEC 0:0(0)
        1.000 > S 0:0(0)
        1.100 < S.E 0:0(0) ack 1 win 65535 <mss 1000>
        1.100 > . 1:1(0) ack 1
        1.200 write 10
        1.200 > P. 1:11(10) ack 1 ecn 0
    )");
}

TEST(ecn, server_agrees_if_asked) {
    auto c = script::no_timestamps();
    script(c, {.connection = c}).run(R"(
        0.000 listen
        0.000 < SEC 0:0(0) win 65535 <mss 1000>
        0.000 > S.E 0:0(0) ack 1 ecn 0
        0.100 < . 1:1(0) ack 1 win 65535
        0.100 event accepted
        0.200 write 10
        0.200 > P. 1:11(10) ack 1 ecn 2
    )");
    c.ecn = ecn_use::never;
    script(c, {.connection = c}).run(R"(
        0.000 listen
        0.000 < SEC 0:0(0) win 65535 <mss 1000>
        0.000 > S. 0:0(0) ack 1
    )");
}

TEST(ecn, marks_are_echoed_until_the_sender_has_heard) {  // RFC 3168 6.1.3
    script s(asking());
    s.run(agreed);
    s.run(R"(
        0.200 < . 1:1001(1000) ack 1 win 65535 ecn 3
        0.200 > .E 1:1(0) ack 1001 ecn 0                     # at once
        0.210 < . 1001:2001(1000) ack 1 win 65535 ecn 2
        0.210 < . 2001:3001(1000) ack 1 win 65535 ecn 2
        0.210 > .E 1:1(0) ack 3001
        0.220 write 10
        0.220 > P.E 1:11(10) ack 3001 ecn 2
        0.300 < .C 3001:4001(1000) ack 11 win 65535 ecn 2
        0.300 < . 4001:5001(1000) ack 11 win 65535 ecn 2
        0.300 > . 11:11(0) ack 5001
        0.400 < .C 5001:6001(1000) ack 11 win 65535 ecn 3    # slowed down, and marked again
        0.400 > .E 11:11(0) ack 6001
        0.500 < . 6001:6001(0) ack 11 win 65535 ecn 3        # no data: nobody is to mark it
    )");
    EXPECT_EQ(s.object()->stats().ce_received, 3u);
}

TEST(ecn, an_echo_shrinks_the_window_once_a_round_trip) {  // RFC 3168 6.1.2
    auto c = asking();
    c.controller.kind = recovery::controller_kind::new_reno;
    script s(c);
    s.run(agreed);
    s.run(R"(
        0.200 write 4000
        0.200 > . 1:1001(1000) ack 1 ecn 2
        0.200 > . 1001:2001(1000) ack 1 ecn 2
        0.200 > . 2001:3001(1000) ack 1 ecn 2
        0.200 > P. 3001:4001(1000) ack 1 ecn 2
        0.300 < .E 1:1(0) ack 1001 win 65535
    )");
    const auto after = s.object()->congestion(s.now()).congestion_window;
    s.run(R"(
        0.300 < .E 1:1(0) ack 2001 win 65535
        0.300 < .E 1:1(0) ack 4001 win 65535
        0.310 write 2000
        0.310 > .C 4001:5001(1000) ack 1 ecn 2               # once, on the first new data
        0.310 > P. 5001:6001(1000) ack 1 ecn 2
    )");
    EXPECT_EQ(s.object()->stats().ecn_reductions, 1u);
    EXPECT_EQ(s.object()->congestion(s.now()).congestion_window, after);
    s.run(R"(
        0.410 < .E 1:1(0) ack 6001 win 65535                 # sent after it heard us: marked again
        0.420 write 10
        0.420 > P.C 6001:6011(10) ack 1 ecn 2
    )");
    EXPECT_EQ(s.object()->stats().ecn_reductions, 2u);
    EXPECT_LT(s.object()->congestion(s.now()).congestion_window, after);
    EXPECT_EQ(s.object()->stats().retransmissions, 0u);
}

TEST(ecn, an_echo_that_was_not_agreed_on_is_nothing) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 10
        0.200 > P. 1:11(10) ack 1
        0.300 < .E 1:1(0) ack 11 win 65535 ecn 3
        0.310 write 10
        0.310 > P. 11:21(10) ack 1
    )");
    EXPECT_EQ(s.object()->stats().ecn_reductions, 0u);
}

// A queue that marks instead of dropping: everything arrives without a retransmission, and the window follows the marks.
TEST(ecn, transfer_over_a_marking_queue) {
    hosts h(tandem::test::seed(), {.rate = 1'250'000, .queue = 1 << 20});
    config c;
    c.ecn = ecn_use::always;
    const ip_endpoint service{server_address, 80};
    ASSERT_TRUE(h.server.listen(service, {}));
    const auto handle = h.client.connect({client_address, 0}, service, c, h.now);
    connection_handle accepted;
    std::uint64_t received = 0;
    const std::vector<std::uint8_t> data(3'000'000);
    std::size_t written = 0;
    std::uint64_t largest = 0;
    h.filter = [&](bool from_client, packet& p) {
        const auto* s = h.client.find(handle);
        if (from_client && s && p.mark == ecn::ect0 && s->congestion(h.now).bytes_in_flight > 50'000) p.mark = ecn::ce;
        return true;
    };
    h.application = [&] {
        while (const auto e = h.server.poll_event()) {
            if (e->what == event::accepted) accepted = e->connection;
        }
        if (auto* s = h.client.find(handle)) {
            written += s->write(std::span(data).subspan(written));
            if (h.now > start_time + seconds(1)) largest = std::max(largest, s->congestion(h.now).congestion_window);
        }
        if (auto* s = h.server.find(accepted)) {
            received += s->readable();
            s->consume(s->readable(), h.now);
        }
    };
    ASSERT_TRUE(h.run_until([&] { return received == data.size(); }, seconds(10)));
    EXPECT_EQ(h.client.totals().retransmissions, 0u);
    EXPECT_GT(h.client.totals().ecn_reductions, 3u);
    EXPECT_GT(h.server.totals().ce_received, 3u);
    EXPECT_LT(largest, 120'000u) << "a round trip after the first mark it stops growing";
}

}  // namespace
}  // namespace tandem::tcp::test
