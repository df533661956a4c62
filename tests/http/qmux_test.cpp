#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "hex.hpp"
#include "seed.hpp"

#include <tandem/http/qmux.hpp>

namespace tandem::http::qmux {
namespace {

using namespace std::chrono_literals;
using quic::transport_error;
using octets = std::vector<std::uint8_t>;
using tandem::test::from_hex;
using tandem::test::from_text;

constexpr auto bidi = quic::direction::bidirectional;
constexpr auto uni = quic::direction::unidirectional;

time_point at(duration d) { return time_point{} + d; }

octets pattern(std::size_t n) {
    octets v(n);
    std::iota(v.begin(), v.end(), std::uint8_t{0});
    return v;
}

// Two sessions; bytes pass between them at once, in pieces of any size.
struct two_sessions {
    explicit two_sessions(const config& c = {}, const config& s = {}) : client(quic::perspective::client, c, now), server(quic::perspective::server, s, now) {}

    octets take(session& from, std::size_t room = 16384) {
        octets out(room);
        out.resize(from.transmit(out, now));
        return out;
    }
    void move(session& from, session& to, std::size_t piece = 16384) {
        for (auto out = take(from); !out.empty(); out = take(from)) {
            for (std::size_t i = 0; i < out.size(); i += piece) {
                to.receive(std::span(out).subspan(i, std::min(piece, out.size() - i)), {}, now);
            }
        }
    }
    void settle(std::size_t piece = 16384) {
        while (client.wants_to_send() || server.wants_to_send()) {
            move(client, server, piece);
            move(server, client, piece);
        }
    }
    octets read_all(session& s, quic::stream_id id, bool* end = nullptr) {
        octets out(1 << 20);
        const auto r = s.read(id, out, now, nullptr);
        out.resize(r.n);
        if (end) *end = r.end;
        return out;
    }

