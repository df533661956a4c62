// The small parts alone: sequence numbers, SipHash, the receive window, timers, which transmission carries what.
#include <gtest/gtest.h>

#include <tandem/bytes/random.hpp>
#include <tandem/tcp/isn.hpp>
#include <tandem/tcp/receive_window.hpp>
#include <tandem/tcp/retransmission_timer.hpp>
#include <tandem/tcp/sack_report.hpp>
#include <tandem/tcp/sent_segments.hpp>
#include <tandem/tcp/sequence.hpp>
#include <tandem/tcp/timer_heap.hpp>

#include "seed.hpp"

namespace tandem::tcp::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr time_point at(int ms) { return time_point{milliseconds(ms)}; }

TEST(sequence, unwraps_to_the_nearest) {
    const auto base = first_sequence(0xfffffff0);
    EXPECT_EQ(on_wire(base), 0xfffffff0u);
    EXPECT_EQ(unwrap(0xfffffff1, base), base + 1);
    EXPECT_EQ(unwrap(5, base), base + 21);
    EXPECT_EQ(unwrap(0xffffffef, base), base - 1);
    EXPECT_EQ(unwrap(0x7fffffef, base), base + 0x7fffffff);
    EXPECT_EQ(unwrap(0x7ffffff0, base), base - 0x80000000);
    const auto far = base + 10'000'000'000;
    EXPECT_EQ(unwrap(on_wire(far + 12345), far), far + 12345);
    EXPECT_EQ(unwrap(on_wire(far - 12345), far), far - 12345);
}

TEST(sip_hash, vectors_of_its_authors) {
    hash_key key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
    std::array<std::uint8_t, 15> in;
    for (std::uint8_t i = 0; i < in.size(); ++i) in[i] = i;
    EXPECT_EQ(sip_hash(key, std::span(in).first(0)), 0x726fdb47dd0e0e31u);
    EXPECT_EQ(sip_hash(key, std::span(in).first(1)), 0x74f839c593dc67fdu);
    EXPECT_EQ(sip_hash(key, std::span(in).first(8)), 0x93f5f5799a932462u);
    EXPECT_EQ(sip_hash(key, in), 0xa129ca6149be45e5u);
}

TEST(isn, moves_with_the_clock_and_differs_by_connection_and_key) {  // RFC 6528 3
    const isn_generator a(random_source(1));
    const isn_generator b(random_source(2));
    const ip_path path{{ip_address::v4(10, 0, 0, 1), 1000}, {ip_address::v4(10, 0, 0, 2), 80}};
    auto other = path;
    other.local.port = 1001;
    EXPECT_EQ(a.initial_sequence(path, at(1001)) - a.initial_sequence(path, at(1000)), 250u);  // 1 ms of 4 us
    EXPECT_NE(a.initial_sequence(path, at(1000)), a.initial_sequence(other, at(1000)));
    EXPECT_NE(a.initial_sequence(path, at(1000)), b.initial_sequence(path, at(1000)));
    EXPECT_NE(a.timestamp_offset(path), a.timestamp_offset(other));
}

TEST(isn, draws_are_spread_and_repeatable) {
    isn_generator a(random_source(1));
    isn_generator b(random_source(1));
    std::array<int, 10> seen{};
    for (int i = 0; i < 10'000; ++i) {
        const auto n = a.draw_below(10);
        ASSERT_LT(n, 10u);
        ++seen[n];
        EXPECT_EQ(b.draw_below(10), n);
    }
    for (const int n : seen) EXPECT_NEAR(n, 1000, 200);
}

