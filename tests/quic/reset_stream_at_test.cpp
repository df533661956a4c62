// Resetting a stream without giving up its begin (draft-ietf-quic-reliable-stream-reset).
#include <gtest/gtest.h>

#include "hostile_client.hpp"
#include "pipe.hpp"

namespace tandem::quic::test {
namespace {

std::vector<std::uint8_t> bytes(std::size_t n) { return std::vector<std::uint8_t>(n, 7); }

struct outcome {
    std::uint64_t n = 0;
    std::optional<std::uint64_t> reset;
    bool end = false;
};
outcome read_all(connection& c, stream_id id, time_point now) {
    outcome all;
    std::array<std::uint8_t, 4096> room;
    for (;;) {
        const auto r = c.read(id, room, now);
        all.n += r.n;
        all.end = all.end || r.end;
        if (r.reset) all.reset = r.reset;
        if (r.n == 0) return all;
    }
}
std::size_t count(const std::vector<endpoint_event>& events, stream_event_kind kind) {
    const auto all = events_of<stream_event>(events);
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const auto& e) { return e.kind == kind; }));
}

TEST(ResetStreamAt, TheBeginArrivesWhateverIsLost) {
    for (int lose = 0; lose < 8; ++lose) {
        pipe p;
        ASSERT_TRUE(p.handshake());
        int n = 0;
        p.on_wire = [&](flying& f) { return !f.to_server || n++ != lose; };
        auto* c = p.client_connection();
        const auto id = *c->open(direction::unidirectional);
        c->write(id, bytes(5000), false, p.now);
        p.transmit_all();
        c->write(id, bytes(50'000), false, p.now);
        EXPECT_TRUE(c->reset_at(id, 8000, 42, p.now));
        EXPECT_EQ(c->write(id, bytes(1), false, p.now), 0u);
        p.run_for(2s);
        const auto got = read_all(*p.server_connection(), id, p.now);
        EXPECT_GE(got.n, 8000u) << lose;
        EXPECT_LE(got.n, 12'000u);
        EXPECT_EQ(got.reset, 42u);
        EXPECT_FALSE(got.end);
        p.run_for(1s);
        EXPECT_EQ(count(p.server_events, stream_event_kind::reset), 1u);
        EXPECT_EQ(count(p.server_events, stream_event_kind::closed), 1u);
        EXPECT_EQ(count(p.client_events, stream_event_kind::closed), 1u);
        EXPECT_EQ(count(p.client_events, stream_event_kind::finished), 0u);
    }
}

TEST(ResetStreamAt, TheEventComesAfterWhatIsToBeRead) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    auto* c = p.client_connection();
    const auto id = *c->open(direction::unidirectional);
    c->write(id, bytes(100), false, p.now);
    ASSERT_TRUE(c->reset_at(id, 100, 9, p.now));
    p.run_for(100ms);
    EXPECT_EQ(count(p.server_events, stream_event_kind::reset), 0u);
    std::array<std::uint8_t, 60> room;
    auto r = p.server_connection()->read(id, room, p.now);
    EXPECT_EQ(r.n, 60u);
    EXPECT_FALSE(r.reset);
    r = p.server_connection()->read(id, room, p.now);
    EXPECT_EQ(r.n, 40u);
    EXPECT_FALSE(r.reset);
    p.run_for(1ms);
    EXPECT_EQ(count(p.server_events, stream_event_kind::reset), 1u);
    r = p.server_connection()->read(id, room, p.now);
    EXPECT_EQ(r.reset, 9u);
    EXPECT_TRUE(p.server_connection()->read(id, room, p.now).unknown);
}

TEST(ResetStreamAt, PromisesShrinkAndNeverGrow) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    auto* c = p.client_connection();
    const auto id = *c->open(direction::unidirectional);
    bool hold = true;
    p.on_wire = [&](flying& f) { return !f.to_server || !hold; };
    c->write(id, bytes(3000), false, p.now);
    ASSERT_TRUE(c->reset_at(id, 2000, 1, p.now));
    p.transmit_all();
    EXPECT_TRUE(c->reset_at(id, 500, 2, p.now));  // less; the code stays
    p.transmit_all();
    EXPECT_TRUE(c->reset_at(id, 2500, 3, p.now));  // not more
    hold = false;
    p.run_for(3s);
    const auto got = read_all(*p.server_connection(), id, p.now);
    EXPECT_GE(got.n, 500u);
    EXPECT_LT(got.n, 2000u);
    EXPECT_EQ(got.reset, 1u);
    p.run_for(100ms);
    EXPECT_EQ(count(p.client_events, stream_event_kind::closed), 1u);
    EXPECT_FALSE(c->reset_at(id, 0, 1, p.now));
}

TEST(ResetStreamAt, GivingUpAltogetherKeepsTheCode) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    auto* c = p.client_connection();
    const auto id = *c->open(direction::unidirectional);
    bool hold = true;
    p.on_wire = [&](flying& f) { return !f.to_server || !hold; };
    c->write(id, bytes(3000), false, p.now);
    ASSERT_TRUE(c->reset_at(id, 2000, 1, p.now));
    p.transmit_all();
    c->reset(id, 2, p.now);
    hold = false;
    p.run_for(3s);
    EXPECT_EQ(read_all(*p.server_connection(), id, p.now).reset, 1u);
    p.run_for(100ms);
    EXPECT_EQ(count(p.client_events, stream_event_kind::closed), 1u);
}

