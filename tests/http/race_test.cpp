#include <gtest/gtest.h>

#include <map>
#include <random>

#include <tandem/http/race.hpp>

#include "../seed.hpp"

namespace tandem::http {
namespace {

using namespace std::chrono_literals;

constexpr auto quic = race_protocol::quic;
constexpr auto tcp = race_protocol::tcp;
const ip_address four = ip_address::v4(192, 0, 2, 1), other_four = ip_address::v4(192, 0, 2, 2);
const ip_address six = *ip_address::parse("2001:db8::1");

time_point at(duration d) { return time_point(100s + d); }

// What a network does with an attempt, from its start.
struct fate {
    std::optional<duration> answers;    // the first bytes
    std::optional<duration> completes;  // the handshake
    std::optional<duration> fails;
};

struct outcome {
    std::optional<race_protocol> protocol;
    duration when{};
    std::size_t attempts = 0;
};

// Runs a race over these fates in virtual time.
outcome run(race& r, const std::vector<fate>& fates, duration limit = 60s) {
    std::multimap<time_point, std::function<void(time_point)>> agenda;
    outcome out;
    auto start = [&](time_point now) {
        while (auto i = r.poll_start(now)) {
            ++out.attempts;
            const auto& f = fates[*i];
            if (f.answers) agenda.emplace(now + *f.answers, [&r, i](time_point t) { r.on_bytes(*i, t); });
            if (f.completes) agenda.emplace(now + *f.completes, [&r, i](time_point t) { r.on_completed(*i, t); });
            if (f.fails) agenda.emplace(now + *f.fails, [&r, i](time_point t) { r.on_failed(*i, "refused", t); });
        }
    };
    for (auto now = at(0s); now < at(limit);) {
        start(now);
        if (r.winner() || r.exhausted()) {
            if (r.winner()) out.protocol = r.candidates()[*r.winner()].protocol;
            out.when = now - at(0s);
            break;
        }
        const auto timeout = r.next_timeout();
        if (agenda.empty() && !timeout) break;
        if (!agenda.empty() && (!timeout || agenda.begin()->first <= *timeout)) {
            auto node = agenda.extract(agenda.begin());
            now = node.key();
            node.mapped()(now);
        } else {
            now = std::max(now, *timeout);
        }
    }
    return out;
}

TEST(race, protocols_and_families_take_turns) {
    EXPECT_EQ(
        interleave({quic, tcp}, {six, four, other_four}),
        (std::vector<race_candidate>{{quic, six}, {tcp, six}, {quic, four}, {tcp, four}, {quic, other_four}, {tcp, other_four}}));
    EXPECT_EQ(interleave({tcp}, {four, other_four, six}),
              (std::vector<race_candidate>{{tcp, four}, {tcp, six}, {tcp, other_four}}));
    EXPECT_TRUE(interleave({quic}, {}).empty());
}

TEST(race, quic_wins_where_it_works) {
    race r(interleave({quic, tcp}, {four}), std::nullopt, at(0s));
    const auto o = run(r, {{30ms, 60ms, {}}, {30ms, 90ms, {}}});
    EXPECT_EQ(o.protocol, quic);
    EXPECT_EQ(o.when, 60ms);
    EXPECT_EQ(o.attempts, 1u);
    EXPECT_EQ(r.verdict(), "QUIC to 192.0.2.1 won: it was tried first and completed after 60.0 ms");
}

TEST(race, silence_brings_the_second_attempt_after_half_the_delay) {
    race r(interleave({quic, tcp}, {four}), std::nullopt, at(0s));
    const auto o = run(r, {{}, {30ms, 90ms, {}}});
    EXPECT_EQ(o.protocol, tcp);
    EXPECT_EQ(o.when, 125ms + 90ms);
    EXPECT_EQ(r.verdict(), "TCP to 192.0.2.1 won: QUIC to 192.0.2.1 had not answered after 215.0 ms");
    EXPECT_EQ(r.timeline(),
              "0.0 ms  QUIC to 192.0.2.1, no answer, cancelled\n"
              "125.0 ms  TCP to 192.0.2.1, answered at 155.0 ms, complete at 215.0 ms: used\n");
    EXPECT_EQ(r.under_way(), std::vector<std::size_t>{0});
}

TEST(race, an_answer_earns_the_whole_delay) {
    race r(interleave({quic, tcp}, {four}), std::nullopt, at(0s));
    EXPECT_EQ(r.poll_start(at(0s)), 0u);
    EXPECT_FALSE(r.poll_start(at(124ms)));
    EXPECT_EQ(r.next_timeout(), at(125ms));
    r.on_bytes(0, at(100ms));
    EXPECT_EQ(r.next_timeout(), at(250ms));
    EXPECT_FALSE(r.poll_start(at(249ms)));
    EXPECT_EQ(r.poll_start(at(250ms)), 1u);
    r.on_completed(1, at(300ms));
    EXPECT_EQ(r.verdict(), "TCP to 192.0.2.1 won: QUIC to 192.0.2.1 had answered but was slower to complete");
}

TEST(race, the_round_trip_sets_the_delay) {
    auto second_start = [](duration round_trip) {
        race r(interleave({quic, tcp}, {four}), round_trip, at(0s));
        r.poll_start(at(0s));
        r.on_bytes(0, at(0s));
        return *r.next_timeout() - at(0s);
    };
    EXPECT_EQ(second_start(1ms), 10ms);
    EXPECT_EQ(second_start(100ms), 150ms);
    EXPECT_EQ(second_start(10s), 2s);
}

// No answer can come sooner than it ever did: the second attempt does not start before one could have.
TEST(race, silence_is_told_from_distance) {
    auto second_start = [](duration round_trip) {
        race r(interleave({quic, tcp}, {four}), round_trip, at(0s));
        r.poll_start(at(0s));
        return *r.next_timeout() - at(0s);
    };
    EXPECT_EQ(second_start(1ms), 10ms);
    EXPECT_EQ(second_start(100ms), 125ms);
    EXPECT_EQ(second_start(1s), 1250ms);
    EXPECT_EQ(second_start(10s), 2s);
}

TEST(race, ports_are_told_where_they_are_not_the_origins) {
    race r({{quic, four, 8443}, {tcp, four, 0}}, std::nullopt, at(0s), quic_knowledge::alt_svc);
    run(r, {{30ms, 60ms, {}}, {}});
    EXPECT_EQ(r.verdict(), "QUIC to 192.0.2.1 port 8443 won: it was tried first and completed after 60.0 ms");
    EXPECT_EQ(to_string(r.knowledge()), "Alt-Svc");
}

TEST(race, an_error_starts_the_next_at_once) {
    race r(interleave({quic, tcp}, {six, four}), std::nullopt, at(0s));
    const auto o = run(r, {{{}, {}, 5ms}, {{}, {}, 5ms}, {{}, {}, 5ms}, {10ms, 40ms, {}}});
    EXPECT_EQ(o.protocol, tcp);
    EXPECT_EQ(o.when, 15ms + 40ms);
    EXPECT_EQ(r.verdict(), "TCP to 192.0.2.1 won: QUIC to 2001:db8::1 failed (refused)");
}

TEST(race, a_loser_may_still_win_before_the_other_is_complete) {
    race r(interleave({quic, tcp}, {four}), std::nullopt, at(0s));
    const auto o = run(r, {{180ms, 200ms, {}}, {50ms, 100ms, {}}});  // TCP starts at 125 ms and has answered at 175 ms
    EXPECT_EQ(o.protocol, quic);
    EXPECT_EQ(o.when, 200ms);
}

TEST(race, nothing_left) {
    race r(interleave({quic, tcp}, {four}), std::nullopt, at(0s));
    const auto o = run(r, {{{}, {}, 5ms}, {{}, {}, 7ms}});
    EXPECT_FALSE(o.protocol);
    EXPECT_TRUE(r.exhausted());
    EXPECT_EQ(o.when, 12ms);
    EXPECT_EQ(r.verdict(), "nothing could be reached: refused");
    race none({}, std::nullopt, at(0s));
    EXPECT_TRUE(none.exhausted());
}

TEST(race, events_that_come_late_change_nothing) {
    race r(interleave({quic, tcp}, {four}), std::nullopt, at(0s));
    r.poll_start(at(0s));
    r.poll_start(at(200ms));
    r.on_completed(1, at(250ms));
    r.on_completed(0, at(251ms));
    r.on_failed(0, "late", at(252ms));
    EXPECT_EQ(r.winner(), 1u);
    EXPECT_FALSE(r.next_timeout());
    EXPECT_FALSE(r.poll_start(at(9s)));
}

// The promise of fallback, over networks of every kind: where TCP works the race ends at most 300 ms after TCP alone would have,
// where QUIC works and TCP does not it succeeds too, and it fails only where nothing works.
TEST(race, the_promise_holds_on_a_hundred_networks) {
    std::mt19937_64 random(test::seed());
    auto up_to = [&](int n) { return std::chrono::milliseconds(random() % static_cast<std::uint64_t>(n)); };
    for (int network = 0; network < 100; ++network) {
        const duration trip = 1ms + up_to(300);
        auto works = [&](int trips) { return fate{trip, trip * trips, {}}; };
        auto broken = [&](int how) {
            switch (how) {
                case 0:
                    return fate{};  // dropped without a word
                case 1:
                    return fate{{}, {}, trip};  // refused
                case 2:
                    return fate{trip, {}, {}};  // answers, then nothing: the handshake does not end
                default:
                    return fate{trip, {}, 2 * trip};  // answers, then fails
            }
        };
        const int quic_how = network % 5, tcp_how = network / 5 % 5;
        const std::vector<fate> fates{quic_how == 4 ? works(2) : broken(quic_how), tcp_how == 4 ? works(3) : broken(tcp_how)};
        const bool known = network % 2 == 0;
        race r(interleave({quic, tcp}, {four}), known ? std::optional<duration>(trip) : std::nullopt, at(0s));
        const auto o = run(r, fates);
        if (tcp_how == 4 || quic_how == 4) {
            ASSERT_TRUE(o.protocol) << network;
            if (tcp_how == 4 && !(known && trip > 200ms)) {
                EXPECT_LE(o.when, *fates[1].completes + 300ms) << r.timeline();
            }
        } else {
            EXPECT_FALSE(o.protocol);
        }
    }
}

}  // namespace
}  // namespace tandem::http