TEST(receive_window, edge_never_moves_left) {
    random_source random(tandem::test::seed());
    for (int run = 0; run < 200; ++run) {
        receive_window w(1 + random.below(200000), 1 + random.below(4'000'000), random.below(2) == 0);
        std::uint64_t next = 0;
        std::uint64_t consumed = 0;
        std::uint64_t edge = 0;
        const auto largest_window = [&] { return std::max<std::uint64_t>(w.window(), 1); };
        for (int i = 0; i < 300; ++i) {
            const auto field = w.announce(next, consumed, 1460);
            const auto scale = w.offered_scale().value_or(0);
            EXPECT_LE(next + (std::uint64_t{field} << scale), w.edge());
            EXPECT_GE(w.edge(), edge);
            EXPECT_LT(w.edge(), consumed + largest_window() + (1u << scale)) << "memory is bounded";
            edge = w.edge();
            if (edge > next) next += random.below(edge - next + 1);
            if (next > consumed) {
                consumed += random.below(next - consumed + 1);
                w.on_consumed(consumed, at(i), milliseconds(static_cast<int>(random.below(3))));
            }
        }
    }
}

TEST(receive_window, one_byte_segments_cannot_push_it_open) {
    receive_window w(4096, 1 << 20, true);
    std::uint64_t next = 0;
    w.announce(next, 0, 1460);
    while (next < w.edge() && next < 100000) {
        ++next;
        w.announce(next, 0, 1460);
    }
    EXPECT_LT(next, 4096u + (1u << *w.offered_scale()));
}

recovery::rtt_estimator sampled(duration rtt) {
    recovery::rtt_estimator out;
    out.update(rtt, {});
    return out;
}

TEST(retransmission_timer, kinds_follow_the_situation) {
    retransmission_timer t(milliseconds(200), seconds(60), milliseconds(25));
    const auto rtt = sampled(milliseconds(100));  // RTO 300
    using kind = retransmission_timer::kind;
    t.arm({}, rtt, at(0));
    EXPECT_EQ(t.armed(), kind::none);
    t.on_sent(at(1000));
    t.arm({.outstanding = true, .probe_allowed = true}, rtt, at(1000));
    EXPECT_EQ(t.armed(), kind::tail_loss_probe);
    EXPECT_EQ(t.deadline(), at(1200));
    t.arm({.outstanding = true, .probe_allowed = true, .one_segment = true}, rtt, at(1000));
    EXPECT_EQ(t.deadline(), at(1225));
    t.arm({.outstanding = true}, rtt, at(1000));
    EXPECT_EQ(t.armed(), kind::retransmission);
    EXPECT_EQ(t.deadline(), at(1300));
    t.on_expired(at(1300));
    t.arm({.outstanding = true}, rtt, at(1300));
    EXPECT_EQ(t.deadline(), at(1900));
    t.on_progress(at(1500));
    t.arm({.outstanding = true}, rtt, at(1500));
    EXPECT_EQ(t.deadline(), at(2100)) << "progress without a sample keeps the backoff";
    t.on_sample();
    t.arm({.outstanding = true}, rtt, at(1500));
    EXPECT_EQ(t.deadline(), at(1800));
    t.arm({.window_blocked = true}, rtt, at(1600));
    EXPECT_EQ(t.armed(), kind::window_probe);
    EXPECT_EQ(t.deadline(), at(1900));
}

TEST(retransmission_timer, probe_is_not_later_than_the_timeout) {  // RFC 8985 7.2
    retransmission_timer t(milliseconds(50), seconds(60), milliseconds(25));
    auto rtt = sampled(milliseconds(100));
    for (int i = 0; i < 50; ++i) rtt.update(milliseconds(100), {});  // no variation: RTO 101 ms
    t.on_sent(at(1000));
    t.arm({.outstanding = true, .probe_allowed = true}, rtt, at(1000));
    EXPECT_EQ(t.armed(), retransmission_timer::kind::tail_loss_probe);
    EXPECT_EQ(t.deadline(), at(1101));
}