TEST(ResetStreamAt, WaitsForCreditAndGivesItBack) {
    auto o = pipe::defaults();
    o.server.accepted.initial_stream_window = o.server.accepted.max_stream_window = 4000;
    o.server.accepted.initial_connection_window = o.server.accepted.max_connection_window = 6000;
    pipe p(o);
    ASSERT_TRUE(p.handshake());
    for (int i = 0; i < 10; ++i) {  // the connection's window many times over
        auto* c = p.client_connection();
        const auto id = *c->open(direction::unidirectional);
        c->write(id, bytes(20'000), false, p.now);
        ASSERT_TRUE(c->reset_at(id, 10'000, 5, p.now));
        outcome got;
        p.run_for(5s, [&] {
            auto* s = p.server_connection();
            const auto more = read_all(*s, id, p.now);
            got.n += more.n;
            if (more.reset) got.reset = more.reset;
            return got.reset.has_value();
        });
        EXPECT_EQ(got.n, 10'000u) << i;
        EXPECT_EQ(got.reset, 5u) << i;
    }
}

TEST(ResetStreamAt, StopSendingOverridesIt) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    auto* c = p.client_connection();
    const auto id = *c->open(direction::bidirectional);
    c->write(id, bytes(100), false, p.now);
    p.run_for(100ms);
    p.server_connection()->stop_sending(id, 77, p.now);
    ASSERT_TRUE(c->reset_at(id, 100, 5, p.now));
    p.run_for(1s);
    p.server_connection()->write(id, {}, true, p.now);
    p.run_for(1s);
    EXPECT_EQ(count(p.client_events, stream_event_kind::finished), 0u);
    EXPECT_EQ(count(p.server_events, stream_event_kind::closed), 1u);
}

TEST(ResetStreamAt, IsNotUsedWithoutThePeersConsent) {
    auto o = pipe::defaults();
    o.server.accepted.reset_stream_at = false;
    pipe p(o);
    ASSERT_TRUE(p.handshake());
    auto* c = p.client_connection();
    const auto id = *c->open(direction::unidirectional);
    c->write(id, bytes(100), false, p.now);
    EXPECT_FALSE(c->reset_at(id, 50, 5, p.now));
    EXPECT_GT(c->write(id, bytes(100), true, p.now), 0u);
    EXPECT_FALSE(c->reset_at(stream_id{4000}, 0, 0, p.now));
    p.run_for(100ms);
    EXPECT_TRUE(read_all(*p.server_connection(), id, p.now).end);
}

TEST(ResetStreamAt, WhatThePeerMustNotDo) {
    const auto answer = [](const hostile_client::writer_function& frames, bool offered = true) {
        auto settings = pipe::defaults().server;
        settings.accepted.reset_stream_at = offered;
        endpoint server(settings, 7);
        hostile_client client(server);
        EXPECT_TRUE(client.handshake());
        client.send(encryption_level::one_rtt, frames);
        client.receive_all();
        return client.close_code();
    };
    const auto code = [](transport_error e) { return static_cast<std::uint64_t>(e); };
    const stream_id id{2};
    using at = reset_stream_at_frame;
    EXPECT_EQ(answer([&](frame_writer& out) { out.write(at{id, 1, 10, 5}); }), std::nullopt);
    EXPECT_EQ(answer(
                  [&](frame_writer& out) {
                      out.write(at{id, 1, 10, 5});
                  },
                  false),
              code(transport_error::frame_encoding_error));
    EXPECT_EQ(answer([&](frame_writer& out) { out.write(at{id, 1, 10, 11}); }), code(transport_error::frame_encoding_error));
    EXPECT_EQ(answer([&](frame_writer& out) {
                  out.write(at{stream_id{3}, 1, 10, 5});
              }),
              code(transport_error::stream_state_error));
    EXPECT_EQ(answer([&](frame_writer& out) {
                  out.write(at{id, 1, std::uint64_t{1} << 40, 5});
              }),
              code(transport_error::flow_control_error));
    EXPECT_EQ(answer([&](frame_writer& out) {
                  out.write(at{id, 1, 10, 5});
                  out.write(at{id, 1, 11, 5});
              }),
              code(transport_error::final_size_error));
    EXPECT_EQ(answer([&](frame_writer& out) {
                  out.write(at{id, 1, 10, 5});
                  out.write(at{id, 2, 10, 5});
              }),
              code(transport_error::stream_state_error));
    EXPECT_EQ(answer([&](frame_writer& out) {
                  out.write(at{id, 1, 10, 5});
                  out.write(reset_stream_frame{id, 2, 10});
              }),
              code(transport_error::stream_state_error));
    EXPECT_EQ(answer([&](frame_writer& out) {
                  out.write(at{id, 1, 10, 5});
                  out.write(stream_frame{id, 9, bytes(2), false});
              }),
              code(transport_error::final_size_error));
    // In any order, more or less than before, before and after the data: permitted.
    EXPECT_EQ(answer([&](frame_writer& out) {
                  out.write(at{id, 1, 10, 5});
                  out.write(at{id, 1, 10, 8});
                  out.write(at{id, 1, 10, 2});
                  out.write(stream_frame{id, 0, bytes(10), true});
                  out.write(at{id, 1, 10, 0});
                  out.write(reset_stream_frame{id, 1, 10});
              }),
              std::nullopt);
}

}  // namespace
}  // namespace tandem::quic::test
