// Probe timeouts, loss, acknowledgments: when what is sent, to the nanosecond.
#include <gtest/gtest.h>

#include <tandem/quic/trace.hpp>

#include "allocation_counter.hpp"
#include "pipe.hpp"

namespace tandem::quic::test {
namespace {

struct recorder : connection_trace {
    struct packet {
        time_point now;
        packet_number number;
        bool ack_eliciting;
        std::vector<traced_stream_data> data;
    };
    void on_packet_sent(const traced_packet& p) override {
        packets.push_back({p.now, p.number, p.ack_eliciting, {p.stream_data.begin(), p.stream_data.end()}});
    }
    void on_congestion_sample(const congestion_sample& s) override { samples.push_back(s); }

    std::vector<packet> packets;
    std::vector<congestion_sample> samples;
};

TEST(ConnectionRecovery, TailLossIsProbedAfterOnePto) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.run_for(2s);
    recorder trace;
    p.client_connection()->set_trace(&trace);
    bool lose = true;
    p.on_wire = [&](flying& f) { return !(f.to_server && std::exchange(lose, false)); };
    const auto begin = p.now;
    const auto stats = p.client_connection()->statistics();
    transfer up(p, true, 100);
    ASSERT_TRUE(run_transfers(p, {&up}, 5s));
    // RFC 9002 6.2.1: smoothed RTT, four times its variation (a millisecond at least), and the peer's ACK delay of 25 ms.
    const auto pto = stats.smoothed_rtt + std::max<duration>(4 * stats.rtt_variation, 1ms) + 25ms;
    ASSERT_GE(trace.packets.size(), 2u);
    EXPECT_EQ(trace.packets[0].now, begin);
    EXPECT_EQ(trace.packets[1].now, begin + pto);
    ASSERT_EQ(trace.packets[1].data.size(), 1u) << "the probe carries what may be lost";
    EXPECT_EQ(trace.packets[1].data[0].length, 100u);
    EXPECT_TRUE(trace.packets[1].data[0].fin);
    p.client_connection()->set_trace(nullptr);
}

TEST(ConnectionRecovery, ProbeTimeoutDoubles) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.run_for(2s);
    recorder trace;
    p.client_connection()->set_trace(&trace);
    p.on_wire = [&](flying& f) { return !f.to_server; };
    transfer up(p, true, 100);
    up.step();
    p.run_for(3s);
    std::vector<time_point> times;
    for (const auto& each : trace.packets) {
        if (times.empty() || each.now != times.back()) times.push_back(each.now);
    }
    ASSERT_GE(times.size(), 5u);
    for (std::size_t i = 2; i < times.size(); ++i) EXPECT_EQ(times[i] - times[i - 1], 2 * (times[i - 1] - times[i - 2])) << i;
    // RFC 9002 6.2.4: two datagrams each time.
    EXPECT_EQ(std::count_if(trace.packets.begin(), trace.packets.end(), [&](const auto& each) { return each.now == times[1]; }),
              2);
    EXPECT_EQ(p.client_connection()->statistics().packets_lost, 0u) << "a timeout by itself loses nothing";
    p.client_connection()->set_trace(nullptr);
}

TEST(ConnectionRecovery, LossIsRepairedWithinARoundTrip) {
    auto o = pipe::defaults();
    o.server.accepted.pacing = false;
    pipe p(o);
    ASSERT_TRUE(p.handshake());
    p.run_for(2s);
    std::uint64_t count = 0;
    p.on_wire = [&](flying& f) { return f.to_server || ++count != 3; };
    const auto begin = p.now;
    transfer down(p, false, 10'000);
    ASSERT_TRUE(run_transfers(p, {&down}, 5s));
    // Data 10 ms, ACK 10 ms, the lost packet again 10 ms.
    EXPECT_EQ(down.finished_at() - begin, 30ms);
    EXPECT_EQ(p.server_connection()->statistics().packets_lost, 1u);
    EXPECT_EQ(p.server_connection()->statistics().packets_spurious, 0u);
}

TEST(ConnectionRecovery, DelayedAckComesAfterMaxAckDelay) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.run_for(2s);
    time_point acknowledged;
    p.on_wire = [&](flying& f) {
        if (!f.to_server) acknowledged = p.now;
        return true;
    };
    const auto begin = p.now;
    p.client_connection()->ping();
    p.run_for(1s);
    EXPECT_EQ(acknowledged - begin, 10ms + 25ms);
}

