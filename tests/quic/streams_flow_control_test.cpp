// Credit of streams and of the connection, limits on the number of streams, and what a peer may make us hold (RFC 9000 4).

#include "quic/streams_pair.hpp"

namespace tandem::quic {
namespace {

using namespace test;

constexpr auto bidi = direction::bidirectional;
constexpr auto uni = direction::unidirectional;

streams_config small(perspective side) {
    auto c = config_of(side);
    c.initial_max_data = 10000;
    c.max_connection_window = 10000;
    c.initial_max_stream_data_bidi_local = c.initial_max_stream_data_bidi_remote = c.initial_max_stream_data_uni = 4000;
    c.max_stream_window = 4000;
    return c;
}

template <class T>
int count_tokens(const packet& p) {
    int n = 0;
    for (const auto& t : p.tokens) n += std::holds_alternative<T>(t);
    return n;
}

TEST(flow_control, parameters_name_the_side_that_declares_them) {  // RFC 9000 18.2
    auto c = config_of(perspective::client);
    auto s = config_of(perspective::server);
    s.initial_max_stream_data_bidi_local = 100;
    s.initial_max_stream_data_bidi_remote = 200;
    s.initial_max_stream_data_uni = 300;
    pair_of_streams p(c, s);
    const auto sent = [&](stream_id id) {
        p.client.write(id, bytes(1000), false, p.now);
        p.flush(p.client, p.server);
        return p.server.readable(id);
    };
    EXPECT_EQ(sent(p.client.open(bidi).value()), 200U);
    EXPECT_EQ(sent(p.client.open(uni).value()), 300U);
    const auto from_server = p.server.open(bidi).value();
    p.server.write(from_server, as_bytes("x"), false, p.now);
    p.flush(p.server, p.client);
    EXPECT_EQ(sent(from_server), 100U);
}

TEST(flow_control, stream_limit_holds_and_is_told_once) {
    pair_of_streams p(config_of(perspective::client), small(perspective::server));
    const auto id = p.client.open(uni).value();
    p.client.write(id, bytes(9000), false, p.now);
    int blocked = 0;
    while (auto packet = p.take(p.client)) {
        blocked += count_tokens<stream_data_blocked_token>(*packet);
        ASSERT_EQ(p.give(*packet, p.server), std::nullopt);
    }
    EXPECT_EQ(blocked, 1);
    EXPECT_EQ(p.server.readable(id), 4000U);
    EXPECT_FALSE(p.client.wants_to_send());
    // Half a window read: credit comes back.
    std::vector<std::uint8_t> in(1999);
    p.server.read(id, in, p.now);
    EXPECT_FALSE(p.server.wants_to_send());
    in.resize(1);
    p.server.read(id, in, p.now);
    const auto credit = p.take(p.server).value();
    ASSERT_EQ(count_tokens<max_stream_data_token>(credit), 1);
    EXPECT_EQ(std::get<max_stream_data_token>(credit.tokens[0]).maximum, 6000U);
    p.give(credit, p.client);
    p.flush(p.client, p.server);
    EXPECT_EQ(p.server.readable(id), 4000U);
}

TEST(flow_control, connection_limit_holds_over_all_streams) {
    pair_of_streams p(config_of(perspective::client), small(perspective::server));
    std::vector<stream_id> ids;
    for (int i = 0; i < 4; ++i) {
        ids.push_back(p.client.open(uni).value());
        p.client.write(ids.back(), bytes(3500), false, p.now);
    }
    int blocked = 0;
    while (auto packet = p.take(p.client)) {
        blocked += count_tokens<data_blocked_token>(*packet);
        ASSERT_EQ(p.give(*packet, p.server), std::nullopt);
        p.acknowledge(*packet, p.client);
    }
    EXPECT_EQ(blocked, 1);
    EXPECT_EQ(p.server.bytes_received(), 10000U);
    EXPECT_FALSE(p.client.wants_to_send());
    // Writing more while blocked does not make it want to send, a lost packet does: its bytes were paid for.
    p.client.write(ids[0], bytes(10), false, p.now);
    EXPECT_FALSE(p.client.wants_to_send());
    for (const auto id : ids) text(p.server, id, p.now);
    p.settle();
    EXPECT_EQ(p.server.bytes_received(), 4 * 3500U + 10);
}

TEST(flow_control, lost_bytes_cost_no_new_credit) {
    pair_of_streams p(config_of(perspective::client), small(perspective::server));
    std::vector<packet> sent;
    for (int i = 0; i < 3; ++i) p.client.write(p.client.open(uni).value(), bytes(4000), false, p.now);
    while (auto packet = p.take(p.client)) sent.push_back(*packet);
    EXPECT_EQ(p.client.bytes_sent(), 10000U);
    EXPECT_FALSE(p.client.wants_to_send());
    p.lose(sent[1], p.client);
    EXPECT_TRUE(p.client.wants_to_send());
    ASSERT_TRUE(p.take(p.client));
    EXPECT_EQ(p.client.bytes_sent(), 10000U);
    EXPECT_FALSE(p.client.wants_to_send());
}

TEST(flow_control, violations) {
    pair_of_streams p(config_of(perspective::client), small(perspective::server));
    const auto data = bytes(4000);
    ASSERT_FALSE(p.server.receive(stream_frame{stream_id{2}, 0, data, false}, p.now));
    auto error = p.server.receive(stream_frame{stream_id{2}, 4000, as_bytes("x"), false}, p.now);
    ASSERT_TRUE(error);
    EXPECT_TRUE(error->is(transport_error::flow_control_error));
    // One byte far away uses as much credit as all before it, and a reset's final size does.
    error = p.server.receive(stream_frame{stream_id{6}, 4000, as_bytes("x"), false}, p.now);
    ASSERT_TRUE(error);
    EXPECT_TRUE(error->is(transport_error::flow_control_error));
    ASSERT_FALSE(p.server.receive(stream_frame{stream_id{6}, 3999, as_bytes("x"), false}, p.now));
    EXPECT_EQ(p.server.bytes_received(), 8000U);
    error = p.server.receive(reset_stream_frame{stream_id{10}, 0, 2001}, p.now);
    ASSERT_TRUE(error);
    EXPECT_TRUE(error->is(transport_error::flow_control_error));
    EXPECT_FALSE(p.server.receive(reset_stream_frame{stream_id{10}, 0, 2000}, p.now));
}

TEST(flow_control, credit_of_what_is_never_read_comes_back) {
    pair_of_streams p(config_of(perspective::client), small(perspective::server));
    // 100 times the connection's window, all of it reset or stopped.
    for (std::uint64_t i = 0; i < 500; ++i) {
        const stream_id id = p.client.open(uni).value();
        p.client.write(id, bytes(2000), false, p.now);
        p.flush(p.client, p.server);
        if (i % 2) {
            p.client.reset(id, 1, p.now);
        } else {
            p.server.stop_sending(id, 1, p.now);
        }
        p.settle();
        if (i % 2) {
            EXPECT_TRUE(p.server.read(id, std::span<std::uint8_t>{}, p.now).reset);
        }
        p.settle();
    }
    EXPECT_EQ(p.server.bytes_received(), 1000000U);
    EXPECT_EQ(p.client.open_streams() + p.server.open_streams(), 0U);
}

TEST(flow_control, lost_credit_is_given_again) {
    pair_of_streams p(config_of(perspective::client), small(perspective::server));
    const auto id = p.client.open(uni).value();
    p.client.write(id, bytes(20000), false, p.now);
    p.flush(p.client, p.server);
    while (p.server.bytes_received() < 20000) {
        text(p.server, id, p.now);
        const auto lost = p.take(p.server).value();
        p.lose(lost, p.server);
        EXPECT_TRUE(p.server.wants_to_send());
        p.flush(p.server, p.client);
        p.flush(p.client, p.server);
    }
    EXPECT_EQ(p.server.bytes_received(), 20000U);
}

TEST(flow_control, windows_grow_to_their_maxima_when_the_application_keeps_up) {
    auto c = small(perspective::server);
    c.max_stream_window = 64000;
    c.max_connection_window = 90000;
    pair_of_streams p(config_of(perspective::client), c);
    p.server.set_rtt(100ms);
    const auto id = p.client.open(uni).value();
    std::uint64_t largest_flight = 0;
    for (int round = 0; round < 40; ++round) {
        p.client.write(id, bytes(100000), false, p.now);
        const auto before = p.server.bytes_received();
        p.flush(p.client, p.server);
        largest_flight = std::max(largest_flight, p.server.bytes_received() - before);
        text(p.server, id, p.now);
        p.flush(p.server, p.client);
        p.now += 50ms;
    }
    EXPECT_EQ(largest_flight, 64000U);
    // Slow reading: the window stays as it is.
    pair_of_streams slow(config_of(perspective::client), c);
    slow.server.set_rtt(100ms);
    const auto other = slow.client.open(uni).value();
    for (int round = 0; round < 40; ++round) {
        slow.client.write(other, bytes(100000), false, slow.now);
        const auto before = slow.server.bytes_received();
        slow.flush(slow.client, slow.server);
        EXPECT_LE(slow.server.bytes_received() - before, 4000U);
        std::vector<std::uint8_t> in(100);
        slow.server.read(other, in, slow.now);
        slow.flush(slow.server, slow.client);
        slow.now += 50ms;
    }
}

TEST(flow_control, blocked_bytes_are_charged_for_the_time_they_wait) {
    pair_of_streams p(config_of(perspective::client), small(perspective::server));
    const auto id = p.client.open(uni).value();
    p.client.write(id, bytes(5000), false, p.now);
    while (p.take(p.client)) {
    }  // 1000 wait for the stream's credit
    p.now = at(30ms);
    ASSERT_FALSE(p.client.receive(max_stream_data_frame{id, 4600}, p.now));
    while (p.take(p.client)) {
    }  // 400 wait
    p.now = at(40ms);
    ASSERT_FALSE(p.client.receive(max_stream_data_frame{id, 9000}, p.now));
    const wait_sum ms = 1'000'000;
    EXPECT_EQ(p.client.ledger().byte_nanoseconds(wait_cause::flow_control), (1000 * 30 + 400 * 10) * ms);
    EXPECT_EQ(p.client.ledger().total(), p.client.ledger().sum());
    while (p.take(p.client)) {
    }
    p.now = at(1s);
    p.client.write(id, bytes(1), false, p.now);
    while (p.take(p.client)) {
    }
    EXPECT_EQ(p.client.ledger().byte_nanoseconds(wait_cause::flow_control), (1000 * 30 + 400 * 10) * ms);
}

TEST(stream_limits, peer_above_our_limit) {  // RFC 9000 4.6
    auto s = config_of(perspective::server);
    s.max_streams_bidi = 3;
    s.max_streams_uni = 1;
    pair_of_streams p(config_of(perspective::client), s);
    EXPECT_FALSE(p.server.receive(stream_frame{stream_id{8}, 0, as_bytes("x"), false}, p.now));
    EXPECT_FALSE(p.server.receive(stream_frame{stream_id{2}, 0, as_bytes("x"), false}, p.now));
    for (const auto id : {stream_id{12}, stream_id{6}, stream_id{(std::uint64_t{1} << 62) - 2}}) {
        const auto error = p.server.receive(stream_frame{id, 0, as_bytes("x"), false}, p.now);
        ASSERT_TRUE(error);
        EXPECT_TRUE(error->is(transport_error::stream_limit_error));
    }
    EXPECT_EQ(p.server.open_streams(), 4U);
}

TEST(stream_limits, our_limit_is_respected_and_grows_as_streams_close) {
    auto s = config_of(perspective::server);
    s.max_streams_uni = 4;
    pair_of_streams p(config_of(perspective::client), s);
    std::vector<stream_id> ids;
    while (const auto id = p.client.open(uni)) {
        p.client.write(*id, as_bytes("x"), true, p.now);
        ids.push_back(*id);
    }
    EXPECT_EQ(ids.size(), 4U);
    EXPECT_FALSE(p.client.can_open(uni));
    EXPECT_TRUE(p.client.can_open(bidi));
    const auto blocked = p.take(p.client).value();  // STREAMS_BLOCKED, once
    EXPECT_EQ(count_tokens<streams_blocked_token>(blocked), 1);
    p.give(blocked, p.server);
    EXPECT_FALSE(p.client.open(uni));
    EXPECT_FALSE(p.client.wants_to_send());
    text(p.server, ids[0], p.now);
    p.settle();
    events(p.server);
    EXPECT_EQ(count(events(p.client), stream_event_kind::streams_available), 1);
    EXPECT_TRUE(p.client.open(uni));
    EXPECT_FALSE(p.client.open(uni));  // four are open again
}

TEST(stream_limits, limit_is_raised_before_it_is_reached) {
    auto s = config_of(perspective::server);
    s.max_streams_uni = 10;
    pair_of_streams p(config_of(perspective::client), s);
    std::optional<packet> lost;
    for (int i = 0; i < 1000; ++i) {
        const auto id = p.client.open(uni);
        ASSERT_TRUE(id) << i;
        p.client.write(*id, as_bytes("x"), true, p.now);
        p.flush(p.client, p.server);
        text(p.server, *id, p.now);
        if (auto credit = p.take(p.server)) {
            EXPECT_EQ(count_tokens<max_streams_token>(*credit), 1);
            p.lose(*credit, p.server);
            p.flush(p.server, p.client);
        }
    }
    // Smaller limits are ignored.
    ASSERT_FALSE(p.client.receive(max_streams_frame{uni, 1}, p.now));
    EXPECT_TRUE(p.client.open(uni));
}

TEST(limits, state_of_closed_streams_is_gone) {
    pair_of_streams p;
    for (int i = 0; i < 20000; ++i) {
        const auto id = p.client.open(bidi).value();
        p.client.write(id, as_bytes("q"), true, p.now);
        p.flush(p.client, p.server);
        text(p.server, id, p.now);
        p.server.write(id, as_bytes("r"), true, p.now);
        p.flush(p.server, p.client);
        text(p.client, id, p.now);
        p.settle();
        events(p.client);
        events(p.server);
        ASSERT_EQ(p.client.open_streams() + p.server.open_streams(), 0U);
    }
}

TEST(limits, resets_and_stops_of_one_stream_cause_bounded_events) {
    pair_of_streams p;
    for (int i = 0; i < 100000; ++i) {
        ASSERT_FALSE(p.server.receive(reset_stream_frame{stream_id{0}, 5, 0}, p.now));
        ASSERT_FALSE(p.server.receive(stop_sending_frame{stream_id{0}, 5}, p.now));
    }
    EXPECT_LE(events(p.server).size(), 4U);
    // The answer to a hundred thousand STOP_SENDING is one RESET_STREAM.
    const auto answer = p.take(p.server).value();
    EXPECT_EQ(answer.tokens.size(), 1U);
    EXPECT_FALSE(p.server.wants_to_send());
}

TEST(limits, too_many_holes_end_the_connection) {
    pair_of_streams p;
    std::optional<connection_error> error;
    std::uint64_t frames = 0;
    for (std::uint64_t offset = 1; !error && frames < 100000; offset += 2, ++frames) {
        error = p.server.receive(stream_frame{stream_id{2}, offset, as_bytes("x"), false}, p.now);
    }
    ASSERT_TRUE(error);
    EXPECT_LE(frames, receive_buffer::max_gaps + 1);
}

}  // namespace
}  // namespace tandem::quic
