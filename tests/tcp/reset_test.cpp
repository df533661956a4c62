// RST, SYN and ACK that may be forged: RFC 9293 3.5.3, RFC 5961.
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "tcp/hosts.hpp"
#include "tcp/script.hpp"

namespace tandem::tcp::test {
namespace {

TEST(reset, exact_number_ends_the_connection) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < P. 1:101(100) ack 1 win 65535
        0.210 < R 101:101(0) win 0
        0.210 event readable reset
        0.210 gone
    )");
}

// Bytes that the reset takes away are not followed by an end: who did not read them must not think that he has all.
TEST(reset, of_unread_data_is_not_taken_for_the_end_after_them) {
    for (const bool read_first : {false, true}) {
        hosts h(1);
        const ip_endpoint from{client_address, 50000}, to{server_address, 80};
        h.server.listen(to, {});
        const auto client = h.client.connect(from, to, {}, h.now);
        h.run_for(std::chrono::milliseconds(100));
        while (h.client.poll_event()) {
        }
        const auto server = h.server.poll_event()->connection;
        h.server.find(server)->write(std::vector<std::uint8_t>(100));
        h.server.find(server)->shutdown_send();
        if (read_first) {
            h.run_for(std::chrono::milliseconds(100));
            std::array<std::uint8_t, 200> buffer;
            EXPECT_EQ(h.client.find(client)->read(buffer, h.now), 100u);
        } else {
            h.flush();
        }
        h.server.find(server)->abort();
        h.run_for(std::chrono::milliseconds(100));

        ASSERT_TRUE(h.client.find(client));
        EXPECT_EQ(h.client.find(client)->at_end(), read_first);
        std::vector<event> seen;
        while (const auto e = h.client.poll_event()) seen.push_back(e->what);
        if (read_first) {
            EXPECT_EQ(seen, (std::vector{event::readable, event::peer_closed, event::reset}));
        } else {
            EXPECT_EQ(seen, (std::vector{event::readable, event::reset}));
        }
    }
}

TEST(reset, merely_in_the_window_is_challenged) {  // RFC 5961 3.2
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < R 2:2(0) win 0
        0.200 > . 1:1(0) ack 1
        0.210 < R. 60000:60000(0) ack 1 win 0
        0.210 > . 1:1(0) ack 1
        0.220 < R 1:1(0) win 0                # the true peer's answer
        0.220 event reset
        0.220 gone
    )");
}

TEST(reset, out_of_the_window_is_ignored) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < R 0:0(0) win 0
        0.200 < R 1000000:1000000(0) win 0
        0.200 < R. 4000000000:4000000000(0) ack 1 win 0
        0.200 state ESTABLISHED
        0.200 event
    )");
}

TEST(reset, syn_is_challenged_wherever_it_is) {  // RFC 5961 4.2
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < S 0:0(0) win 65535
        0.200 > . 1:1(0) ack 1
        0.210 < S 100:100(0) win 65535
        0.210 > . 1:1(0) ack 1
        0.220 < S. 9000000:9000000(0) ack 1 win 65535
        0.220 > . 1:1(0) ack 1
        0.230 < R 1:1(0) win 0
        0.230 event reset
    )");
}

TEST(reset, acknowledgment_of_what_was_never_sent_is_challenged) {  // RFC 5961 5.2
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < P. 1:101(100) ack 2 win 65535
        0.200 > . 1:1(0) ack 1
        0.200 readable 0
        0.200 event
    )");
}

TEST(reset, acknowledgment_far_below_is_challenged) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < P. 1:101(100) ack 4294800000 win 65535
        0.200 > . 1:1(0) ack 1
        0.200 readable 0
    )");
}

TEST(reset, old_acknowledgment_carries_its_data) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 write 100
        0.200 > P. 1:101(100) ack 1
        0.300 < . 1:1(0) ack 101 win 65535
        0.310 < P. 1:101(100) ack 1 win 65535
        0.310 event readable
        0.335 > . 101:101(0) ack 101
    )");
}

TEST(reset, challenges_have_a_random_budget_of_their_own) {  // RFC 5961 7, CVE-2016-5696
    const connection_seed seed{.initial_sequence = 100, .random = 3};
    const ip_path path{{ip_address::v4(10, 0, 0, 1), 1}, {ip_address::v4(10, 0, 0, 2), 2}};
    time_point now{std::chrono::seconds(10)};
    const auto c = connection::connect(path, script::no_timestamps(), seed, now);
    std::array<std::uint8_t, 2000> buffer;
    train out;
    out.buffer = buffer;
    ASSERT_TRUE(c->transmit(now, out));
    c->receive({.sequence = 5000, .acknowledgment = 101, .flags = flag::syn | flag::ack, .window = 1000}, now);
    ASSERT_TRUE(c->transmit(now, out));

    std::set<unsigned> budgets;
    for (int second = 0; second < 20; ++second) {
        now += std::chrono::seconds(1);
        unsigned answers = 0;
        for (int i = 0; i < 1000; ++i) {
            c->receive({.sequence = 5050, .flags = flag::rst}, now + std::chrono::microseconds(i));
            answers += c->transmit(now, out) ? 1 : 0;
        }
        budgets.insert(answers);
    }
    EXPECT_GE(*budgets.begin(), challenge_budget::least);
    EXPECT_LE(*budgets.rbegin(), challenge_budget::least + challenge_budget::spread);
    EXPECT_GE(budgets.size(), 4u) << "an attacker could count on it";
    EXPECT_EQ(c->state(), state::established);
}

TEST(reset, no_segment_without_ack_is_taken) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 < P 1:101(100) win 65535
        0.200 readable 0
        0.200 event
    )");
}

TEST(reset, in_syn_received_of_a_listener_says_nothing_to_the_application) {
    script s(script::no_timestamps());
    s.run(R"(
        0.000 listen
        0.000 < S 0:0(0) win 65535 <mss 1000,sackOK>
        0.000 > S. 0:0(0) ack 1
        0.010 < R. 50:50(0) ack 1 win 0
        0.010 > . 1:1(0) ack 1
        0.020 < R 1:1(0) win 0
        0.020 event
        0.020 gone
    )");
}

TEST(reset, while_closing) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        0.200 shutdown
        0.200 > F. 1:1(0) ack 1
        0.300 < R 1:1(0) win 0
        0.300 event reset
        0.300 gone
    )");
}

TEST(reset, with_a_closed_window_the_exact_number_still_counts) {  // RFC 9293 MUST-66
    auto c = script::no_timestamps();
    c.receive_window = c.max_receive_window = 1000;
    script s(c);
    s.run(script::connected);
    s.run(R"(
        0.200 < P. 1:1001(1000) ack 1 win 65535
        0.225 > . 1:1(0) ack 1001 win 0
        0.300 < R 1002:1002(0) win 0
        0.310 < R 1001:1001(0) win 0
        0.310 event readable reset
    )");
}

}  // namespace
}  // namespace tandem::tcp::test
