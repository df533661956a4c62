// SYN cookies: no state for a half-open connection, nothing lost that the peer offered, no entry for those who saw no SYN-ACK.
#include <gtest/gtest.h>

#include <chrono>

#include <tandem/tcp/syn_cookie.hpp>

#include "tcp/hosts.hpp"
#include "tcp/script.hpp"

namespace tandem::tcp::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const ip_endpoint service{server_address, 80};
const ip_path path{service, {client_address, 4000}};

TEST(syn_cookie, says_the_mss_rounded_down) {
    syn_cookies cookies({1, 2});
    const auto trip = [&](std::uint16_t mss) {
        return cookies.check(path, 77, cookies.make(path, 77, mss, start_time), start_time);
    };
    EXPECT_EQ(trip(0), 216);
    EXPECT_EQ(trip(535), 216);
    EXPECT_EQ(trip(536), 536);
    EXPECT_EQ(trip(1459), 1440);
    EXPECT_EQ(trip(1460), 1460);
    EXPECT_EQ(trip(65535), 8940);
}

TEST(syn_cookie, is_for_one_syn_only) {
    syn_cookies cookies({1, 2});
    const auto cookie = cookies.make(path, 77, 1460, start_time);
    auto other = path;
    ++other.remote.port;
    EXPECT_FALSE(cookies.check(other, 77, cookie, start_time));
    EXPECT_FALSE(cookies.check(path, 78, cookie, start_time));
    EXPECT_FALSE(cookies.check(path, 77, cookie + 1, start_time));
    EXPECT_FALSE(syn_cookies({1, 3}).check(path, 77, cookie, start_time));
    EXPECT_TRUE(cookies.check(path, 77, cookie, start_time));
}

TEST(syn_cookie, lives_one_to_two_periods) {
    syn_cookies cookies({1, 2});
    const time_point begin{syn_cookies::period * 1000};
    EXPECT_FALSE(cookies.expected(begin));
    const auto cookie = cookies.make(path, 77, 1460, begin);
    EXPECT_TRUE(cookies.check(path, 77, cookie, begin + 2 * syn_cookies::period - milliseconds(1)));
    EXPECT_FALSE(cookies.check(path, 77, cookie, begin + 2 * syn_cookies::period));
    EXPECT_FALSE(cookies.check(path, 77, cookie, begin + 4 * syn_cookies::period));
    EXPECT_TRUE(cookies.expected(begin + 2 * syn_cookies::period - milliseconds(1)));
    EXPECT_FALSE(cookies.expected(begin + 2 * syn_cookies::period));
    const auto late = cookies.make(path, 77, 1460, begin + syn_cookies::period - milliseconds(1));
    EXPECT_TRUE(cookies.check(path, 77, late, begin + 2 * syn_cookies::period - milliseconds(1)));
    EXPECT_NE(cookie, cookies.make(path, 77, 1460, begin + 2 * syn_cookies::period)) << "same parity, other key";
}

