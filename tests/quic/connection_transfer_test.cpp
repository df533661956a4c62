// Bytes in both directions, on good wires and bad.
#include <gtest/gtest.h>

#include <list>

#include <tandem/bytes/random.hpp>

#include "allocation_counter.hpp"
#include "pipe.hpp"
#include "seed.hpp"

namespace tandem::quic::test {
namespace {

TEST(ConnectionTransfer, OneMegabyteEachWay) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    transfer up(p, true, 1'000'000);
    transfer down(p, false, 1'000'000);
    EXPECT_TRUE(run_transfers(p, {&up, &down}, 60s));
    EXPECT_EQ(p.client_connection()->statistics().packets_lost, 0u);
    EXPECT_EQ(p.server_connection()->statistics().packets_lost, 0u);
}

TEST(ConnectionTransfer, LongTransfersLeaveAsTrains) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    transfer down(p, false, 4'000'000);
    EXPECT_TRUE(run_transfers(p, {&down}, 60s));
    EXPECT_GE(p.max_train, 10u);
}

TEST(ConnectionTransfer, EmptyStream) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    transfer up(p, true, 0);
    EXPECT_TRUE(run_transfers(p, {&up}, 1s));
}

TEST(ConnectionTransfer, RequestAndResponseOnOneStream) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    auto* client = p.client_connection();
    const auto id = client->open(direction::bidirectional);
    ASSERT_TRUE(id);
    const std::vector<std::uint8_t> hello{1, 2, 3};
    EXPECT_EQ(client->write(*id, hello, true, p.now), 3u);
    std::vector<std::uint8_t> got(10);
    p.on_server_event = [&](endpoint_event& e) {
        const auto* s = std::get_if<stream_event>(&e.event);
        if (s == nullptr || s->kind != stream_event_kind::readable) return;
        auto* server = p.server.find(e.connection);
        const auto read = server->read(s->id, got, p.now);
        EXPECT_EQ(read.n, 3u);
        EXPECT_TRUE(read.end);
        server->write(s->id, std::span(got).first(3), true, p.now);
    };
    bool answered = false;
    const auto begin = p.now;
    p.run_for(1s, [&] {
        const auto read = client->read(*id, got, p.now);
        answered = answered || read.end;
        return answered;
    });
    EXPECT_TRUE(answered);
    EXPECT_EQ(p.now - begin, 20ms);
}

