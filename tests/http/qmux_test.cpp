// QMux between two peers that keep its rules.
#include "http/qmux_sessions.hpp"

namespace tandem::http::qmux {
namespace {

using namespace test;

TEST(qmux, first_bytes_are_the_magic_and_the_parameters) {
    two_sessions t;
    const auto first = t.take(t.client);
    ASSERT_GT(first.size(), 12U);
    // A record of two-byte size, then the type. (The draft also spells it "\xffQMX\r\n\r\n", which is another number; peers use
    // the number.)
    EXPECT_EQ(octets(first.begin() + 2, first.begin() + 10), from_hex("ff5153300d0a0d0a"));
    EXPECT_EQ((first[0] & 0x3fU) << 8 | first[1], first.size() - 2);
    EXPECT_FALSE(t.client.wants_to_send());
    EXPECT_FALSE(t.client.ready());
    t.server.receive(first, {}, t.now);
    EXPECT_TRUE(t.server.ready());
    EXPECT_EQ(t.server.peer_parameters().max_idle_timeout, 30s);
    EXPECT_EQ(t.server.peer_parameters().initial_max_streams_bidi, 100U);
}

TEST(qmux, nothing_that_depends_on_the_peers_parameters_goes_before_them) {
    two_sessions t;
    EXPECT_FALSE(t.client.open(bidi));
    EXPECT_FALSE(t.client.open(uni));
    const auto first = t.take(t.client);  // transport parameters and no STREAMS_BLOCKED
    EXPECT_EQ((first[0] & 0x3fU) << 8 | first[1], first.size() - 2);
    t.settle();
    int available = 0;
    while (const auto e = t.client.poll_stream_event()) available += e->what == stream_event::kind::streams_available;
    EXPECT_EQ(available, 2);
    EXPECT_TRUE(t.client.open(bidi));
    EXPECT_TRUE(t.client.open(uni));
}

TEST(qmux, request_and_response) {
    for (const std::size_t piece : {1U, 7U, 16384U}) {
        two_sessions t;
        t.settle(piece);
        const auto id = t.client.open(bidi).value();
        EXPECT_EQ(t.client.write(id, from_text("request"), true, t.now), 7U);
        t.settle(piece);
        EXPECT_EQ(t.server.poll_stream_event()->what, stream_event::kind::opened);
        EXPECT_EQ(t.server.poll_stream_event()->what, stream_event::kind::readable);
        bool end = false;
        EXPECT_EQ(t.read_all(t.server, id, &end), from_text("request"));
        EXPECT_TRUE(end);
        const auto body = pattern(200000);
        EXPECT_EQ(t.server.write(id, body, true, t.now), body.size());
        t.settle(piece);
        EXPECT_EQ(t.read_all(t.client, id, &end), body);
        EXPECT_TRUE(end);
        std::optional<stream_event> last;
        while (const auto e = t.client.poll_stream_event()) last = e;
        ASSERT_TRUE(last);
        EXPECT_EQ(last->what, stream_event::kind::finished);
        EXPECT_FALSE(t.client.error());
        EXPECT_FALSE(t.server.error());
    }
}

TEST(qmux, flow_control_holds_and_moves_on) {
    config small;
    small.streams.initial_max_data = 20000;
    small.streams.max_connection_window = 20000;
    small.streams.initial_max_stream_data_uni = 10000;
    small.streams.max_stream_window = 10000;
    two_sessions t({}, small);
    t.settle();
    const auto id = t.client.open(uni).value();
    const auto body = pattern(100000);
    t.client.write(id, body, true, t.now);
    t.now = at(10ms);
    octets got;
    bool end = false;
    while (!end) {
        t.settle();
        const auto more = t.read_all(t.server, id, &end);
        ASSERT_LE(more.size(), 10000U);
        ASSERT_FALSE(more.empty());
        got.insert(got.end(), more.begin(), more.end());
    }
    EXPECT_EQ(got, body);
    const wait_sum bytes_times_10_ms = wait_sum{100000} * 10'000'000;
    EXPECT_EQ(t.client.ledger().byte_nanoseconds(wait_cause::flow_control), 0U);  // sent within one instant, the rest at once
    EXPECT_LT(t.client.ledger().total(), bytes_times_10_ms);
}

TEST(qmux, a_record_is_as_large_as_asked_and_has_one_streams_data) {
    config c;
    c.report_carried = true;
    two_sessions t(c);
    t.settle();
    t.client.drain_carried();
    const auto a = t.client.open(uni).value();
    const auto b = t.client.open(uni).value();
    t.client.write(a, pattern(50000), true, t.now);
    t.client.write(b, pattern(50000), true, t.now);
    std::uint64_t at_byte = 0;
    for (int i = 0; i < 6; ++i) {
        const auto out = t.take(t.client, 1400);
        EXPECT_GE(out.size(), 1398U);
        EXPECT_LE(out.size(), 1400U);
        const auto carried = t.client.drain_carried();
        ASSERT_EQ(carried.size(), 1U);
        EXPECT_EQ(carried[0].id, i % 2 ? b : a);  // in turns
        if (i > 0) {
            EXPECT_EQ(carried[0].begin, at_byte);
        }
        at_byte = carried[0].end;
        EXPECT_EQ(carried[0].end - carried[0].begin, out.size());
    }
    EXPECT_EQ(t.take(t.client, session::min_transmit - 1).size(), 0U);
    EXPECT_EQ(t.take(t.client, session::min_transmit).size(), session::min_transmit);
}

TEST(qmux, no_record_is_larger_than_the_default_maximum) {
    two_sessions t;
    t.settle();
    const auto id = t.client.open(uni).value();
    t.client.write(id, pattern(200000), true, t.now);
    octets all;
    for (auto out = t.take(t.client, 60000); !out.empty(); out = t.take(t.client, 60000))
        all.insert(all.end(), out.begin(), out.end());
    reader in(all);
    while (!in.empty()) {
        const auto size = in.varint();
        EXPECT_LE(size, quic::default_max_record_size);
        in.skip(size);
        ASSERT_TRUE(in.ok());
    }
    t.server.receive(all, {}, t.now);
    EXPECT_EQ(t.read_all(t.server, id).size(), 200000U);
}

TEST(qmux, urgent_streams_go_first) {
    two_sessions t;
    t.settle();
    const auto slow = t.client.open(uni).value();
    const auto fast = t.client.open(uni).value();
    t.client.set_priority(slow, {6, false});
    t.client.set_priority(fast, {1, false});
    t.client.write(slow, pattern(3000), true, t.now);
    t.client.write(fast, pattern(3000), true, t.now);
    const auto out = t.take(t.client, 3500);
    t.server.receive(out, {}, t.now);
    EXPECT_EQ(t.read_all(t.server, fast).size(), 3000U);
    EXPECT_LT(t.read_all(t.server, slow).size(), 500U);
}

TEST(qmux, reset_and_stop_sending) {
    two_sessions t;
    t.settle();
    const auto a = t.client.open(bidi).value();
    t.client.write(a, from_text("abc"), false, t.now);
    t.settle();
    t.client.reset(a, 11);
    t.client.stop_sending(a, 12);
    t.settle();
    octets in(10);
    const auto r = t.server.read(a, in, t.now, nullptr);
    EXPECT_EQ(r.reset, 11U);
    bool stopped = false;
    while (const auto e = t.server.poll_stream_event()) {
        if (e->what == stream_event::kind::stop_sending) {
            stopped = true;
            EXPECT_EQ(e->code, 12U);
        }
    }
    EXPECT_TRUE(stopped);
    t.settle();
    bool finished = false;
    while (const auto e = t.client.poll_stream_event()) finished = finished || e->what == stream_event::kind::finished;
    EXPECT_TRUE(finished);
}

// --- the end ---

TEST(qmux_end, close_reaches_the_peer) {
    two_sessions t;
    t.settle();
    t.client.close(0x100, "bye", t.now);
    t.settle();
    EXPECT_TRUE(t.client.finished_sending());
    ASSERT_TRUE(t.server.error());
    EXPECT_EQ(t.server.error(), (quic::connection_error{0x100, 0, "bye", true}));
    EXPECT_TRUE(t.server.closed_by_peer());
    EXPECT_TRUE(t.server.finished_sending());
    EXPECT_FALSE(t.client.closed_by_peer());
    // What comes now is discarded.
    t.client.receive(from_hex("ffffffffffffffff"), {}, t.now);
    EXPECT_EQ(t.client.error()->code, 0x100U);
    EXPECT_FALSE(t.client.open(bidi));
}

TEST(qmux_end, close_before_anything_was_sent_still_begins_with_the_parameters) {
    two_sessions t;
    t.client.close(0x100, "", t.now);
    t.server.receive(t.take(t.client), {}, t.now);
    ASSERT_TRUE(t.server.error());
    EXPECT_TRUE(t.server.error()->application);
}

TEST(qmux_end, transport_ended) {
    two_sessions t;
    t.settle();
    t.client.receive_end(t.now);
    ASSERT_TRUE(t.client.error());
    EXPECT_TRUE(t.client.finished_sending());
    EXPECT_EQ(t.client.next_timeout(), std::nullopt);
}

TEST(qmux_end, idle_timeout_is_the_lesser_and_counts_from_the_last_record) {
    config c;
    c.max_idle_timeout = 10s;
    config s;
    s.max_idle_timeout = 4s;
    two_sessions t(c, s);
    EXPECT_EQ(t.client.next_timeout(), at(10s));
    t.now = at(1s);
    t.settle();
    EXPECT_EQ(t.client.next_timeout(), at(5s));
    t.now = at(3s);
    t.client.ping();
    const auto ping = t.take(t.client);
    EXPECT_EQ(t.client.next_timeout(), at(7s));  // sent
    t.server.receive(std::span(ping).first(5), {}, t.now);
    EXPECT_EQ(t.server.next_timeout(), at(5s));  // not complete yet
    t.server.receive(std::span(ping).subspan(5), {}, t.now);
    EXPECT_EQ(t.server.next_timeout(), at(7s));
    t.client.on_timeout(at(7s) - 1ns);
    EXPECT_FALSE(t.client.error());
    t.client.on_timeout(at(7s));
    ASSERT_TRUE(t.client.error());
    EXPECT_EQ(t.client.error()->reason, "idle timeout");
    EXPECT_FALSE(t.client.wants_to_send());  // without a word
    EXPECT_TRUE(t.client.finished_sending());
    config never;
    never.max_idle_timeout = 0s;
    EXPECT_EQ(session(quic::perspective::client, never, {}).next_timeout(), std::nullopt);
}

}  // namespace
}  // namespace tandem::http::qmux