TEST(ConnectionRecovery, SpuriousLossIsUndone) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.run_for(2s);
    transfer warm(p, false, 300'000);
    ASSERT_TRUE(run_transfers(p, {&warm}, 30s));
    std::uint64_t count = 0;
    p.on_wire = [&](flying& f) {
        if (!f.to_server && ++count == 5) f.delay += 25ms;  // later than the tolerance, but it comes
        return true;
    };
    transfer down(p, false, 60'000);
    ASSERT_TRUE(run_transfers(p, {&down}, 30s));
    p.run_for(1s);
    EXPECT_EQ(p.server_connection()->statistics().packets_spurious, 1u);
}

TEST(ConnectionRecovery, CongestionSamplesAndPacketsAreTraced) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    recorder trace;
    p.server_connection()->set_trace(&trace);
    transfer down(p, false, 50'000);
    ASSERT_TRUE(run_transfers(p, {&down}, 5s));
    p.run_for(1s);
    std::uint64_t bytes = 0;
    for (const auto& packet : trace.packets) {
        for (const auto& d : packet.data) bytes += d.length;
    }
    EXPECT_EQ(bytes, 50'000u);
    ASSERT_FALSE(trace.samples.empty());
    EXPECT_EQ(trace.samples.back().bytes_in_flight, 0u);
    EXPECT_GT(trace.samples.back().congestion_window, 12'000u);
    p.server_connection()->set_trace(nullptr);
}

TEST(ConnectionRecovery, WindowIsKept) {
    auto o = pipe::defaults();
    o.server.accepted.controller = recovery::controller_kind::fixed_window;
    o.server.accepted.fixed_window = 24'000;
    pipe p(o);
    ASSERT_TRUE(p.handshake());
    recorder trace;
    p.server_connection()->set_trace(&trace);
    transfer down(p, false, 500'000);
    ASSERT_TRUE(run_transfers(p, {&down}, 30s));
    for (const auto& s : trace.samples) ASSERT_LE(s.bytes_in_flight, 24'000u);
    p.server_connection()->set_trace(nullptr);
}

TEST(ConnectionRecovery, AcknowledgmentsAreAcknowledgedNowAndThen) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    recorder trace;
    p.client_connection()->set_trace(&trace);
    transfer down(p, false, 4'000'000);
    ASSERT_TRUE(run_transfers(p, {&down}, 60s));
    std::size_t alone = 0;
    for (const auto& packet : trace.packets) {
        alone = packet.ack_eliciting ? 0 : alone + 1;
        ASSERT_LE(alone, 33u);
    }
    p.client_connection()->set_trace(nullptr);
}

// Counted over the whole program: both ends, sending and receiving.
TEST(ConnectionRecovery, SteadyStateAllocatesNothing) {
    auto o = pipe::defaults();
    o.server.accepted.controller = recovery::controller_kind::fixed_window;
    o.server.accepted.fixed_window = 100'000;
    o.server.accepted.pacing = false;
    endpoint client({}, 1);
    endpoint server(o.server, 2);
    tls::error why;
    time_point now{1h};
    connect_options c;
    c.remote = pipe::server_address;
    c.local = pipe::client_address;
    c.server_name = "localhost";
    c.tls = localhost().client;
    c.config = o.client;
    const auto handle = client.connect(c, now, why);
    ASSERT_TRUE(handle);
    std::vector<std::uint8_t> buffer(65536);
    std::vector<std::uint8_t> chunk(16384);
    const auto exchange = [&](endpoint& from, endpoint& to) {
        bool moved = false;
        train out;
        out.buffer = buffer;
        while (from.transmit(now, out)) {
            moved = true;
            for (std::size_t i = 0; i < out.count(); ++i) {
                received_datagram d{.payload = out.datagram(i), .path = {out.path.remote, out.path.local}, .mark = out.mark};
                to.receive(d, now);
            }
        }
        return moved;
    };
    connection_handle accepted = 0;
    std::optional<stream_id> id;
    std::uint64_t received = 0;
    std::uint64_t packets = 0;
    const auto step = [&] {
        now += 1ms;
        client.on_timeout(now);
        server.on_timeout(now);
        while (exchange(client, server) || exchange(server, client)) {
        }
        while (auto e = client.poll_event()) {
        }
        while (auto e = server.poll_event()) accepted = e->connection;
        auto* sender = server.find(accepted);
        if (sender != nullptr && sender->handshake_confirmed()) {
            if (!id) id = sender->open(direction::unidirectional);
            while (sender->write(*id, chunk, false, now) == chunk.size()) {
            }
            packets = sender->statistics().packets_sent;
        }
        auto* receiver = client.find(*handle);
        while (id) {
            const auto got = receiver->read(*id, chunk, now);
            received += got.n;
            if (got.n == 0) break;
        }
    };
    for (int i = 0; i < 1000; ++i) step();
    const auto received_before = received;
    const auto packets_before = packets;
    const auto before = tandem::test::allocations();
    for (int i = 0; i < 300; ++i) step();
    EXPECT_EQ(tandem::test::allocations() - before, 0u);
    EXPECT_GT(packets - packets_before, 3'000u);
    EXPECT_GT(received - received_before, 3'000'000u);
}

}  // namespace
}  // namespace tandem::quic::test
