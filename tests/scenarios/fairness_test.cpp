// A QUIC flow and a TCP flow with the same controller and the same round trip share a bottleneck, for a minute of virtual time.
#include <gtest/gtest.h>

#include "scenarios/transfer.hpp"
#include "seed.hpp"

namespace tandem::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t rate = 4'000'000;  // bits per second
constexpr std::size_t more_than_fits = 40'000'000;
const ip_endpoint tcp_client_end{ip_address::v4(192, 0, 2, 2), 50000};
const ip_endpoint tcp_server_end{ip_address::v4(198, 51, 100, 2), 443};

class fairness : public testing::TestWithParam<recovery::controller_kind> {};

TEST_P(fairness, quic_and_tcp_get_the_same) {
    tls::error why;
    const auto identity = sim::credentials::make(why);
    ASSERT_TRUE(identity) << why.text;
    const std::vector<std::uint8_t> data(more_than_fits);
    exchange quic_up{data, {}}, quic_down{{}, data}, tcp_up{data, {}}, tcp_down{{}, data};
    quic::config over_quic;
    over_quic.controller = GetParam();
    over_quic.max_datagram_size = 1472;  // the same packets as TCP's
    over_quic.mtu_discovery = false;
    tcp::config over_tcp;
    over_tcp.controller.kind = GetParam();
    const auto quic_client = quic_peer::client(*identity, over_quic, quic_up, seed() + 1);
    const auto quic_server = quic_peer::server(*identity, over_quic, quic_down, seed() + 2);
    tcp_peer tcp_client(true, over_tcp, tcp_up, seed() + 3, tcp_client_end, tcp_server_end);
    tcp_peer tcp_server(false, over_tcp, tcp_down, seed() + 4, tcp_client_end, tcp_server_end);

    sim::network network(seed());
    const auto qc = network.attach(*quic_client, client_end.address), qs = network.attach(*quic_server, server_end.address);
    const auto tc = network.attach(tcp_client, tcp_client_end.address), ts = network.attach(tcp_server, tcp_server_end.address);
    network.connect(qc, qs, {.rate = rate, .delay = 25ms, .queue = 50'000});  // twice what the path holds
    network.share(qc, qs, tc, ts);
    network.share(qs, qc, ts, tc);
    network.run(sim::event_queue::start + 60s);

    ASSERT_FALSE(quic_down.wrong() || tcp_down.wrong());
    const auto x = static_cast<double>(quic_down.bytes_received()), y = static_cast<double>(tcp_down.bytes_received());
    const double jain = (x + y) * (x + y) / (2 * (x * x + y * y));
    EXPECT_GE(jain, 0.95) << "QUIC " << x << ", TCP " << y << ", seed " << seed();
    EXPECT_GE(x + y, rate / 8 * 60 * 0.85) << "QUIC " << x << ", TCP " << y;
    RecordProperty("jain", std::to_string(jain));
}

INSTANTIATE_TEST_SUITE_P(of, fairness,
                         testing::Values(recovery::controller_kind::new_reno, recovery::controller_kind::cubic,
                                         recovery::controller_kind::bbr),
                         [](const auto& i) { return std::string(to_string(i.param)); });

}  // namespace
}  // namespace tandem::test
