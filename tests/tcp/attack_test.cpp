// Hostile peers: what they can make us keep, compute and send is bounded.
#include <gtest/gtest.h>

#include <chrono>

#include <tandem/tcp/sequence.hpp>

#include "seed.hpp"
#include "tcp/hosts.hpp"
#include "tcp/script.hpp"

namespace tandem::tcp::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A connection whose peer is the test: established, sequence numbers known.
struct victim {
    explicit victim(config c = script::no_timestamps(), std::uint16_t mss = 1000) {
        object = connection::connect(path, c, {.initial_sequence = 0xffff0000, .random = 3}, now);
        flush();
        segment_options options;
        options.mss = mss;
        options.sack_permitted = true;
        options.window_scale = 7;
        give({.sequence = 1000, .acknowledgment = first, .flags = flag::syn | flag::ack, .window = 65535, .options = options});
        EXPECT_EQ(object->state(), state::established);
        flush();
    }
    void give(segment s) { object->receive(s, now); }
    std::size_t flush() {
        std::size_t n = 0;
        train out;
        out.buffer = buffer;
        while (object->transmit(now, out)) {
            n += out.count();
            sent += out.size;
            packet p;
            EXPECT_EQ(parse_packet(out.datagram(0), p), drop_reason::none);
            last = p.tcp;
            last.payload = {};
        }
        while (object->poll_event()) {
        }
        return n;
    }
    segment ack_of(std::uint32_t bytes) const {
        return {.sequence = 1001, .acknowledgment = first + bytes, .flags = flag::ack, .window = 65535};
    }

    ip_path path{{client_address, 1}, {server_address, 2}};
    time_point now = start_time;
    std::uint32_t first = 0xffff0001;  // sequence number of our first byte
    std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(65536);
    std::unique_ptr<connection> object;
    std::uint64_t sent = 0;
    segment last;
};

// CVE-2019-11477 to 11479: the smallest segments we can be made to send, and selective acknowledgments that leave a hole at each.
TEST(attack, sack_panic) {
    auto c = script::no_timestamps();
    c.controller.kind = recovery::controller_kind::fixed_window;
    c.controller.fixed_window = 1 << 20;
    c.send_buffer = 1 << 20;
    victim v(c, 48);
    v.give(v.ack_of(0));  // a window that is scaled
    v.object->write(std::vector<std::uint8_t>(1 << 20));
    v.flush();
    const auto segments = v.object->stats().segments_sent - 2;
    EXPECT_GT(segments, 4000u);
    EXPECT_LE(segments, (1 << 20) / min_peer_mss + 2);

    const auto began = std::chrono::steady_clock::now();
    std::uint32_t offset = min_peer_mss;
    std::uint64_t blocks = 0;
    while (blocks < 100'000) {
        auto s = v.ack_of(0);
        for (int i = 0; i < 4; ++i, ++blocks) {
            s.options.add_sack({v.first + offset, v.first + offset + min_peer_mss});
            offset += 2 * min_peer_mss;
            if (offset + min_peer_mss > 1'000'000) offset = min_peer_mss;
        }
        v.give(s);
    }
    v.flush();
    EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(10));
    EXPECT_LE(v.object->memory(), (1u << 20) + 65536);
    EXPECT_LE(v.object->stats().losses, segments);
    v.give(v.ack_of(1 << 20));
    v.flush();
    EXPECT_EQ(v.object->unacknowledged(), 0u);
}

