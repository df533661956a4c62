// Fewer acknowledgments, as the sender wants them (draft-ietf-quic-ack-frequency).
#include <gtest/gtest.h>

#include <tandem/quic/ack_frequency.hpp>

#include "../seed.hpp"
#include "hostile_client.hpp"
#include "pipe.hpp"

namespace tandem::quic::test {
namespace {

pipe::options agreeing(bool client, bool server) {
    auto o = pipe::defaults();
    o.client.ack_frequency = client;
    o.server.accepted.ack_frequency = server;
    return o;
}

// ACKs that the client sends for a transfer to it.
std::uint64_t acks_for(pipe& p, std::uint64_t bytes) {
    const auto before = p.client_connection()->statistics().acks_sent;
    transfer down(p, false, bytes);
    EXPECT_TRUE(run_transfers(p, {&down}, 60s));
    return p.client_connection()->statistics().acks_sent - before;
}

TEST(AckFrequency, ALargeWindowNeedsFewerAcks) {
    std::uint64_t acks[2];
    duration took[2];
    for (const bool agreed : {false, true}) {
        pipe p(agreeing(agreed, true));
        time_point last;
        p.on_wire = [&](flying& f) {  // batches would hide it: each datagram arrives alone
            if (f.to_server) return true;
            last = std::max(last + 20us, p.now + 10ms);
            f.delay = last - p.now;
            return true;
        };
        ASSERT_TRUE(p.handshake());
        const auto begin = p.now;
        acks[agreed] = acks_for(p, 4'000'000);
        took[agreed] = p.now - begin;
    }
    EXPECT_LT(acks[true] * 3, acks[false]) << acks[true] << " of " << acks[false];
    EXPECT_LT(took[true], took[false] * 5 / 4);
    RecordProperty("acks", static_cast<int>(acks[true]));
    RecordProperty("acks_without", static_cast<int>(acks[false]));
}

TEST(AckFrequency, NothingIsSentToThoseWhoDoNotListen) {
    for (const bool client : {false, true}) {
        pipe p(agreeing(client, !client));
        ASSERT_TRUE(p.handshake());
        transfer up(p, true, 1'000'000), down(p, false, 1'000'000);
        EXPECT_TRUE(run_transfers(p, {&up, &down}, 60s));  // the frame would be an error
        EXPECT_EQ(p.client_connection()->state(), connection_state::established);
    }
}

TEST(AckFrequency, LossIsFoundAndRepaired) {
    random_source random(tandem::test::seed());
    for (const bool agreed : {false, true}) {
        pipe p(agreeing(agreed, agreed));
        ASSERT_TRUE(p.handshake());
        p.on_wire = [&](flying&) { return random.below(50) != 0; };
        transfer up(p, true, 2'000'000), down(p, false, 2'000'000);
        EXPECT_TRUE(run_transfers(p, {&up, &down}, 120s)) << agreed;
    }
}

TEST(AckFrequency, MovingAsksAnew) {
    pipe p(agreeing(true, true));
    ASSERT_TRUE(p.handshake());
    transfer up(p, true, 4'000'000);
    ASSERT_TRUE(run_transfers(p, {&up}, 60s));
    ASSERT_TRUE(p.client_connection()->migrate({ip_address::v4(192, 0, 2, 99), 1234}, p.now));
    transfer more(p, true, 4'000'000);
    const auto begin = p.now;
    ASSERT_TRUE(run_transfers(p, {&more}, 60s));
    EXPECT_LT(p.now - begin, 1500ms);  // no waiting for ACKs that were asked to be rare
}

TEST(AckFrequency, PolicyIsBounded) {
    recovery::reordering_tolerance tolerance;
    for (const std::uint64_t window : {2u, 10u, 16u, 100u, 10'000u}) {
        recovery::sender path(
            {.controller = {
                 .kind = recovery::controller_kind::fixed_window, .max_datagram_size = 1200, .fixed_window = window * 1200}});
        ack_frequency f;
        std::array<std::uint8_t, 64> room;
        frame_writer out(room);
        sent_frames contents;
        f.consider(path, tolerance);
        EXPECT_FALSE(f.wants_to_send());  // the peer did not offer it
        f.set_peer(3ms, 25ms);
        f.consider(path, tolerance);
        EXPECT_EQ(f.wants_to_send(), window >= 16) << window;
        EXPECT_EQ(f.max_ack_delay(), 25ms);
        if (!f.wants_to_send()) continue;
        f.write_frame(out, contents);
        EXPECT_EQ(f.asked().threshold, std::clamp<std::uint64_t>(window / 8, 1, ack_frequency::max_threshold));
        EXPECT_EQ(f.asked().reordering, 3u);
        EXPECT_EQ(f.asked().max_ack_delay, 41'625u);  // an eighth of 333 ms
        EXPECT_EQ(f.max_ack_delay(), 41'625us);       // the longer one while it is under way
        f.consider(path, tolerance);
        EXPECT_FALSE(f.wants_to_send());  // nothing has changed
        f.lost(ack_frequency_token{0});
        ASSERT_TRUE(f.wants_to_send());
        f.write_frame(out, contents);
        EXPECT_EQ(f.asked().sequence, 1u);
        f.acknowledged(ack_frequency_token{1});
        EXPECT_EQ(f.max_ack_delay(), 41'625us);
        path.rtt().update(1ms, 0ms);
        f.consider(path, tolerance);
        f.write_frame(out, contents);
        EXPECT_EQ(f.asked().max_ack_delay, 3'000u);  // the peer cannot do less
        EXPECT_EQ(f.max_ack_delay(), 41'625us);
        f.acknowledged(ack_frequency_token{2});
        EXPECT_EQ(f.max_ack_delay(), 3ms);
    }
}

TEST(AckFrequency, AnswersToFramesThatAreNotPermitted) {
    const auto answer = [](bool offered, const hostile_client::writer_function& frames) {
        auto settings = pipe::defaults().server;
        settings.accepted.ack_frequency = offered;
        endpoint server(settings, 7);
        hostile_client client(server);
        EXPECT_TRUE(client.handshake());
        client.send(encryption_level::one_rtt, frames);
        client.receive_all();
        return client.close_code();
    };
    const auto code = [](transport_error e) { return static_cast<std::uint64_t>(e); };
    const auto frequency = [](std::uint64_t delay) {
        return [delay](frame_writer& out) { out.write(ack_frequency_frame{.max_ack_delay = delay}); };
    };
    const auto immediate = [](frame_writer& out) { out.write(immediate_ack_frame{}); };
    EXPECT_EQ(answer(false, frequency(25'000)), code(transport_error::frame_encoding_error));
    EXPECT_EQ(answer(false, immediate), code(transport_error::frame_encoding_error));
    EXPECT_EQ(answer(true, frequency(999)), code(transport_error::protocol_violation));
    EXPECT_EQ(answer(true, frequency(16'384'000)), code(transport_error::protocol_violation));
    EXPECT_EQ(answer(true, frequency(1000)), std::nullopt);
    EXPECT_EQ(answer(true, immediate), std::nullopt);
}

TEST(AckFrequency, ImmediateAckIsAnsweredWithoutDelay) {
    endpoint server(pipe::defaults().server, 7);
    hostile_client client(server);
    ASSERT_TRUE(client.handshake());
    client.acknowledge(encryption_level::one_rtt);
    client.receive_all();
    const auto before = client.datagrams_received;
    client.send(encryption_level::one_rtt, [](frame_writer& out) { out.write(ping_frame{}); });
    client.receive_all();
    EXPECT_EQ(client.datagrams_received, before);
    client.send(encryption_level::one_rtt, [](frame_writer& out) { out.write(ack_frequency_frame{0, 1000, 1'000'000, 0}); });
    client.receive_all();
    client.send(encryption_level::one_rtt, [](frame_writer& out) { out.write(ping_frame{}); });
    client.receive_all();
    EXPECT_EQ(client.datagrams_received, before);
    client.send(encryption_level::one_rtt, [](frame_writer& out) { out.write(immediate_ack_frame{}); });
    client.receive_all();
    EXPECT_EQ(client.datagrams_received, before + 1);
}

}  // namespace
}  // namespace tandem::quic::test