    time_point now{};
    session client;
    session server;
};

// A server that has had the client's transport parameters, and a hand that writes records.
struct lone_server {
    explicit lone_server(const config& c = {}) : s(quic::perspective::server, c, now) {
        two_sessions t;
        s.receive(t.take(t.client), {}, now);
        EXPECT_FALSE(s.error());
        EXPECT_TRUE(s.ready());
    }
    void record(const octets& frames) {
        octets wire(frames.size() + 8);
        writer out(wire);
        out.varint(frames.size());
        out.bytes(frames);
        s.receive(out.written(), {}, now);
    }
    void refuses(const octets& frames, transport_error code) {
        record(frames);
        ASSERT_TRUE(s.error());
        EXPECT_TRUE(s.error()->is(code)) << to_string(*s.error());
        EXPECT_FALSE(s.finished_sending());
        octets out(1000);
        out.resize(s.transmit(out, now));
        EXPECT_TRUE(s.finished_sending());
        EXPECT_FALSE(s.wants_to_send());
        // The last frame is CONNECTION_CLOSE with that code.
        quic::ack_ranges none;
        reader in(out);
        for (;;) {
            const auto size = in.varint();
            const auto body = in.bytes(size);
            ASSERT_TRUE(in.ok());
            if (!in.empty()) continue;
            quic::frame_reader frames_in(body, quic::encryption_level::one_rtt, none);
            quic::frame f;
            ASSERT_TRUE(frames_in.next(f));
            EXPECT_EQ(std::get<quic::connection_close_frame>(f).error_code, static_cast<std::uint64_t>(code));
            break;
        }
    }
    time_point now{};
    session s;
};

TEST(qmux, first_bytes_are_the_magic_and_the_parameters) {
    two_sessions t;
    const auto first = t.take(t.client);
    ASSERT_GT(first.size(), 12U);
    // A record of two-byte size, then the type. (The draft also spells it "\xffQMX\r\n\r\n", which is another number; peers use the number.)
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
    for (auto out = t.take(t.client, 60000); !out.empty(); out = t.take(t.client, 60000)) all.insert(all.end(), out.begin(), out.end());
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

// --- what the peer must not do ---

TEST(qmux_error, first_frame_must_be_the_parameters) {
    session s(quic::perspective::server, {}, {});
    s.receive(from_hex("0100"), {}, {});
    ASSERT_TRUE(s.error());
    EXPECT_TRUE(s.error()->is(transport_error::protocol_violation));
    lone_server twice;
    auto again = from_hex("ff5153300d0a0d0a00");
    twice.refuses(again, transport_error::protocol_violation);
}

TEST(qmux_error, prohibited_frames) {
    const std::vector<octets> frames{from_hex("01"),                                                  // PING
                                     from_hex("0200000000"),                                          // ACK
                                     from_hex("0300000000000000"),                                    // ACK with ECN
                                     from_hex("06000161"),                                            // CRYPTO
                                     from_hex("070161"),                                              // NEW_TOKEN
                                     from_hex("1800000101000102030405060708090a0b0c0d0e0f"),          // NEW_CONNECTION_ID
                                     from_hex("1900"),                                                // RETIRE_CONNECTION_ID
                                     from_hex("1a0001020304050607"), from_hex("1b0001020304050607"),  // PATH_CHALLENGE, PATH_RESPONSE
                                     from_hex("1e"),                                                  // HANDSHAKE_DONE
                                     from_hex("1f"), from_hex("30"), from_hex("4100")};               // unknown
    for (const auto& f : frames) lone_server().refuses(f, transport_error::frame_encoding_error);
}

TEST(qmux_error, truncated_frames_and_records) {
    lone_server().refuses(from_hex("0a000561"), transport_error::frame_encoding_error);
    lone_server().refuses(from_hex("f48c67529ef8c7bd"), transport_error::frame_encoding_error);
    lone_server().refuses({}, transport_error::protocol_violation);
    lone_server too_large;
    too_large.s.receive(from_hex("7fff"), {}, {});  // 16383 in the Size field: refused before a byte of it came
    ASSERT_TRUE(too_large.s.error());
    EXPECT_TRUE(too_large.s.error()->is(transport_error::frame_encoding_error));
    lone_server largest;
    octets padding(quic::default_max_record_size, 0);
    largest.record(padding);
    EXPECT_FALSE(largest.s.error());
}

TEST(qmux_error, stream_data_out_of_order) {
    lone_server gap;
    gap.record(from_hex("0a000161"));
    EXPECT_FALSE(gap.s.error());
    gap.refuses(from_hex("0e00020162"), transport_error::protocol_violation);
    lone_server repeated;
    repeated.record(from_hex("0a000161"));
    repeated.refuses(from_hex("0a000161"), transport_error::protocol_violation);
    lone_server other;  // each stream has an order of its own
    other.record(from_hex("0a000161"));
    other.record(from_hex("0a040161"));
    other.record(from_hex("0e00010162"));
    EXPECT_FALSE(other.s.error());
}

TEST(qmux_error, quic_rules_hold) {
    lone_server().refuses(from_hex("0a010161"), transport_error::stream_state_error);
    lone_server().refuses(from_hex("0a4190" "0161"), transport_error::stream_limit_error);
    lone_server().refuses(from_hex("040080ffffff" "80ffffff"), transport_error::flow_control_error);
    lone_server parameters;
    session fresh(quic::perspective::server, {}, {});
    fresh.receive(from_hex("0c" "ff5153300d0a0d0a" "03" "0a0103"), {}, {});  // ack_delay_exponent is forbidden
    ASSERT_TRUE(fresh.error());
    EXPECT_TRUE(fresh.error()->is(transport_error::transport_parameter_error));
    EXPECT_EQ(fresh.error()->frame_type, transport_parameters_type);
}

TEST(qmux_error, pings) {
    two_sessions t;
    t.settle();
    t.client.ping();
    t.settle();
    EXPECT_EQ(t.client.pongs(), 1U);
    t.client.ping();
    t.settle();
    EXPECT_EQ(t.client.pongs(), 2U);
    lone_server unasked;
    unasked.refuses(from_hex("f48c67529ef8c7be00"), transport_error::protocol_violation);
    lone_server falling;
    falling.record(from_hex("f48c67529ef8c7bd05"));
    EXPECT_FALSE(falling.s.error());
    falling.refuses(from_hex("f48c67529ef8c7bd05"), transport_error::protocol_violation);
}

TEST(qmux_error, one_answer_to_many_pings) {
    lone_server s;
    octets out(4000);
    s.s.transmit(out, s.now);
    for (std::uint8_t i = 0; i < 50; ++i) {
        auto ping = from_hex("f48c67529ef8c7bd");
        ping.push_back(i);
        s.record(ping);
    }
    out.resize(s.s.transmit(out, s.now));
    EXPECT_EQ(out, from_hex("4009" "f48c67529ef8c7be" "31"));
}

TEST(qmux_error, floods_of_useless_records_end_the_connection) {
    for (const auto& frames : {from_hex("00"), from_hex("1405"), from_hex("1605")}) {
        lone_server s;
        for (std::uint32_t i = 0; i < session::max_idle_records; ++i) s.record(frames);
        EXPECT_FALSE(s.s.error());
        s.record(frames);
        ASSERT_TRUE(s.s.error());
    }
    // Slowly, they are keep-alives.
    lone_server slow;
    for (std::uint32_t i = 0; i < 3 * session::max_idle_records; ++i) {
        slow.now += 2ms;
        slow.record(from_hex("00"));
    }
    EXPECT_FALSE(slow.s.error());
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

// --- the ledger ---

constexpr wait_sum ms = 1'000'000;

struct causes {
    wait_sum own, other, tls, application;
};

void expect(const wait_ledger& l, const causes& c) {
    EXPECT_EQ(static_cast<std::uint64_t>(l.byte_nanoseconds(wait_cause::own_stream_hole)), static_cast<std::uint64_t>(c.own));
    EXPECT_EQ(static_cast<std::uint64_t>(l.byte_nanoseconds(wait_cause::other_stream_hole)), static_cast<std::uint64_t>(c.other));
    EXPECT_EQ(static_cast<std::uint64_t>(l.byte_nanoseconds(wait_cause::tls_record)), static_cast<std::uint64_t>(c.tls));
    EXPECT_EQ(static_cast<std::uint64_t>(l.byte_nanoseconds(wait_cause::application)), static_cast<std::uint64_t>(c.application));
    EXPECT_TRUE(l.total() == l.sum());
}

// Four records in four segments: stream 0, 4, 0, 4, each "xx..." of 10 bytes behind a 5 byte header.
struct ledger_test : testing::Test {
    lone_server server;
    std::vector<octets> segments{from_hex("0d0a000a" "61616161616161616161"), from_hex("0d0a040a" "62626262626262626262"),
                                 from_hex("0e0e000a0a" "61616161616161616161"), from_hex("0e0e040a0a" "62626262626262626262")};

    void give(const octets& bytes, const std::vector<tls::record_times>& times, duration now) { server.s.receive(bytes, times, at(now)); }
    wait_ledger read(std::uint64_t stream, std::size_t n, duration now) {
        wait_ledger waits;
        octets in(n);
        EXPECT_EQ(server.s.read(quic::stream_id{stream}, in, at(now), &waits).n, n);
        return waits;
    }
    octets joined() const {
        octets all;
        for (const auto& s : segments) all.insert(all.end(), s.begin(), s.end());
        return all;
    }
};

TEST_F(ledger_test, in_order_waits_for_nothing) {
    give(segments[0], {{14, at(5ms), at(5ms), at(5ms)}}, 5ms);
    expect(read(0, 10, 5ms), {0, 0, 0, 0});
    give(segments[1], {{14, at(6ms), at(6ms), at(6ms)}}, 6ms);
    expect(read(4, 10, 9ms), {0, 0, 0, 10 * 3 * ms});
}

// The first segment comes 20 ms late. Stream 4's first bytes waited for another stream; stream 0's second bytes for their own.
TEST_F(ledger_test, a_hole_is_charged_to_whose_bytes_were_missing) {
    give(joined(),
         {{14, at(30ms), at(30ms), at(30ms)}, {14, at(11ms), at(30ms), at(30ms)}, {15, at(12ms), at(30ms), at(30ms)}, {15, at(13ms), at(30ms), at(30ms)}},
         30ms);
    expect(read(0, 10, 30ms), {0, 0, 0, 0});
    expect(read(4, 10, 30ms), {0, 10 * 19 * ms, 0, 0});
    expect(read(0, 10, 30ms), {10 * 18 * ms, 0, 0, 0});
    expect(read(4, 10, 30ms), {0, 10 * 17 * ms, 0, 0});
}

// Stream 0's second segment comes first, then stream 4's first is missing longest: both causes in one byte.
TEST_F(ledger_test, own_hole_first_then_another_streams) {
    give(joined(),
         {{14, at(20ms), at(20ms), at(20ms)}, {14, at(30ms), at(30ms), at(30ms)}, {15, at(12ms), at(30ms), at(30ms)}, {15, at(13ms), at(30ms), at(30ms)}},
         30ms);
    expect(read(0, 10, 32ms), {0, 0, 0, 10 * 12 * ms});
    expect(read(0, 10, 32ms), {10 * 8 * ms, 10 * 10 * ms, 0, 10 * 2 * ms});
    expect(read(4, 20, 31ms), {10 * 17 * ms, 0, 0, 20 * 1 * ms});
}

TEST_F(ledger_test, incomplete_tls_record) {
    // One TLS record of all four; its last segment is readable at 16 ms.
    give(joined(),
         {{14, at(10ms), at(10ms), at(16ms)}, {14, at(12ms), at(12ms), at(16ms)}, {15, at(14ms), at(14ms), at(16ms)}, {15, at(16ms), at(16ms), at(16ms)}},
         16ms);
    expect(read(0, 20, 16ms), {0, 0, 10 * 6 * ms + 10 * 2 * ms, 0});
    expect(read(4, 20, 17ms), {0, 0, 10 * 4 * ms, 20 * ms});
    const auto all = server.s.ledger();
    expect(all, {0, 0, (60 + 20 + 40) * ms, 20 * ms});
}

// A QMux record in two TLS records: what came first waits for the rest, as within a TLS record.
TEST_F(ledger_test, incomplete_qmux_record) {
    const auto& r = segments[0];
    server.s.receive(std::span(r).first(9), std::vector<tls::record_times>{{9, at(10ms), at(10ms), at(10ms)}}, at(10ms));
    EXPECT_EQ(server.s.read(quic::stream_id{0}, {}, at(10ms), nullptr).n, 0U);
    server.s.receive(std::span(r).subspan(9), std::vector<tls::record_times>{{5, at(15ms), at(15ms), at(15ms)}}, at(15ms));
    expect(read(0, 10, 15ms), {0, 0, 5 * 5 * ms, 0});
}

TEST_F(ledger_test, parts_of_runs_and_frames_across_segments) {
    // One frame of 10 bytes: 4 arrived at 10 ms, 6 at 8 ms but readable at 10 ms. Read in pieces.
    give(segments[0], {{8, at(10ms), at(10ms), at(10ms)}, {6, at(8ms), at(10ms), at(10ms)}}, 10ms);
    expect(read(0, 3, 10ms), {0, 0, 0, 0});
    expect(read(0, 3, 10ms), {2 * 2 * ms, 0, 0, 0});
    expect(read(0, 4, 11ms), {4 * 2 * ms, 0, 0, 4 * ms});
}

TEST_F(ledger_test, without_times_only_the_application_waits) {
    give(joined(), {}, 10ms);
    expect(read(0, 20, 13ms), {0, 0, 0, 20 * 3 * ms});
    expect(read(4, 20, 10ms), {0, 0, 0, 0});
}

TEST_F(ledger_test, discarded_bytes_are_charged_to_nobody) {
    give(segments[0], {{14, at(5ms), at(5ms), at(5ms)}}, 5ms);
    server.s.stop_sending(quic::stream_id{0}, 1);
    give(segments[2], {{15, at(9ms), at(9ms), at(9ms)}}, 9ms);
    EXPECT_FALSE(server.s.error());
    EXPECT_TRUE(server.s.ledger().total() == 0);
}

// Random sizes, orders of arrival and reads: the causes sum to the total exactly, each byte end to end.
TEST(qmux_property, causes_sum_to_the_total) {
    std::mt19937_64 random(tandem::test::seed());
    for (int run = 0; run < 200; ++run) {
        two_sessions t;
        t.settle();
        std::vector<quic::stream_id> ids;
        for (int i = 0; i < 3; ++i) {
            ids.push_back(t.client.open(uni).value());
            t.client.write(ids.back(), pattern(random() % 5000), true, t.now);
        }
        octets wire;
        while (t.client.wants_to_send()) {
            const auto out = t.take(t.client, 200 + random() % 800);
            wire.insert(wire.end(), out.begin(), out.end());
        }
        wait_sum end_to_end = 0;
        wait_ledger all;
        auto readable = at(0ms);
        std::size_t used = 0;
        while (used < wire.size()) {
            const auto n = std::min<std::size_t>(1 + random() % 1000, wire.size() - used);
            std::vector<tls::record_times> times;
            for (std::size_t covered = 0; covered < n;) {
                const auto part = std::min<std::size_t>(1 + random() % 300, n - covered);
                const auto arrived = at(std::chrono::microseconds(random() % 50000));
                readable = std::max(readable, arrived);
                times.push_back({part, arrived, readable, readable});
                covered += part;
            }
            for (auto& r : times) r.complete = readable;
            t.now = std::max(t.now, readable);
            t.server.receive(std::span(wire).subspan(used, n), times, t.now);
            used += n;
            t.now += std::chrono::microseconds(random() % 3000);
            readable = std::max(readable, t.now);
            octets in(random() % 2000);
            const auto id = ids[random() % 3];
            t.server.read(id, in, t.now, &all);
        }
        octets in(10000);
        for (const auto id : ids) t.server.read(id, in, t.now, &all);
        ASSERT_FALSE(t.server.error());
        ASSERT_TRUE(all.sum() == all.total());
        ASSERT_TRUE(t.server.ledger() == all);
        end_to_end = all.total();
        EXPECT_TRUE(end_to_end > 0 || wire.size() < 100);
    }
}

// Random bytes never crash, and after an error nothing more happens.
TEST(qmux_property, random_records) {
    std::mt19937_64 random(tandem::test::seed());
    for (int run = 0; run < 3000; ++run) {
        lone_server s;
        for (int i = 0; i < 30 && !s.s.error(); ++i) {
            octets frames(1 + random() % 30);
            for (auto& b : frames) b = static_cast<std::uint8_t>(random() % 3 ? random() % 24 : random());
            s.record(frames);
        }
        octets out(4000);
        s.s.transmit(out, s.now);
    }
}

}  // namespace
}  // namespace tandem::http::qmux