TEST(ConnectionTransfer, ManyStreams) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    std::list<transfer> all;
    std::vector<transfer*> pointers;
    for (int i = 0; i < 100; ++i) {
        pointers.push_back(&all.emplace_back(p, true, 5'000 + i * 100));
        pointers.push_back(&all.emplace_back(p, false, 5'000 + i * 100));
    }
    EXPECT_TRUE(run_transfers(p, pointers, 60s));
}

TEST(ConnectionTransfer, MoreStreamsThanTheLimitOneAfterTheOther) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    for (int i = 0; i < 350; ++i) {
        transfer up(p, true, 500);
        ASSERT_TRUE(run_transfers(p, {&up}, 10s)) << i;
        ASSERT_TRUE(p.run_for(10s, [&] { return p.client_connection()->can_open(direction::unidirectional); })) << i;
    }
}

TEST(ConnectionTransfer, SurvivesLoss) {
    random_source random(tandem::test::seed());
    for (const double loss : {0.01, 0.05, 0.2}) {
        pipe p;
        ASSERT_TRUE(p.handshake());
        p.on_wire = [&](flying&) { return random.uniform() >= loss; };
        transfer up(p, true, 300'000);
        transfer down(p, false, 300'000);
        EXPECT_TRUE(run_transfers(p, {&up, &down}, 300s)) << loss;
        if (loss > 0.01) {
            EXPECT_GT(p.client_connection()->statistics().packets_lost, 0u);
        }
    }
}

TEST(ConnectionTransfer, SurvivesReorderingDuplicationAndDamage) {
    random_source random(tandem::test::seed());
    pipe p;
    ASSERT_TRUE(p.handshake());
    std::vector<flying> copies;
    p.on_wire = [&](flying& f) {
        f.delay += std::chrono::microseconds(random.below(8'000));
        if (random.below(20) == 0) copies.push_back(f);
        if (random.below(50) == 0) f.bytes[random.below(f.bytes.size())] ^= 0x55;
        return true;
    };
    transfer up(p, true, 500'000);
    transfer down(p, false, 500'000);
    EXPECT_TRUE(p.run_for(300s, [&] {
        for (auto& f : std::exchange(copies, {})) p.deliver(f);
        up.step();
        down.step();
        return up.done() && down.done();
    }));
    EXPECT_GT(p.server_connection()->statistics().dropped[drop_reason::duplicate], 0u);
    EXPECT_GT(p.server_connection()->statistics().dropped.total(), 0u);
}

// Every combination of two controllers, with a link that takes 10 Mbit/s and queues 50 datagrams.
TEST(ConnectionTransfer, FillsALinkOfLimitedRate) {
    for (const auto kind : {recovery::controller_kind::new_reno, recovery::controller_kind::cubic}) {
        auto o = pipe::defaults();
        o.server.accepted.controller = kind;
        pipe p(o);
        ASSERT_TRUE(p.handshake());
        time_point free_at;
        p.on_wire = [&](flying& f) {
            if (f.to_server) return true;
            const duration serialization{static_cast<std::int64_t>(f.bytes.size()) * 800};  // 8 bits at 10 Mbit/s
            free_at = std::max(free_at, p.now);
            if (free_at - p.now > 50 * duration(960'000)) return false;
            free_at += serialization;
            f.delay += free_at - p.now;
            return true;
        };
        const auto begin = p.now;
        transfer down(p, false, 5'000'000);
        ASSERT_TRUE(run_transfers(p, {&down}, 60s));
        const auto seconds = std::chrono::duration<double>(p.now - begin).count();
        EXPECT_LT(seconds, 4.0 * 1.5) << "4 seconds are what the link needs at least";
    }
}

TEST(ConnectionTransfer, OneAckForABatch) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.run_for(1s);
    transfer down(p, false, 2'000'000);
    const auto before = p.client_connection()->statistics();
    ASSERT_TRUE(run_transfers(p, {&down}, 60s));
    const auto after = p.client_connection()->statistics();
    const auto received = after.packets_received - before.packets_received;
    const auto acks = after.acks_sent - before.acks_sent;
    EXPECT_LT(acks * 4, received) << "what arrives together is acknowledged together";
}

TEST(ConnectionTransfer, KeysAreUpdatedOnTheWay) {
    random_source random(tandem::test::seed());
    for (const bool both : {false, true}) {
        auto o = pipe::defaults();
        o.server.accepted.packets_per_key = 50;
        if (both) o.client.packets_per_key = 20;
        pipe p(o);
        ASSERT_TRUE(p.handshake());
        p.on_wire = [&](flying& f) {
            f.delay += std::chrono::microseconds(random.below(3'000));
            return random.below(50) != 0;
        };
        transfer up(p, true, 300'000);
        transfer down(p, false, 3'000'000);
        ASSERT_TRUE(run_transfers(p, {&up, &down}, 60s)) << both;
        EXPECT_EQ(p.client_connection()->state(), connection_state::established);
        EXPECT_EQ(p.client_connection()->statistics().dropped[drop_reason::undecryptable], 0u);
        EXPECT_EQ(p.server_connection()->statistics().dropped[drop_reason::undecryptable], 0u);
        EXPECT_GT(p.server_connection()->statistics().key_updates, 2u);
        EXPECT_GT(p.client_connection()->statistics().key_updates, 2u) << "the peer's are followed";
    }
}

TEST(ConnectionTransfer, EcnMarksAreValidatedAndHeeded) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    transfer first(p, false, 100'000);
    ASSERT_TRUE(run_transfers(p, {&first}, 10s));
    EXPECT_TRUE(p.server_connection()->statistics().ecn_capable);
    bool marked = false;
    p.on_wire = [&](flying& f) {
        if (!f.to_server && f.mark == ecn::ect0 && !marked) {
            f.mark = ecn::ce;
            marked = true;
        }
        return true;
    };
    transfer second(p, false, 20'000);
    ASSERT_TRUE(run_transfers(p, {&second}, 10s));
    p.run_for(100ms);
    EXPECT_TRUE(marked);
    const auto after = p.server_connection()->statistics();
    EXPECT_LT(after.ssthresh, 1'000'000u) << "the window was reduced";
    EXPECT_EQ(after.packets_lost, 0u);
}

TEST(ConnectionTransfer, EcnIsGivenUpWhereMarksAreCleared) {
    pipe p;
    p.on_wire = [&](flying& f) {
        f.mark = ecn::not_ect;
        return true;
    };
    ASSERT_TRUE(p.handshake());
    transfer down(p, false, 100'000);
    ASSERT_TRUE(run_transfers(p, {&down}, 10s));
    EXPECT_FALSE(p.server_connection()->statistics().ecn_capable);
    bool any = false;
    p.on_wire = [&](flying& f) {
        any = any || f.mark != ecn::not_ect;
        return true;
    };
    transfer again(p, false, 100'000);
    ASSERT_TRUE(run_transfers(p, {&again}, 10s));
    EXPECT_FALSE(any);
}

}  // namespace
}  // namespace tandem::quic::test
