// TIME-WAIT in 64 bytes: the table, what its entries answer, and when they give way (RFC 9293 3.6.1, RFC 6191, RFC 1337).
#include <gtest/gtest.h>

#include "tcp/hosts.hpp"
#include "tcp/script.hpp"

namespace tandem::tcp::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const isn_generator secrets{random_source(1)};

time_wait_record record(std::uint32_t n, duration lifetime = seconds(60)) {
    return {.path = {{server_address, 80},
                     {ip_address::v4(172, 16, static_cast<std::uint8_t>(n >> 16), static_cast<std::uint8_t>(n >> 8)),
                      static_cast<std::uint16_t>(1024 + (n & 0xff))}},
            .next_sequence = n,
            .expected = n * 3,
            .recent_timestamp = n + 5,
            .timestamps = n % 2 == 0,
            .lifetime = lifetime};
}

TEST(time_wait, an_entry_has_64_bytes) {
    constexpr std::uint32_t count = 60'000;
    time_wait_table table(secrets);
    for (std::uint32_t n = 0; n < count; ++n) table.insert(record(n), start_time + seconds(60));
    EXPECT_EQ(table.size(), count);
    EXPECT_LE(table.memory(), count * 64 + 65536 * 4 + 64 * 1024);  // the hash table's heads, the timer wheel
    for (std::uint32_t n = 0; n < count; n += 997) {
        const auto found = table.find(record(n).path);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->next_sequence, n);
        EXPECT_EQ(found->expected, n * 3);
        EXPECT_EQ(found->recent_timestamp, n + 5);
        EXPECT_EQ(found->timestamps, n % 2 == 0);
        EXPECT_EQ(found->lifetime, seconds(60));
    }
    EXPECT_FALSE(table.find(record(count).path));
    table.expire(start_time + seconds(60));
    EXPECT_EQ(table.size(), 0u);
    const auto before = table.memory();
    for (std::uint32_t n = 0; n < count; ++n) table.insert(record(n), start_time + seconds(120));
    EXPECT_EQ(table.memory(), before) << "memory is used again";
}

