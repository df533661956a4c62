// Unreliable datagrams (RFC 9221).
#include <gtest/gtest.h>

#include <tandem/quic/datagrams.hpp>

#include "hostile_client.hpp"
#include "pipe.hpp"

namespace tandem::quic::test {
namespace {

pipe::options with_datagrams(std::uint64_t client = 65535, std::uint64_t server = 65535) {
    auto o = pipe::defaults();
    o.client.max_datagram_frame_size = client;
    o.server.accepted.max_datagram_frame_size = server;
    return o;
}

std::vector<std::uint8_t> numbered(std::size_t size, std::uint8_t n) { return std::vector<std::uint8_t>(size, n); }

TEST(Datagrams, GoBothWays) {
    pipe p(with_datagrams());
    ASSERT_TRUE(p.handshake());
    for (std::uint8_t i = 0; i < 10; ++i) {
        EXPECT_EQ(p.client_connection()->send_datagram(numbered(100, i)), datagram_result::queued);
        EXPECT_EQ(p.server_connection()->send_datagram(numbered(i, i)), datagram_result::queued);
    }
    p.run_for(100ms);
    EXPECT_EQ(events_of<datagrams_available>(p.server_events).size(), 1u);
    for (std::uint8_t i = 0; i < 10; ++i) {
        EXPECT_EQ(p.server_connection()->receive_datagram(), numbered(100, i));
        EXPECT_EQ(p.client_connection()->receive_datagram(), numbered(i, i));
    }
    EXPECT_FALSE(p.server_connection()->receive_datagram());
    EXPECT_EQ(p.client_connection()->send_datagram(numbered(1, 1)), datagram_result::queued);
    p.run_for(100ms);
    EXPECT_EQ(events_of<datagrams_available>(p.server_events).size(), 2u);
}

TEST(Datagrams, LargestFitsExactly) {
    pipe p(with_datagrams());
    EXPECT_EQ(p.connect(), p.client_handle);
    EXPECT_EQ(p.client_connection()->max_datagram_payload(), 0u);
    EXPECT_EQ(p.client_connection()->send_datagram(numbered(1, 1)), datagram_result::unsupported);
    ASSERT_TRUE(p.handshake());
    const auto most = p.client_connection()->max_datagram_payload();
    EXPECT_GT(most, 1150u);
    EXPECT_EQ(p.client_connection()->send_datagram(numbered(most + 1, 1)), datagram_result::too_large);
    EXPECT_EQ(p.client_connection()->send_datagram(numbered(most, 1)), datagram_result::queued);
    p.run_for(100ms);
    EXPECT_EQ(p.server_connection()->receive_datagram(), numbered(most, 1));
}

TEST(Datagrams, ThePeersLimitIsKept) {
    pipe none(with_datagrams(65535, 0));
    ASSERT_TRUE(none.handshake());
    EXPECT_EQ(none.client_connection()->max_datagram_payload(), 0u);
    EXPECT_EQ(none.client_connection()->send_datagram(numbered(1, 1)), datagram_result::unsupported);
    EXPECT_EQ(none.server_connection()->send_datagram(numbered(1, 1)), datagram_result::queued);  // each way for itself
    pipe small(with_datagrams(65535, 100));
    ASSERT_TRUE(small.handshake());
    EXPECT_EQ(small.client_connection()->max_datagram_payload(), 97u);  // type, two bytes of length
    EXPECT_EQ(small.client_connection()->send_datagram(numbered(97, 1)), datagram_result::queued);
    small.run_for(100ms);
    EXPECT_TRUE(small.server_connection()->receive_datagram());
}

TEST(Datagrams, AreNotSentAgainAndDoNotHoldUpStreams) {
    pipe p(with_datagrams());
    ASSERT_TRUE(p.handshake());
    bool lose = true;
    p.on_wire = [&](flying& f) { return !(f.to_server && std::exchange(lose, false)); };
    p.client_connection()->send_datagram(numbered(50, 1));
    p.run_for(10ms);
    transfer up(p, true, 200'000);
    p.client_connection()->send_datagram(numbered(50, 2));
    ASSERT_TRUE(run_transfers(p, {&up}, 10s));
    EXPECT_EQ(p.server_connection()->receive_datagram(), numbered(50, 2));
    EXPECT_FALSE(p.server_connection()->receive_datagram());
}

TEST(Datagrams, BothQueuesAreBounded) {
    auto o = with_datagrams();
    o.client.datagram_buffer = o.server.accepted.datagram_buffer = 20'000;
    pipe p(o);
    ASSERT_TRUE(p.handshake());
    int queued = 0;
    while (p.client_connection()->send_datagram(numbered(1000, static_cast<std::uint8_t>(queued))) == datagram_result::queued &&
           queued < 1000)
        ++queued;
    EXPECT_EQ(queued, 18);
    for (int i = 0; i < 1000; ++i) {
        p.client_connection()->send_datagram({});
        p.run_for(1ms);
    }
    p.run_for(1s);
    std::size_t bytes = 0, count = 0;
    while (auto d = p.server_connection()->receive_datagram()) bytes += d->size(), ++count;
    EXPECT_LE(bytes + 64 * count, 20'000u);
    EXPECT_GT(count, 0u);
}

TEST(Datagrams, AnswersToThoseThatAreNotPermitted) {
    for (const std::uint64_t limit : {0u, 11u}) {  // 10 bytes take 12 with type and length
        auto settings = pipe::defaults().server;
        settings.accepted.max_datagram_frame_size = limit;
        endpoint server(settings, 7);
        hostile_client client(server);
        ASSERT_TRUE(client.handshake());
        client.send(encryption_level::one_rtt,
                    [](frame_writer& out) { out.write(datagram_frame{std::vector<std::uint8_t>(10)}); });
        client.receive_all();
        ASSERT_TRUE(client.close_code()) << limit;
        EXPECT_EQ(*client.close_code(), static_cast<std::uint64_t>(transport_error::protocol_violation));
    }
}

TEST(Datagrams, OnesThatThePathDoesNotCarryAnyMoreAreDropped) {
    datagrams d(1000, 10'000);
    d.set_peer_limit(65535);
    EXPECT_EQ(d.send(numbered(1000, 1), 1400), datagram_result::queued);
    EXPECT_EQ(d.send(numbered(10, 2), 1400), datagram_result::queued);
    std::vector<std::uint8_t> room(500);
    frame_writer out(room);
    d.write_frames(out);
    EXPECT_EQ(d.dropped_outgoing(), 1u);
    EXPECT_EQ(out.size(), 12u);
    EXPECT_FALSE(d.wants_to_send());
}

}  // namespace
}  // namespace tandem::quic::test