// One guess in 2^28 is right; of 10^5 none may be.
TEST(syn_cookie, is_not_guessed) {
    syn_cookies cookies({1, 2});
    random_source random(5);
    for (int i = 0; i < 20'000; ++i) EXPECT_FALSE(cookies.check(path, 77, static_cast<std::uint32_t>(random()), start_time));
}

TEST(syn_cookie, options_in_the_timestamp) {
    for (std::uint32_t scale = 0; scale < 16; ++scale) {
        for (unsigned bits = 0; bits < 4; ++bits) {
            cookie_options o{.sack = (bits & 1) != 0, .ecn = (bits & 2) != 0};
            if (scale < 15) o.window_scale = static_cast<std::uint8_t>(scale);
            for (const std::uint32_t now : {0u, 63u, 64u, 100'000u, 0xffffffffu}) {
                const auto ts = put_cookie_options(o, now);
                EXPECT_EQ(cookie_options_of(ts), o);
                EXPECT_LT(now - ts, 64u) << "not in the future, not long ago";
            }
        }
    }
}

const listen_config always{.syn_cookies = cookie_use::always};

TEST(syn_cookie, connection_with_all_options) {
    script s(script::plain(), always);
    s.run(R"(
        0.000 listen
        0.000 < SEC 0:0(0) win 65535 <mss 1460,sackOK,TS val 700 ecr 0,nop,wscale 7>
        0.000 > S.E 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 0 ecr 700,nop,wscale 8>
        0.000 gone                                                # nothing is remembered
    )");
    EXPECT_EQ(s.host().half_open_count(), 0u);
}

TEST(syn_cookie, connection_without_timestamps) {
    script s(script::no_timestamps(), {.connection = script::no_timestamps(), .syn_cookies = cookie_use::always});
    s.run(R"(
        0.000 listen
        0.000 < S 0:0(0) win 65535 <mss 1460,sackOK,nop,wscale 7>
        0.000 > S. 0:0(0) ack 1 win 65535 <mss 1460>              # what a cookie has no room for is not agreed to
        0.000 gone
        0.050 < P. 1:11(10) ack 1 win 1000
        0.050 event accepted readable
        0.050 state ESTABLISHED
        0.050 readable 10
        0.060 write 1500
        0.060 > . 1:1001(1000) ack 11 <>                          # the window is not scaled
        0.110 < . 11:11(0) ack 1001 win 1000
        0.110 > P. 1001:1501(500) ack 11
        0.160 < F. 11:11(0) ack 1501 win 1000
        0.160 > . 1501:1501(0) ack 12
        0.160 event peer_closed
    )");
    EXPECT_EQ(s.host().stats().cookies_sent, 1u);
    EXPECT_EQ(s.host().stats().cookies_accepted, 1u);
}

TEST(syn_cookie, forged_and_late_acknowledgments_are_answered_with_rst) {
    script s(script::no_timestamps(), {.connection = script::no_timestamps(), .syn_cookies = cookie_use::always});
    s.run(R"(
        0.000 listen
        0.000 < S 0:0(0) win 65535 <mss 1460>
        0.000 > S. 0:0(0) ack 1
        0.050 < . 1:1(0) ack 2 win 1000
        0.050 > R 2:2(0)
        0.060 < . 2:2(0) ack 1 win 1000
        0.060 > R 1:1(0)
        127.900 nothing
        128.100 < . 1:1(0) ack 1 win 1000
        128.100 > R 1:1(0)
        128.100 gone
    )");
    EXPECT_EQ(s.host().stats().cookies_failed, 2u) << "the third came when none was expected";
}

TEST(syn_cookie, both_ends_agree_on_everything) {
    hosts h(1);
    config c;
    c.ecn = ecn_use::always;
    ASSERT_TRUE(h.server.listen(service, {.connection = c, .syn_cookies = cookie_use::always}));
    const auto handle = h.client.connect({client_address, 0}, service, c, h.now);
    connection_handle accepted;
    std::uint64_t received = 0;
    const std::vector<std::uint8_t> data(300'000);
    std::size_t written = 0;
    std::uint64_t marked = 0;
    h.filter = [&](bool from_client, packet& p) {
        if (from_client && p.mark == ecn::ect0) ++marked;
        return true;
    };
    h.application = [&] {
        while (const auto e = h.server.poll_event()) {
            if (e->what == event::accepted) accepted = e->connection;
        }
        if (auto* s = h.client.find(handle)) written += s->write(std::span(data).subspan(written));
        if (auto* s = h.server.find(accepted)) {
            received += s->readable();
            s->consume(s->readable(), h.now);
        }
    };
    ASSERT_TRUE(h.run_until([&] { return received == data.size(); }, seconds(10)));
    EXPECT_GT(marked, 200u) << "ECN was agreed";
    EXPECT_EQ(h.client.find(handle)->send_mss(), 1448) << "timestamps, too";
    EXPECT_EQ(h.client.totals().timeouts + h.client.totals().retransmissions, 0u);
    EXPECT_EQ(h.server.find(accepted)->send_mss(), 1448);
}

// A flood of SYNs with forged sources: nothing stays but the SYN queue, and who is real gets through meanwhile.
TEST(syn_cookie, flood) {
#ifdef NDEBUG
    constexpr std::uint32_t syns = 1'000'000;
#else
    constexpr std::uint32_t syns = 100'000;
#endif
    constexpr std::uint32_t batch = 256;
    hosts h(2);
    ASSERT_TRUE(h.server.listen(service, {.max_half_open = 16, .backlog = 64}));
    std::vector<connection_handle> clients;
    std::size_t accepted = 0;
    h.application = [&] {
        while (const auto e = h.server.poll_event()) accepted += e->what == event::accepted;
        while (h.client.poll_event()) {
        }
    };
    h.filter = [](bool from_client, packet& p) { return from_client || p.destination == client_address; };
    packet p;
    p.destination = server_address;
    p.tcp.destination_port = 80;
    p.tcp.flags = flag::syn;
    p.tcp.window = 65535;
    p.tcp.options.mss = 1460;
    p.tcp.options.timestamps.emplace();
    for (std::uint32_t n = 0; n < syns;) {
        for (std::uint32_t i = 0; i < batch && n < syns; ++i, ++n) {
            p.source = ip_address::v4(172, static_cast<std::uint8_t>(n >> 16), static_cast<std::uint8_t>(n >> 8),
                                      static_cast<std::uint8_t>(n));
            p.tcp.source_port = static_cast<std::uint16_t>(1024 + n % 977);
            p.tcp.sequence = n * 7919;
            h.server.receive(p, h.now);
        }
        if (clients.size() < 50 && n / batch % 7 == 0) {
            clients.push_back(h.client.connect({client_address, 0}, service, {}, h.now));
        }
        h.run_for(milliseconds(1));
        ASSERT_LE(h.server.connection_count(), 16u + clients.size());
    }
    h.run_for(milliseconds(100));
    EXPECT_EQ(accepted, clients.size());
    for (const auto& c : clients) {
        ASSERT_TRUE(h.client.find(c));
        EXPECT_EQ(h.client.find(c)->state(), state::established);
    }
    EXPECT_EQ(h.server.half_open_count(), 16u) << "the SYN queue, and nothing else";
    EXPECT_GE(h.server.stats().cookies_sent, syns - 16u);
    EXPECT_EQ(h.server.stats().half_open_overflows, 0u);
    h.run_for(seconds(200));
    EXPECT_EQ(h.server.half_open_count(), 0u);
    EXPECT_EQ(h.server.connection_count(), clients.size());
}

TEST(syn_cookie, never_lets_the_accept_queue_overflow) {
    hosts h(3);
    ASSERT_TRUE(h.server.listen(service, {.syn_cookies = cookie_use::always, .backlog = 3}));
    for (int i = 0; i < 5; ++i) h.client.connect({client_address, 0}, service, {}, h.now);
    h.run_for(milliseconds(100));
    EXPECT_EQ(h.server.connection_count(), 3u);
    EXPECT_EQ(h.server.stats().backlog_overflows, 2u);
    EXPECT_EQ(h.server.stats().cookies_sent, 5u);
}

}  // namespace
}  // namespace tandem::tcp::test