TEST(timer_heap, gives_due_slots_in_order_and_follows_moves) {
    timer_heap heap;
    heap.grow(3);
    std::array<std::optional<time_point>, 3> deadlines{at(30), at(10), at(20)};
    const auto of = [&](std::uint32_t slot) { return deadlines[slot]; };
    for (std::uint32_t i = 0; i < 3; ++i) heap.update(i, deadlines[i]);
    EXPECT_EQ(heap.next(of), at(10));
    deadlines[1] = at(40);  // moved later: nobody is told
    EXPECT_EQ(heap.next(of), at(20));
    deadlines[0] = at(5);
    heap.update(0, deadlines[0]);
    EXPECT_EQ(heap.next(of), at(5));
    EXPECT_EQ(heap.pop_due(at(4), of), std::nullopt);
    EXPECT_EQ(heap.pop_due(at(25), of), 0u);
    deadlines[0].reset();
    EXPECT_EQ(heap.pop_due(at(25), of), 2u);
    deadlines[2].reset();
    EXPECT_EQ(heap.pop_due(at(25), of), std::nullopt);
    heap.remove(1);
    deadlines[1].reset();
    EXPECT_EQ(heap.next(of), std::nullopt);
}

using numbers = std::vector<std::uint64_t>;

TEST(sent_segments, retransmission_learns_of_what_was_before_it) {
    sent_segments s;
    EXPECT_EQ(s.on_sent({100, 200}, 0), no_transmission);
    EXPECT_EQ(s.on_sent({200, 300}, 1), no_transmission);
    EXPECT_EQ(s.on_sent({100, 200}, 2), 0u);
    EXPECT_EQ(s.on_sent({150, 200}, 3), 2u);  // the rest of it
    numbers seen;
    s.acknowledge_below(200, [&](const auto& e) { seen.push_back(e.newest); });
    EXPECT_EQ(seen, (numbers{3}));
    seen.clear();
    s.for_each_duplicate({100, 200}, [&](const auto& e) { seen.push_back(e.newest); });
    EXPECT_EQ(seen, (numbers{3})) << "remembered for a DSACK";
}

TEST(sent_segments, only_wholly_covered_entries_are_acknowledged_and_once) {
    sent_segments s;
    for (std::uint64_t i = 0; i < 4; ++i) s.on_sent({i * 100, i * 100 + 100}, i);
    numbers seen;
    const auto covered = [](range r) { return r.begin >= 100 && r.end <= 350; };
    s.acknowledge({100, 350}, covered, [&](const auto& e) { seen.push_back(e.newest); });
    s.acknowledge({100, 350}, covered, [&](const auto& e) { seen.push_back(e.newest); });
    EXPECT_EQ(seen, (numbers{1, 2}));
    seen.clear();
    s.acknowledge_below(400, [&](const auto& e) { seen.push_back(e.newest); });
    EXPECT_EQ(seen, (numbers{0, 3}));
    EXPECT_TRUE(s.empty());
}

TEST(sent_segments, memory_of_retransmissions_is_bounded) {
    sent_segments s;
    for (std::uint64_t i = 0; i < 10 * sent_segments::max_remembered; ++i) {
        s.on_sent({i * 10, i * 10 + 10}, 2 * i);
        s.on_sent({i * 10, i * 10 + 10}, 2 * i + 1);
        s.acknowledge_below(i * 10 + 10, [](const auto&) {});
    }
    std::size_t kept = 0;
    s.for_each_duplicate({0, 1'000'000}, [&](const auto&) { ++kept; });
    EXPECT_EQ(kept, sent_segments::max_remembered);
}

TEST(sent_segments, split) {
    sent_segments s;
    s.on_sent({100, 300}, 7);
    s.split(200);
    EXPECT_EQ(s.holding(150)->end, 200u);
    EXPECT_EQ(s.holding(250)->begin, 200u);
    EXPECT_EQ(s.on_sent({100, 200}, 8), 7u);
    EXPECT_EQ(s.holding(250)->newest, 7u);
    s.split(200);
    EXPECT_EQ(s.size(), 2u);
}

}  // namespace
}  // namespace tandem::tcp::test