TEST(time_wait, ends_in_order_of_time_whatever_the_order_of_arrival) {
    time_wait_table table(secrets);
    EXPECT_FALSE(table.next_timeout());
    for (std::uint32_t n = 0; n < 500; ++n) {
        const auto lifetime = milliseconds(1 + n * 7919 % 200'000);  // several turns of the wheel
        table.insert(record(n, lifetime), start_time + lifetime);
    }
    auto now = start_time;
    std::size_t turns = 0;
    while (const auto next = table.next_timeout()) {
        ASSERT_LT(++turns, 5000u);
        now = std::max(now, *next);
        table.expire(now);
        for (std::uint32_t n = 0; n < 500; n += 7) {
            const auto until = start_time + milliseconds(1 + n * 7919 % 200'000);
            ASSERT_EQ(table.find(record(n).path).has_value(), until > now) << n;
        }
    }
    EXPECT_EQ(table.size(), 0u);
}

TEST(time_wait, begins_again_and_ends_early) {
    time_wait_table table(secrets);
    table.insert(record(1), start_time + seconds(60));
    table.insert(record(2), start_time + seconds(60));
    table.restart(record(1).path, start_time + seconds(30));
    EXPECT_TRUE(table.erase(record(2).path));
    EXPECT_FALSE(table.erase(record(2).path));
    EXPECT_FALSE(table.find(record(2).path));
    table.expire(start_time + seconds(60));
    EXPECT_EQ(table.until(record(1).path), start_time + seconds(90));
    table.expire(start_time + seconds(90));
    EXPECT_EQ(table.size(), 0u);
}

TEST(time_wait, the_clock_wraps) {  // entries hold 32 bits of milliseconds
    time_wait_table table(secrets);
    auto now = start_time;
    for (int days = 0; days < 200; ++days, now += std::chrono::hours(24)) {
        table.insert(record(1), now + seconds(60));
        EXPECT_EQ(table.until(record(1).path), now + seconds(60));
        table.expire(now + seconds(59));
        EXPECT_EQ(table.size(), 1u);
        table.expire(now + seconds(60));
        EXPECT_EQ(table.size(), 0u);
    }
}

// A server closes first, so that its peers' names stay in TIME-WAIT.
constexpr const char* server_closed = R"(
    0.000 listen
    0.000 < S 0:0(0) win 65535 <mss 1000>
    0.000 > S. 0:0(0) ack 1
    0.100 < . 1:1(0) ack 1 win 65535
    0.100 event accepted
    0.200 shutdown
    0.200 > F. 1:1(0) ack 1
    0.300 < F. 1:1(0) ack 2 win 65535
    0.300 > . 2:2(0) ack 2
    0.300 event peer_closed closed
    0.310 state TIME-WAIT
)";

TEST(time_wait, a_new_syn_ends_it) {  // RFC 9293 3.10.7.4, RFC 6191
    script s(script::no_timestamps(), {.connection = script::no_timestamps()});
    s.run(server_closed);
    s.run(R"(
        0.400 < S 1:1(0) win 65535 <mss 1000>                 # not beyond what the old one used: an old duplicate
        0.500 < S 2:2(0) win 65535 <mss 1000>
        0.600 state TIME-WAIT
        0.700 < S 3:3(0) win 65535 <mss 1000>
        0.700 > S. 175000:175000(0) ack 4                     # beyond all numbers of the old one: 4 us a number
        0.800 < . 4:4(0) ack 175001 win 65535
        0.800 event accepted
        0.800 state ESTABLISHED
    )");
    EXPECT_EQ(s.host().stats().time_wait_reused, 1u);
    EXPECT_EQ(s.host().time_wait_count(), 0u);
}

TEST(time_wait, timestamps_tell_a_new_syn_from_an_old_one) {  // RFC 6191 2
    script s(script::plain(), {});
    s.run(R"(
        0.000 listen
        0.000 < S 0:0(0) win 65535 <mss 1000,sackOK,TS val 1000 ecr 0>
        0.000 > S. 0:0(0) ack 1
        0.100 < . 1:1(0) ack 1 win 65535 <nop,nop,TS val 1100 ecr 0>
        0.100 event accepted
        0.200 shutdown
        0.200 > F. 1:1(0) ack 1
        0.300 < F. 1:1(0) ack 2 win 65535 <nop,nop,TS val 1300 ecr 200>
        0.300 > . 2:2(0) ack 2
        0.300 event peer_closed closed
        0.400 < S 4294900000:4294900000(0) win 65535 <mss 1000,TS val 1299 ecr 0>    # older
        0.500 < S 4294900000:4294900000(0) win 65535 <mss 1000,TS val 1300 ecr 0>    # as old, and numbers below
        0.600 state TIME-WAIT
        0.700 < S 4294900000:4294900000(0) win 65535 <mss 1000,TS val 1301 ecr 0>    # newer, whatever its number
        0.700 > S. 175000:175000(0) ack 4294900001 <mss 1460,nop,nop,TS val 700 ecr 1301>
    )");
    EXPECT_EQ(s.host().half_open_count(), 1u);
}

TEST(time_wait, stays_while_nobody_listens) {
    script s(script::no_timestamps(), {.connection = script::no_timestamps()});
    s.run(server_closed);
    s.host().close_listener({ip_address::v4(192, 0, 2, 1), 8080});
    s.host().close_listener({client_address, 8080});
    s.run(R"(
        0.400 < . 5:5(0) ack 2 win 65535          # out of the window
        0.400 > . 2:2(0) ack 2
        0.450 < . 2:2(0) ack 2 win 65535
        0.500 < R 2:2(0) win 0
        60.200 state TIME-WAIT
        60.310 gone
    )");
}

config quick_wait() {
    config c;
    c.time_wait = seconds(60);
    return c;
}

struct closing_hosts : hosts {
    explicit closing_hosts(endpoint_config c) : hosts(7, {}, c) {
        EXPECT_TRUE(server.listen({server_address, 80}, {}));
        application = [this] {
            while (const auto e = server.poll_event()) {
                if (e->what == event::peer_closed) server.release(e->connection, now);
            }
            while (client.poll_event()) {
            }
        };
    }
    connect_error visit() {
        connect_error why{};
        const auto h = client.connect({client_address, 0}, {server_address, 80}, quick_wait(), now, &why);
        if (!h) return why;
        run_for(milliseconds(50));
        client.release(h, now);
        run_for(milliseconds(100));
        return why;
    }
};

TEST(time_wait, ports_are_used_again_when_all_wait) {
    closing_hosts h({.first_ephemeral_port = 50000, .last_ephemeral_port = 50003});
    for (int i = 0; i < 4; ++i) EXPECT_EQ(h.visit(), connect_error::none);
    EXPECT_EQ(h.client.time_wait_count(), 4u);
    EXPECT_EQ(h.client.connection_count(), 4u);
    EXPECT_EQ(h.visit(), connect_error::no_free_port) << "not within a second";
    EXPECT_EQ(h.client.stats().no_free_port, 1u);
    h.run_for(seconds(1));
    EXPECT_EQ(h.visit(), connect_error::none);
    EXPECT_EQ(h.client.stats().time_wait_reused, 1u);
    EXPECT_EQ(h.client.time_wait_count(), 4u);
    h.run_for(seconds(61));
    EXPECT_EQ(h.client.time_wait_count(), 0u);
    EXPECT_EQ(h.server.connection_count(), 0u);
}

TEST(time_wait, is_capped) {
    closing_hosts h({.max_time_wait = 3});
    for (int i = 0; i < 5; ++i) EXPECT_EQ(h.visit(), connect_error::none);
    EXPECT_EQ(h.client.time_wait_count(), 3u);
    EXPECT_EQ(h.client.stats().time_wait_overflows, 2u);
}

TEST(orphans, are_capped_and_given_up_after_linger) {
    hosts h(8, {}, {.max_orphans = 2});
    ASSERT_TRUE(h.server.listen({server_address, 80}, {}));
    h.application = [&] {
        while (h.client.poll_event()) {
        }
    };
    std::vector<connection_handle> all;
    for (int i = 0; i < 3; ++i) all.push_back(h.client.connect({client_address, 0}, {server_address, 80}, {}, h.now));
    h.run_for(milliseconds(100));
    h.filter = [](bool, packet&) { return false; };  // the peers fall silent
    for (const auto& c : all) h.client.find(c)->write(std::vector<std::uint8_t>(100));
    h.client.release(all[0], h.now, seconds(5));
    h.client.release(all[0], h.now);  // no second orphan
    h.client.release(all[1], h.now);
    EXPECT_EQ(h.client.orphan_count(), 2u);
    h.client.release(all[2], h.now);
    h.run_for(seconds(1));
    EXPECT_EQ(h.client.stats().orphans_reset, 1u);
    EXPECT_EQ(h.client.connection_count(), 2u);
    h.run_for(seconds(5));
    EXPECT_EQ(h.client.connection_count(), 1u) << "the one that lingered";
    h.run_for(seconds(200));
    EXPECT_EQ(h.client.connection_count(), 0u) << "user timeout";
    EXPECT_EQ(h.client.orphan_count(), 0u);
}

}  // namespace
}  // namespace tandem::tcp::test
