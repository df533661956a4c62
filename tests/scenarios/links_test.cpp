// Real bytes both ways at once over every kind of bad link, over both transports: all arrive, in order, unchanged.
#include <gtest/gtest.h>

#include "scenarios/transfer.hpp"
#include "seed.hpp"

namespace tandem::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t bytes_each_way = 300'000;
constexpr duration deadline = 120s;  // of virtual time

struct link_case {
    const char* name;
    sim::link_config link;
};

sim::link_config base() { return {.rate = 10'000'000, .delay = 20ms}; }

template <class Change>
link_case with(const char* name, Change change) {
    auto link = base();
    change(link);
    return {name, link};
}

std::vector<link_case> links() {
    return {
        with("clean", [](auto&) {}),
        with("loss_1_percent", [](auto& l) { l.loss = sim::loss_config::bernoulli(0.01); }),
        with("loss_5_percent", [](auto& l) { l.loss = sim::loss_config::bernoulli(0.05); }),
        with("burst_loss", [](auto& l) { l.loss = sim::loss_config::bursts(0.02, 4); }),
        with("reorder",
             [](auto& l) {
                 l.reorder = 0.1;
                 l.reorder_delay = 8ms;
             }),
        with("jitter", [](auto& l) { l.jitter = 10ms; }),
        with("duplication", [](auto& l) { l.duplicate = 0.2; }),
        with("tiny_queue", [](auto& l) { l.queue = 6000; }),
        with("corruption_1_percent", [](auto& l) { l.corrupt = 0.01; }),
        with("outage_2_seconds",
             [](auto& l) {
                 l.outages = {{200ms, 2200ms}};
             }),
        with("everything",
             [](auto& l) {
                 l.loss = sim::loss_config::bursts(0.01, 2);
                 l.jitter = 5ms;
                 l.reorder = l.duplicate = 0.05;
                 l.corrupt = 0.005;
                 l.queue = 30'000;
             }),
    };
}

std::vector<std::uint8_t> random_bytes(std::uint64_t with_seed) {
    std::vector<std::uint8_t> bytes(bytes_each_way);
    random_source(with_seed).fill(bytes);
    return bytes;
}

struct outcome {
    sim::run_result how;
    duration took;
    std::uint64_t packets;
    friend bool operator==(const outcome&, const outcome&) = default;
};

outcome run(sim::node& client, sim::node& server, const sim::link_config& link, const exchange& a, const exchange& b) {
    sim::network network(seed());
    const auto c = network.attach(client, client_end.address);
    const auto s = network.attach(server, server_end.address);
    network.connect(c, s, link);
    const auto how = network.run(sim::event_queue::start + deadline, [&] { return a.complete() && b.complete(); });
    return {how, network.now() - sim::event_queue::start, network.packets()};
}

class over_link : public testing::TestWithParam<link_case> {
protected:
    std::vector<std::uint8_t> up = random_bytes(seed()), down = random_bytes(seed() + 1);
    exchange at_client{up, down}, at_server{down, up};

    void expect_complete(const outcome& o) {
        EXPECT_EQ(o.how, sim::run_result::finished) << "seed " << seed() << " after " << o.took / 1ms << " ms";
        EXPECT_TRUE(at_client.complete()) << at_client.failure;
        EXPECT_TRUE(at_server.complete()) << at_server.failure;
    }
    outcome over_quic() {
        static tls::error why;
        static const auto identity = sim::credentials::make(why);
        if (!identity) ADD_FAILURE() << why.text;
        quic::config config;
        config.max_datagram_size = 1472;
        config.handshake_timeout = 60s;  // a burst that lasts for eight packets lasts for seconds of probes
        const auto client = quic_peer::client(*identity, config, at_client, seed() + 2);
        const auto server = quic_peer::server(*identity, config, at_server, seed() + 3);
        return run(*client, *server, GetParam().link, at_client, at_server);
    }
    outcome over_tcp() {
        tcp_peer client(true, {}, at_client, seed() + 2), server(false, {}, at_server, seed() + 3);
        return run(client, server, GetParam().link, at_client, at_server);
    }
};

TEST_P(over_link, quic) { expect_complete(over_quic()); }
TEST_P(over_link, tcp) { expect_complete(over_tcp()); }

TEST_P(over_link, quic_again_the_same) {
    const auto first = over_quic();
    at_client = {up, down};
    at_server = {down, up};
    EXPECT_EQ(over_quic(), first) << "seed " << seed();
}
TEST_P(over_link, tcp_again_the_same) {
    const auto first = over_tcp();
    at_client = {up, down};
    at_server = {down, up};
    EXPECT_EQ(over_tcp(), first) << "seed " << seed();
}

INSTANTIATE_TEST_SUITE_P(scenarios, over_link, testing::ValuesIn(links()),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace tandem::test
