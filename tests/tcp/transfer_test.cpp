// Two endpoints move data over links that do everything links do; what arrives is what was sent.
#include <gtest/gtest.h>

#include <algorithm>

#include "seed.hpp"
#include "tcp/hosts.hpp"

namespace tandem::tcp::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Byte i of a stream, different for each stream.
std::uint8_t expected(std::uint64_t stream, std::uint64_t i) {
    auto x = (i + 1) * 0x9e3779b97f4a7c15 + stream;
    return static_cast<std::uint8_t>(x >> 56);
}

// One direction of a connection: writes `total` bytes and FIN, checks what comes in.
struct side {
    std::uint64_t stream;
    std::uint64_t to_write;
    std::uint64_t to_read;
    std::uint64_t written = 0;
    std::uint64_t read = 0;
    std::size_t wrong = 0;
    bool ended = false;
    std::optional<event> final;

    void run(endpoint& host, connection_handle handle, time_point now) {
        auto* c = host.find(handle);
        if (!c) return;
        std::vector<std::uint8_t> chunk;
        while (written < to_write && c->send_room() > 0) {
            chunk.resize(std::min<std::uint64_t>({c->send_room(), to_write - written, 10000}));
            for (std::size_t i = 0; i < chunk.size(); ++i) chunk[i] = expected(stream, written + i);
            written += c->write(chunk);
        }
        if (written == to_write) c->shutdown_send();
        while (c->readable() > 0) {
            const auto piece = c->front();
            for (const auto b : piece) wrong += b != expected(1 - stream, read++) ? 1 : 0;
            c->consume(piece.size(), now);
        }
        ended = ended || c->at_end();
    }
    bool done() const { return written == to_write && read == to_read && ended && final == event::closed; }
};

struct outcome {
    bool done = false;
    duration took{};
    statistics client;
    statistics server;
    std::size_t wrong = 0;
};

outcome transfer(hosts& net, const config& c, std::uint64_t up, std::uint64_t down, duration limit = seconds(3600)) {
    const ip_endpoint service{server_address, 80};
    EXPECT_TRUE(net.server.listen(service, {.connection = c}));
    side client{0, up, down};
    side server{1, down, up};
    const auto handle = net.client.connect({client_address, 0}, service, c, net.now);
    connection_handle accepted;
    outcome out;
    net.application = [&] {
        while (const auto e = net.client.poll_event()) {
            if (is_final(e->what)) client.final = e->what;
        }
        while (const auto e = net.server.poll_event()) {
            if (e->what == event::accepted) accepted = e->connection;
            if (is_final(e->what)) server.final = e->what;
        }
        client.run(net.client, handle, net.now);
        server.run(net.server, accepted, net.now);
        if (auto* x = net.client.find(handle)) out.client = x->stats();
        if (auto* x = net.server.find(accepted)) out.server = x->stats();
    };
    const auto began = net.now;
    out.done = net.run_until([&] { return client.done() && server.done(); }, limit);
    out.took = net.now - began;
    out.wrong = client.wrong + server.wrong;
    EXPECT_EQ(client.read, down) << "server " << (server.final ? to_string(*server.final) : "open");
    EXPECT_EQ(server.read, up) << "client " << (client.final ? to_string(*client.final) : "open");
    return out;
}

double ms(duration d) { return static_cast<double>(d.count()) / 1e6; }

TEST(transfer, clean_link) {
    hosts net(1);
    const auto r = transfer(net, {}, 1'000'000, 2'000'000);
    EXPECT_TRUE(r.done);
    EXPECT_EQ(r.wrong, 0u);
    EXPECT_EQ(r.client.retransmissions, 0u);
    EXPECT_EQ(r.server.retransmissions, 0u);
    EXPECT_LT(ms(r.took), 1000);
}

struct link_case {
    const char* name;
    link_config link;
    double seconds = 600;
};

class links : public testing::TestWithParam<link_case> {};

TEST_P(links, both_ways) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        hosts net(seed, GetParam().link);
        const auto r = transfer(net, {}, 1'000'000, 1'000'000);
        EXPECT_TRUE(r.done) << "seed " << seed;
        EXPECT_EQ(r.wrong, 0u) << "seed " << seed;
        EXPECT_LT(ms(r.took), GetParam().seconds * 1000)
            << "seed " << seed << ", server: " << r.server.retransmissions << " retransmissions, " << r.server.timeouts
            << " timeouts, " << r.server.spurious_losses << " spurious";
    }
}

INSTANTIATE_TEST_SUITE_P(
    kinds, links,
    testing::Values(link_case{"loss_1", {.loss = 0.01}, 5}, link_case{"loss_5", {.loss = 0.05}, 20},
                    link_case{"loss_30", {.loss = 0.3}, 600}, link_case{"reordering", {.jitter = milliseconds(8)}, 5},
                    link_case{"strong_reordering", {.delay = milliseconds(5), .jitter = milliseconds(40)}, 20},
                    link_case{"duplication", {.duplication = 0.2}, 5}, link_case{"corruption", {.corruption = 0.02}, 20},
                    link_case{"all", {.jitter = milliseconds(3), .loss = 0.02, .duplication = 0.05, .corruption = 0.01}, 60},
                    link_case{"slow", {.rate = 200'000, .queue = 30'000}, 30}),
    [](const auto& p) { return std::string(p.param.name); });

// Everything at random: options, windows, MTU, Nagle, controllers, links, sizes. The seed of a failing run is printed.
TEST(transfer, random_configurations) {
    random_source random(tandem::test::seed());
    const int runs = 150;
    for (int run = 0; run < runs; ++run) {
        const auto seed = random();
        random_source r(seed);
        config c;
        c.sack = r.below(4) != 0;
        c.timestamps = r.below(3) != 0;
        c.window_scale = r.below(4) != 0;
        c.nagle = r.below(2) != 0;
        c.pacing = r.below(2) != 0;
        c.mtu = static_cast<std::uint16_t>(600 + r.below(1000));
        c.receive_window = 1 + r.below(r.below(2) == 0 ? 3000 : 300'000);
        c.max_receive_window = c.receive_window * (1 + r.below(10));
        c.send_buffer = 1000 + r.below(300'000);
        c.reordering = r.below(2) == 0 ? recovery::reordering_kind::adaptive : recovery::reordering_kind::fixed;
        c.controller.kind = static_cast<recovery::controller_kind>(r.below(3));
        c.user_timeout = c.handshake_timeout = std::chrono::hours(10);
        link_config link;
        link.delay = milliseconds(1 + r.below(100));
        if (r.below(2) == 0) link.jitter = milliseconds(r.below(50));
        if (r.below(2) == 0) link.loss = 0.15 * r.uniform();
        if (r.below(3) == 0) link.duplication = 0.2 * r.uniform();
        if (r.below(3) == 0) link.corruption = 0.05 * r.uniform();
        if (r.below(2) == 0) link.rate = 50'000 + r.below(1'000'000);
        link.queue = 5'000 + r.below(100'000);
        hosts net(seed, link);
        const auto up = r.below(100'000);
        const auto down = r.below(100'000);
        const auto result = transfer(net, c, up, down, std::chrono::hours(2));
        EXPECT_TRUE(result.done) << "run " << run << " seed " << seed;
        EXPECT_EQ(result.wrong, 0u) << "run " << run << " seed " << seed;
        if (testing::Test::HasFailure()) break;
    }
}

}  // namespace
}  // namespace tandem::tcp::test