// CVE-2018-5390 (SegmentSmack): single bytes from the far end of the window, none next to another, then overlapping ones.
TEST(attack, segment_smack) {
    auto c = script::no_timestamps();
    c.receive_window = c.max_receive_window = 4 << 20;
    victim v(c);
    const std::vector<std::uint8_t> data(2);
    const auto began = std::chrono::steady_clock::now();
    for (std::uint32_t round = 0; round < 2; ++round) {
        for (std::uint32_t at = 60'000; at > 2; at -= 2) {
            v.give({.sequence = 1001 + at,
                    .acknowledgment = v.first,
                    .flags = flag::ack,
                    .window = 1000,
                    .payload = std::span(data).first(1 + round)});
            v.flush();
        }
    }
    EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(10));
    EXPECT_GT(v.object->stats().gap_limit_drops, 1000u) << "receive_buffer::max_gaps";
    EXPECT_LE(v.object->memory(), 256u << 10);
    EXPECT_EQ(v.object->state(), state::established);
    // The window is intact: in order, all goes through.
    std::vector<std::uint8_t> rest(60'100);
    for (std::size_t i = 0; i < rest.size(); i += 1000) {
        v.give({.sequence = static_cast<std::uint32_t>(1001 + i),
                .acknowledgment = v.first,
                .flags = flag::ack,
                .window = 1000,
                .payload = std::span(rest).subspan(i, std::min<std::size_t>(1000, rest.size() - i))});
        v.flush();
    }
    EXPECT_EQ(v.object->readable(), 60'100u);
}

TEST(attack, one_byte_at_the_end_of_the_window_costs_one_block) {
    auto c = script::no_timestamps();
    c.receive_window = c.max_receive_window = 8 << 20;
    victim v(c);
    const std::vector<std::uint8_t> data(1);
    v.give({.sequence = 1001 + 60'000, .acknowledgment = v.first, .flags = flag::ack, .window = 1000, .payload = data});
    EXPECT_LE(v.object->memory(), 64u << 10);
}

// RFC 3465: the window grows by bytes acknowledged, so that dividing acknowledgments gains nothing.
TEST(attack, divided_acknowledgments) {
    auto c = script::no_timestamps();
    c.controller.kind = recovery::controller_kind::new_reno;
    victim v(c);
    v.object->write(std::vector<std::uint8_t>(10'000));
    v.flush();
    const auto window = v.object->congestion(v.now).congestion_window;
    v.now += milliseconds(50);
    for (std::uint32_t n = 1; n <= 10'000; ++n) v.give(v.ack_of(n));
    EXPECT_LE(v.object->congestion(v.now).congestion_window, window + 10 * 1012);
}

// Acknowledging what was not received yet: nothing beyond SND.NXT counts (RFC 5961 5.2).
TEST(attack, optimistic_acknowledgments) {
    victim v;
    v.object->write(std::vector<std::uint8_t>(100'000));
    v.flush();
    const auto before = v.object->congestion(v.now);
    for (std::uint32_t n = 10'001; n < 1'000'000; n += 1000) v.give(v.ack_of(n));
    EXPECT_EQ(v.object->congestion(v.now).congestion_window, before.congestion_window);
    EXPECT_EQ(v.object->congestion(v.now).bytes_in_flight, before.bytes_in_flight);
    EXPECT_GT(v.object->stats().challenge_acks_suppressed, 900u);
}

// Sockstress: a window that stays closed holds the connection only while the peer answers, and costs a probe a minute.
TEST(attack, closed_window_for_ever) {
    victim v;
    v.object->write(std::vector<std::uint8_t>(100'000));
    auto closed = v.ack_of(0);
    closed.window = 0;
    v.give(closed);
    const auto before = v.object->stats().segments_sent;
    for (int i = 0; i < 10'000; ++i) {
        const auto next = v.object->next_timeout();
        ASSERT_TRUE(next);
        v.now = *next;
        if (v.now - start_time > std::chrono::hours(24)) break;
        v.object->on_timeout(v.now);
        v.flush();
        v.give(closed);
    }
    EXPECT_EQ(v.object->state(), state::established);
    EXPECT_LT(v.object->stats().segments_sent - before, 24u * 60 + 20);
    EXPECT_LE(v.object->memory(), 200'000u);
}

TEST(attack, closed_window_does_not_hold_what_nobody_waits_for) {
    victim v;
    v.object->write(std::vector<std::uint8_t>(100'000));
    auto closed = v.ack_of(0);
    closed.window = 0;
    v.give(closed);
    v.flush();
    v.object->orphan(v.now);
    while (v.object->state() != state::closed && v.now - start_time < std::chrono::hours(1)) {
        v.now = v.object->next_timeout().value();
        v.object->on_timeout(v.now);
        v.flush();
        if (v.object->state() != state::closed) v.give(closed);
    }
    EXPECT_EQ(v.object->state(), state::closed);
    EXPECT_EQ(v.now - start_time, config{}.user_timeout);
}

TEST(attack, window_that_opens_by_one_byte_at_a_time) {  // silly window syndrome as a weapon
    victim v;
    v.object->write(std::vector<std::uint8_t>(50'000));
    auto s = v.ack_of(0);
    std::uint64_t segments = 0;
    for (int i = 0; i < 10'000; ++i) {
        s.window = 0;
        s.acknowledgment += 0;
        v.give(s);
        segments += v.flush();
    }
    EXPECT_LE(segments, 64u);
}

// Answers to answers: two endpoints that disagree must not keep each other busy.
TEST(attack, no_acknowledgment_war) {
    victim v;
    std::size_t answers = 0;
    auto s = v.ack_of(5000);
    for (int i = 0; i < 100'000; ++i) {
        v.give(s);
        answers += v.flush();
    }
    EXPECT_LE(answers, challenge_budget::least + challenge_budget::spread);
}

// Any segments at all, most of them nearly right: nothing breaks, memory stays within windows, output within what is asked for.
TEST(attack, random_segments) {
    random_source random(tandem::test::seed());
    std::vector<std::uint8_t> data(3000);
    for (int run = 0; run < 60; ++run) {
        auto c = run % 2 == 0 ? script::plain() : script::no_timestamps();
        c.receive_window = c.max_receive_window = 20'000;
        c.send_buffer = 20'000;
        c.sack = run % 3 != 0;
        victim v(c, static_cast<std::uint16_t>(random.below(2000)));
        for (int i = 0; i < 3000; ++i) {
            const auto around = [&](std::uint32_t n, std::uint64_t spread) {
                return n + static_cast<std::uint32_t>(random.below(2 * spread + 1)) - static_cast<std::uint32_t>(spread);
            };
            segment s;
            s.flags = random.below(20) == 0 ? static_cast<std::uint8_t>(random.below(256) & ~flag::rst) : flag::ack;
            if (random.below(200) == 0) s.flags |= flag::fin;
            if (random.below(2000) == 0) s.flags |= flag::rst;
            s.sequence = around(v.last.acknowledgment, random.below(3) == 0 ? 30'000 : 0);
            s.acknowledgment = around(v.last.sequence, 3000);
            s.window = static_cast<std::uint16_t>(random.below(4) == 0 ? random.below(65536) : random.below(3000));
            for (std::uint64_t k = random.below(5); k > 0; --k) {
                const auto begin = around(v.last.sequence, 10'000);
                s.options.add_sack({begin, begin + static_cast<std::uint32_t>(random.below(2000))});
            }
            if (random.below(4) != 0) {
                s.options.timestamps =
                    timestamp_option{static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(random.below(5)),
                                     v.last.options.timestamps ? v.last.options.timestamps->value : 0};
            }
            s.payload = std::span(data).first(random.below(3) == 0 ? random.below(data.size()) : 0);
            v.give(s);
            if (random.below(3) == 0) v.object->write(std::span(data).first(random.below(data.size())));
            if (random.below(9) == 0) v.object->consume(random.below(v.object->front().size() + 1), v.now);
            if (random.below(500) == 0) v.object->shutdown_send();
            if (random.below(500) == 0)
                v.object->on_packet_too_big(v.last.sequence, static_cast<std::uint16_t>(random.below(1500)), v.now);
            v.flush();
            v.now += std::chrono::microseconds(random.below(20'000));
            if (const auto next = v.object->next_timeout(); next && *next <= v.now) {
                v.object->on_timeout(v.now);
                v.flush();
            }
            ASSERT_LE(v.object->memory(), 400'000u);
            if (v.object->state() == state::closed) break;
        }
        EXPECT_LT(v.sent, 400'000'000u);
    }
}

}  // namespace
}  // namespace tandem::tcp::test
