// What the bytes of a QMux session waited for, with literal times.
#include <random>

#include "http/qmux_sessions.hpp"
#include "seed.hpp"

namespace tandem::http::qmux {
namespace {

using namespace test;

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
    std::vector<octets> segments{from_hex("0d0a000a"
                                          "61616161616161616161"),
                                 from_hex("0d0a040a"
                                          "62626262626262626262"),
                                 from_hex("0e0e000a0a"
                                          "61616161616161616161"),
                                 from_hex("0e0e040a0a"
                                          "62626262626262626262")};

    void give(const octets& bytes, const std::vector<tls::record_times>& times, duration now) {
        server.s.receive(bytes, times, at(now));
    }
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
         {{14, at(30ms), at(30ms), at(30ms)},
          {14, at(11ms), at(30ms), at(30ms)},
          {15, at(12ms), at(30ms), at(30ms)},
          {15, at(13ms), at(30ms), at(30ms)}},
         30ms);
    expect(read(0, 10, 30ms), {0, 0, 0, 0});
    expect(read(4, 10, 30ms), {0, 10 * 19 * ms, 0, 0});
    expect(read(0, 10, 30ms), {10 * 18 * ms, 0, 0, 0});
    expect(read(4, 10, 30ms), {0, 10 * 17 * ms, 0, 0});
}

// Stream 0's second segment comes first, then stream 4's first is missing longest: both causes in one byte.
TEST_F(ledger_test, own_hole_first_then_another_streams) {
    give(joined(),
         {{14, at(20ms), at(20ms), at(20ms)},
          {14, at(30ms), at(30ms), at(30ms)},
          {15, at(12ms), at(30ms), at(30ms)},
          {15, at(13ms), at(30ms), at(30ms)}},
         30ms);
    expect(read(0, 10, 32ms), {0, 0, 0, 10 * 12 * ms});
    expect(read(0, 10, 32ms), {10 * 8 * ms, 10 * 10 * ms, 0, 10 * 2 * ms});
    expect(read(4, 20, 31ms), {10 * 17 * ms, 0, 0, 20 * 1 * ms});
}

TEST_F(ledger_test, incomplete_tls_record) {
    // One TLS record of all four; its last segment is readable at 16 ms.
    give(joined(),
         {{14, at(10ms), at(10ms), at(16ms)},
          {14, at(12ms), at(12ms), at(16ms)},
          {15, at(14ms), at(14ms), at(16ms)},
          {15, at(16ms), at(16ms), at(16ms)}},
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

}  // namespace
}  // namespace tandem::http::qmux
