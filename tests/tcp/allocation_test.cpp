// Steady traffic allocates nothing, in either direction.
#include <gtest/gtest.h>

#include "allocation_counter.hpp"
#include "tcp/hosts.hpp"

namespace tandem::tcp::test {
namespace {

using std::chrono::milliseconds;

// Two endpoints that hand packets to each other at once, half a round trip later, without a link that allocates.
struct pair {
    endpoint client{{}, random_source(1)};
    endpoint server{{}, random_source(2)};
    time_point now = start_time;
    std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(65536);
    std::vector<std::uint8_t> data = std::vector<std::uint8_t>(64 * 1024);
    connection_handle to;
    connection_handle from;

    pair() {
        EXPECT_TRUE(server.listen({server_address, 80}, {}));
        to = client.connect({client_address, 0}, {server_address, 80}, {}, now);
        while (!from) step();
    }
    std::size_t pass(endpoint& a, endpoint& b) {
        train out;
        out.buffer = buffer;
        std::size_t n = 0;
        while (a.transmit(now, out)) {
            for (std::size_t i = 0; i < out.count(); ++i) {
                received_datagram in{.payload = out.datagram(i)};
                b.receive(in, now);
                ++n;
            }
        }
        return n;
    }
    std::size_t step() {
        now += milliseconds(1);
        client.on_timeout(now);
        server.on_timeout(now);
        auto n = pass(client, server);
        now += milliseconds(1);
        n += pass(server, client);
        while (const auto e = server.poll_event()) {
            if (e->what == event::accepted) from = e->connection;
        }
        while (client.poll_event()) {
        }
        return n;
    }
    std::size_t exchange() {
        auto* a = client.find(to);
        auto* b = server.find(from);
        if (!a || !b) return 0;
        a->write(std::span(data).first(std::min(data.size(), a->send_room())));
        b->write(std::span(data).first(std::min<std::size_t>(10'000, b->send_room())));
        for (auto* c : {a, b}) {
            while (c->readable() > 0) c->consume(c->front().size(), now);
        }
        return step();
    }
};

TEST(allocation, none_per_packet_in_steady_state) {
    pair p;
    for (int i = 0; i < 2000; ++i) p.exchange();
    const auto before = tandem::test::allocations();
    std::size_t packets = 0;
    for (int i = 0; i < 2000; ++i) packets += p.exchange();
    EXPECT_GT(packets, 20'000u);
    EXPECT_EQ(tandem::test::allocations() - before, 0u) << packets << " packets";
}

// Of a pair of connections, after `used` did what it did and all was acknowledged: bytes of heap of each.
double idle_connection(std::size_t bytes) {
    constexpr std::size_t count = 200;
    hosts h(1);
    const ip_endpoint service{server_address, 80};
    EXPECT_TRUE(h.server.listen(service, {.max_half_open = count, .backlog = count}));
    std::vector<connection_handle> clients;
    const std::vector<std::uint8_t> data(bytes);
    h.application = [&] {
        for (auto* host : {&h.client, &h.server}) {
            while (const auto e = host->poll_event()) {
                auto* c = host->find(e->connection);
                if (c && e->what == event::connected) c->write(data);
                if (c && c->readable() > 0) c->consume(c->readable(), h.now);
            }
        }
    };
    const auto open = [&](std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) clients.push_back(h.client.connect({client_address, 0}, service, {}, h.now));
        h.run_for(std::chrono::seconds(5));
    };
    open(count / 10);  // what is there once for all
    const auto before = tandem::test::live_bytes();
    open(count);
    for (const auto& c : clients) {
        EXPECT_EQ(h.client.find(c)->state(), state::established);
        EXPECT_EQ(h.client.find(c)->unacknowledged(), 0u);
        EXPECT_EQ(h.client.find(c)->memory(), 0u);
    }
    return static_cast<double>(static_cast<std::int64_t>(tandem::test::live_bytes() - before)) / (2 * count);
}

TEST(allocation, an_idle_connection_has_4_kib) {
    const auto fresh = idle_connection(0);
    EXPECT_LE(fresh, 4096);
    const auto used = idle_connection(20'000);
    EXPECT_LE(used, 4096) << "buffers are given back when they are empty";
    std::printf("bytes of heap per idle connection: %.0f before its first byte, %.0f after 20 kB\n", fresh, used);
}

// Bytes that nobody reads for days are no reason to wake up; when they are read, memory is given back all the same.
TEST(allocation, unread_bytes_set_no_timer) {
    hosts h(1);
    const ip_endpoint service{server_address, 80};
    ASSERT_TRUE(h.server.listen(service, {}));
    const auto c = h.client.connect({client_address, 0}, service, {}, h.now);
    connection_handle s;
    h.application = [&] {
        while (const auto e = h.server.poll_event()) s = e->connection;
    };
    h.run_for(std::chrono::seconds(1));
    h.client.find(c)->write(std::vector<std::uint8_t>(1000));
    h.run_for(std::chrono::seconds(10));
    ASSERT_EQ(h.server.find(s)->readable(), 1000u);
    EXPECT_FALSE(h.server.next_timeout());
    EXPECT_FALSE(h.client.next_timeout());
    EXPECT_GT(h.server.find(s)->memory(), 0u);
    h.server.find(s)->consume(1000, h.now);
    h.run_for(std::chrono::seconds(10));
    EXPECT_EQ(h.server.find(s)->memory(), 0u);
    EXPECT_FALSE(h.server.next_timeout());
}

}  // namespace
}  // namespace tandem::tcp::test
