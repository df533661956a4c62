// What limits a connection, for how long: the same words for QUIC and for TCP.
#include <gtest/gtest.h>

#include "quic/pipe.hpp"
#include "tcp/hosts.hpp"

namespace tandem::qlog::test {
namespace {

using namespace std::chrono_literals;
using recovery::limited_by;

TEST(limit_clock, the_times_add_up) {
    const time_point start{7s};
    recovery::limit_clock clock(start);
    EXPECT_EQ(clock.current(), limited_by::application);
    EXPECT_TRUE(clock.set(limited_by::pacing, start + 1s));
    EXPECT_FALSE(clock.set(limited_by::pacing, start + 2s));
    EXPECT_TRUE(clock.set(limited_by::congestion_window, start + 4s));
    const auto times = clock.at(start + 10s);
    EXPECT_EQ(times[limited_by::application], 1s);
    EXPECT_EQ(times[limited_by::pacing], 3s);
    EXPECT_EQ(times[limited_by::congestion_window], 6s);
    EXPECT_EQ(times.total(), 10s);
    EXPECT_EQ(times.busy(), 9s);
}

using quic::test::pipe;
using quic::test::run_transfers;
using quic::test::transfer;

TEST(quic_summary, an_idle_connection_waits_for_its_application) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.run_for(10s);
    const auto s = p.client_connection()->summary(p.now);
    EXPECT_EQ(s.limited, limited_by::application);
    EXPECT_EQ(s.limits.total(), s.age);
    EXPECT_GT(s.limits[limited_by::application], 9s);
    EXPECT_GT(s.path.smoothed_rtt, 19ms);
    EXPECT_TRUE(s.path.validated);
    EXPECT_EQ(s.path.addresses.remote, pipe::server_address);
}

TEST(quic_summary, a_transfer_is_limited_by_its_window_or_its_pacer) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    transfer t(p, true, 1'000'000);
    ASSERT_TRUE(run_transfers(p, {&t}, 60s));
    const auto s = p.client_connection()->summary(p.now);
    EXPECT_EQ(s.limits.total(), s.age);
    EXPECT_GT(s.limits[limited_by::congestion_window] + s.limits[limited_by::pacing], s.limits.busy() / 2);
    EXPECT_EQ(s.limits[limited_by::amplification], 0s);
}

TEST(quic_summary, credit_that_nobody_gives_limits) {
    auto o = pipe::defaults();
    o.server.accepted.initial_stream_window = o.server.accepted.max_stream_window = 20'000;
    pipe p(o);
    ASSERT_TRUE(p.handshake());
    auto* c = p.client_connection();
    const auto id = *c->open(quic::direction::unidirectional);
    const std::vector<std::uint8_t> data(100'000);
    const auto taken = c->write(id, data, false, p.now);
    p.run_for(3s);
    const auto s = c->summary(p.now);
    EXPECT_EQ(s.limited, limited_by::flow_control);
    EXPECT_GT(s.limits[limited_by::flow_control], 2s);
    const auto stream = c->summary(id);
    ASSERT_TRUE(stream);
    EXPECT_EQ(stream->id, id.value);
    EXPECT_EQ(stream->written, taken);
    EXPECT_EQ(stream->send_limit, 20'000u);
    EXPECT_EQ(stream->acknowledged, 20'000u);
    EXPECT_EQ(stream->unsent, taken - 20'000);
    const auto there = p.server_connection()->summary(id);
    ASSERT_TRUE(there);
    EXPECT_EQ(there->received, 20'000u);
    EXPECT_EQ(there->read, 0u);
    EXPECT_EQ(there->receive_limit, 20'000u);
    EXPECT_FALSE(c->summary(quic::stream_id(400)));
}

TEST(quic_summary, an_unproven_address_limits_a_server_with_a_large_certificate) {
    pipe p(pipe::defaults(quic::test::large_localhost()));
    p.connect();
    std::uint64_t datagrams = 0;
    p.on_wire = [&](quic::test::flying& f) { return !f.to_server || datagrams++ == 0; };
    p.run_for(500ms);
    ASSERT_FALSE(p.server_events.empty());
    p.server_handle = p.server_events.front().connection;
    const auto s = p.server_connection()->summary(p.now);
    EXPECT_EQ(s.limited, limited_by::amplification);
    EXPECT_GT(s.limits[limited_by::amplification], 300ms);
}

struct tcp_pair {
    explicit tcp_pair(tcp::config c = {}) : net(3) {
        const ip_endpoint service{tcp::test::server_address, 80};
        net.server.listen(service, {.connection = c});
        client = net.client.connect({tcp::test::client_address, 0}, service, c, net.now);
        net.application = [&] {
            while (net.client.poll_event()) {
            }
            while (const auto e = net.server.poll_event()) {
                if (e->what == tcp::event::accepted) server = e->connection;
            }
            if (auto* to = net.server.find(server); to != nullptr && read) {
                while (to->readable() > 0) to->consume(to->front().size(), net.now);
            }
        };
        net.run_for(1s);
    }
    recovery::connection_statistics summary() { return net.client.find(client)->summary(net.now); }

    bool read = true;
    tcp::test::hosts net;
    tcp::connection_handle client, server;
};

TEST(tcp_summary, an_idle_connection_waits_for_its_application) {
    tcp_pair p;
    p.net.run_for(5s);
    const auto s = p.summary();
    EXPECT_EQ(s.limited, limited_by::application);
    EXPECT_EQ(s.limits.total(), s.age);
    EXPECT_EQ(s.limits.busy(), 0s);
    EXPECT_GT(s.path.smoothed_rtt, 19ms);
}

TEST(tcp_summary, a_closed_window_limits) {
    tcp_pair p;
    p.read = false;
    const std::vector<std::uint8_t> data(500'000);
    const auto written = p.net.client.find(p.client)->write(data);
    ASSERT_GT(written, 300'000u);
    p.net.run_for(10s);
    const auto s = p.summary();
    EXPECT_EQ(s.limited, limited_by::receive_window);
    EXPECT_GT(s.limits[limited_by::receive_window], 8s);
    EXPECT_EQ(s.limits.total(), s.age);
    const auto stream = p.net.client.find(p.client)->stream_summary();
    EXPECT_EQ(stream.written, written);
    EXPECT_EQ(stream.acknowledged, stream.send_limit);
    EXPECT_EQ(p.net.server.find(p.server)->stream_summary().received, stream.acknowledged);
}

TEST(tcp_summary, a_second_small_segment_waits_for_nagle) {
    tcp_pair p;
    const std::vector<std::uint8_t> little(100);
    p.net.client.find(p.client)->write(little);
    p.net.step(p.net.now + 1ms);  // leaves
    p.net.client.find(p.client)->write(little);
    p.net.run_for(5ms);
    EXPECT_EQ(p.summary().limited, limited_by::nagle);
    p.net.run_for(1s);
    EXPECT_EQ(p.summary().limited, limited_by::application);
    EXPECT_GT(p.summary().limits[limited_by::nagle], 10ms);
}

TEST(tcp_summary, a_transfer_is_limited_by_its_window_or_its_pacer) {
    tcp_pair p;
    const std::vector<std::uint8_t> data(500'000);
    p.net.client.find(p.client)->write(data);
    p.net.run_for(150ms);
    const auto s = p.summary();
    EXPECT_GT(s.limits[limited_by::congestion_window] + s.limits[limited_by::pacing], s.limits.busy() / 2);
    EXPECT_GT(s.limits.busy(), 50ms);
}

}  // namespace
}  // namespace tandem::qlog::test
