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

TEST(allocation, an_idle_connection_is_small) {
    pair p;
    EXPECT_LE(sizeof(connection), 2432u);  // and about as much for the log of transmissions
    EXPECT_EQ(p.client.find(p.to)->memory(), 0u);
    EXPECT_EQ(p.server.find(p.from)->memory(), 0u);
}

}  // namespace
}  // namespace tandem::tcp::test
