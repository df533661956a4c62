// The small parts of a connection, each alone.
#include <gtest/gtest.h>

#include <list>

#include <tandem/quic/application_keys.hpp>
#include <tandem/quic/close.hpp>
#include <tandem/quic/ecn.hpp>
#include <tandem/quic/handshake.hpp>
#include <tandem/quic/idle_timer.hpp>
#include <tandem/quic/intrusive_list.hpp>
#include <tandem/quic/local_connection_ids.hpp>
#include <tandem/quic/packet_number_source.hpp>
#include <tandem/quic/path.hpp>
#include <tandem/quic/peer_connection_ids.hpp>
#include <tandem/quic/secrets.hpp>
#include <tandem/quic/timer_heap.hpp>

#include "seed.hpp"

namespace tandem::quic::test {
namespace {

using namespace std::chrono_literals;
constexpr auto application = packet_space_id::application;
constexpr time_point start{1h};

// RFC 9000 8.2
TEST(PathValidation, ChallengesUntilOneIsAnsweredOrTheTimeIsOver) {
    random_source random(1);
    std::array<std::uint8_t, 100> buffer{};
    const auto challenge = [&](path_validation& v) {
        frame_writer out(buffer);
        EXPECT_TRUE(v.write_challenge(out, random));
        path_response_frame f;
        std::copy_n(buffer.begin() + 1, 8, f.data.begin());
        return f;
    };
    path_validation v;
    EXPECT_FALSE(v.challenge_due());
    EXPECT_FALSE(v.timer());
    v.begin(start, 100ms, start + 1s);
    const auto first = challenge(v);
    EXPECT_FALSE(v.challenge_due());
    EXPECT_EQ(v.timer(), start + 100ms);
    EXPECT_TRUE(v.on_timeout(start + 100ms));
    const auto second = challenge(v);
    EXPECT_NE(first.data, second.data);
    EXPECT_EQ(v.timer(), start + 300ms);
    EXPECT_FALSE(v.on_response({}));
    EXPECT_TRUE(v.under_way());
    EXPECT_TRUE(v.on_response(first));  // an answer to any of them will do
    EXPECT_FALSE(v.under_way());
    EXPECT_FALSE(v.on_response(second));

    v.begin(start, 100ms, start + 1s);
    EXPECT_TRUE(v.on_timeout(start + 999ms));
    EXPECT_FALSE(v.on_timeout(start + 1s));
    EXPECT_FALSE(v.timer());
}

TEST(PeerConnectionIds, AdvanceGoesOnToOneThatWasNotUsedYet) {
    const std::array<std::uint8_t, 8> a{1}, b{2}, c{3};
    peer_connection_ids ids(connection_id(a), 4);
    EXPECT_EQ(ids.spare(), nullptr);
    EXPECT_FALSE(ids.advance());
    EXPECT_FALSE(ids.on_new({.sequence = 2, .id = connection_id(c), .reset_token = {2}}));
    EXPECT_FALSE(ids.on_new({.sequence = 1, .id = connection_id(b), .reset_token = {1}}));
    EXPECT_EQ(*ids.spare(), connection_id(b));
    EXPECT_TRUE(ids.advance());
    EXPECT_EQ(ids.current(), connection_id(b));
    EXPECT_EQ(ids.pending_retirements(), 1u);
    EXPECT_TRUE(ids.wants_to_send());
    EXPECT_TRUE(ids.advance());
    EXPECT_EQ(ids.current(), connection_id(c));
    EXPECT_FALSE(ids.advance());
}

TEST(IdleTimer, LesserOfBothAndNeverLessThanThreePtos) {
    idle_timer t(30s, {}, start);
    EXPECT_EQ(t.deadline(1s), start + 30s);
    t.set_peer_timeout(10s);
    EXPECT_EQ(t.deadline(1s), start + 10s);
    EXPECT_EQ(t.deadline(5s), start + 15s);
    idle_timer none({}, {}, start);
    EXPECT_FALSE(none.deadline(1s));
    none.set_peer_timeout(7s);
    EXPECT_EQ(none.deadline(1s), start + 7s);
}

TEST(IdleTimer, OnlyTheFirstSendAfterAReceptionRestartsIt) {
    idle_timer t(30s, {}, start);
    t.on_sent_ack_eliciting(start + 1s);
    t.on_sent_ack_eliciting(start + 2s);
    EXPECT_EQ(t.deadline(1s), start + 31s);
    t.on_received(start + 5s);
    EXPECT_EQ(t.deadline(1s), start + 35s);
    t.on_sent_ack_eliciting(start + 6s);
    EXPECT_EQ(t.deadline(1s), start + 36s);
}

TEST(PacketNumberSource, SkipsNowAndThenAndRemembers) {
    random_source random(tandem::test::seed());
    packet_number_source numbers;
    std::vector<packet_number> skipped;
    packet_number expected = 0;
    for (int i = 0; i < 1000; ++i) {
        for (; expected < numbers.next(); ++expected) skipped.push_back(expected);
        numbers.take(&random);
        ++expected;
    }
    ASSERT_GE(skipped.size(), 2u);
    for (const auto n : skipped) EXPECT_TRUE(numbers.names_unsent(std::vector<range>{{n, n + 1}})) << n;
    EXPECT_TRUE(numbers.names_unsent(std::vector<range>{{0, numbers.next()}}));
    EXPECT_FALSE(numbers.names_unsent(std::vector<range>{{0, skipped[0]}, {skipped[0] + 1, skipped[1]}}));
    EXPECT_TRUE(numbers.names_unsent(std::vector<range>{{numbers.next(), numbers.next() + 1}}));
    packet_number_source plain;
    for (packet_number i = 0; i < 1000; ++i) {
        EXPECT_EQ(plain.next(), i);
        plain.take(nullptr);
    }
}

TEST(Ecn, ValidatesAndReportsCongestion) {
    ecn_validation e(true);
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(e.mark(), ecn::ect0);
        e.on_sent(application, e.mark());
    }
    EXPECT_EQ(e.current(), ecn_validation::state::unknown);
    EXPECT_EQ(e.mark(), ecn::not_ect);
    EXPECT_FALSE(e.on_ack(application, 3, ecn_counts{3, 0, 0}));
    EXPECT_EQ(e.current(), ecn_validation::state::capable);
    EXPECT_TRUE(e.on_ack(application, 2, ecn_counts{4, 0, 1}));
    EXPECT_FALSE(e.on_ack(application, 1, ecn_counts{5, 0, 1}));
    EXPECT_EQ(e.current(), ecn_validation::state::capable);
}

// RFC 9000 13.4.2.1
TEST(Ecn, FailsOnImplausibleCounts) {
    const auto after = [](std::uint64_t marked, std::optional<ecn_counts> counts) {
        ecn_validation e(true);
        for (int i = 0; i < 5; ++i) e.on_sent(application, ecn::ect0);
        e.on_ack(application, marked, counts);
        return e.current();
    };
    constexpr auto failed = ecn_validation::state::failed;
    EXPECT_EQ(after(1, std::nullopt), failed) << "no counts";
    EXPECT_EQ(after(2, ecn_counts{1, 0, 0}), failed) << "fewer than acknowledged";
    EXPECT_EQ(after(1, ecn_counts{0, 1, 0}), failed) << "ECT(1) was never sent";
    EXPECT_EQ(after(1, ecn_counts{6, 0, 0}), failed) << "more than sent";
    EXPECT_EQ(after(1, ecn_counts{1, 0, 5}), failed) << "more CE than sent";
    EXPECT_EQ(after(1, ecn_counts{0, 0, 1}), ecn_validation::state::capable);
    EXPECT_EQ(after(0, std::nullopt), ecn_validation::state::testing) << "says nothing";
}

TEST(Ecn, FailsWhenAllMarkedPacketsAreLost) {
    ecn_validation e(true);
    for (int i = 0; i < 10; ++i) e.on_sent(application, ecn::ect0);
    e.on_lost(9);
    EXPECT_EQ(e.current(), ecn_validation::state::unknown);
    e.on_lost(1);
    EXPECT_EQ(e.current(), ecn_validation::state::failed);
}

// What the peer acknowledges of the path before is no fault of the next one.
TEST(Ecn, AnotherPathGoesOnWithTheCounts) {
    ecn_validation first(true);
    for (int i = 0; i < 10; ++i) first.on_sent(application, ecn::ect0);
    first.on_ack(application, 8, ecn_counts{8, 0, 0});
    ecn_validation second(true);
    second.go_on_from(first);
    EXPECT_EQ(second.current(), ecn_validation::state::testing);
    for (int i = 0; i < 10; ++i) second.on_sent(application, second.mark());
    EXPECT_FALSE(second.on_ack(application, 3, ecn_counts{13, 0, 0}));
    EXPECT_EQ(second.current(), ecn_validation::state::capable);
}

// RFC 9000 10.2.2
TEST(CloseProcess, DrainingEndsWhenClosingWouldHaveEnded) {
    close_process c;
    c.begin_closing({.code = 5}, start + 3s);
    c.begin_draining(start + 5s);
    EXPECT_EQ(c.deadline(), start + 3s);
    EXPECT_FALSE(c.packet_due());
    close_process other;
    other.begin_draining(start + 5s);
    EXPECT_EQ(other.deadline(), start + 5s);
}

TEST(CloseProcess, AnswersGetRarer) {
    close_process c;
    c.begin_closing({.code = 5}, start);
    EXPECT_TRUE(c.packet_due());
    c.on_packet_sent();
    std::vector<int> answered;
    for (int i = 1; i <= 31; ++i) {
        c.on_datagram();
        if (c.packet_due()) answered.push_back(i);
        c.on_packet_sent();
    }
    EXPECT_EQ(answered, (std::vector<int>{1, 3, 7, 15, 31}));
    c.begin_draining(start);
    c.on_datagram();
    EXPECT_FALSE(c.packet_due());
    EXPECT_FALSE(c.closing());
}

TEST(CloseProcess, ReasonIsCutShort) {
    close_process c;
    c.begin_closing({.reason = std::string(10'000, 'x')}, start);
    EXPECT_EQ(c.frame(encryption_level::one_rtt).reason.size(), close_process::max_reason_size);
}

TEST(TimerHeap, AgreesWithASortedList) {
    struct item {
        timer_hook hook;
        std::optional<time_point> at;
    };
    random_source random(tandem::test::seed());
    std::list<item> items(50);
    std::vector<item*> all;
    for (auto& i : items) all.push_back(&i);
    timer_heap<item, &item::hook> heap;
    for (int step = 0; step < 20'000; ++step) {
        auto& one = *all[random.below(all.size())];
        one.at = random.below(4) == 0 ? std::nullopt : std::optional(start + duration(random.below(100)));
        if (!one.at && random.below(2) == 0)
            heap.remove(one);
        else
            heap.set(one, one.at);
        std::optional<time_point> earliest;
        for (const auto* i : all) {
            if (i->at && (!earliest || *i->at < *earliest)) earliest = i->at;
        }
        ASSERT_EQ(heap.earliest(), earliest);
        if (earliest) {
            ASSERT_EQ(heap.front().at, earliest);
        }
    }
}

TEST(IntrusiveList, KeepsOrder) {
    struct item {
        list_hook<item> hook;
    };
    std::array<item, 4> items;
    intrusive_list<item, &item::hook> list;
    for (auto& i : items) list.push_back(i);
    list.push_back(items[1]);
    list.remove(items[2]);
    list.remove(items[2]);
    list.remove(items[0]);
    EXPECT_EQ(list.front(), &items[1]);
    EXPECT_EQ(list.next(items[1]), &items[3]);
    list.push_back(items[0]);
    list.remove(items[1]);
    list.remove(items[3]);
    EXPECT_EQ(list.front(), &items[0]);
    list.remove(items[0]);
    EXPECT_TRUE(list.empty());
}

TEST(Path, AmplificationAndDatagramSize) {
    path p({}, false, {.max_datagram_size = 1452});
    EXPECT_EQ(p.amplification_allowance(), 0u);
    p.on_received(1200);
    EXPECT_EQ(p.amplification_allowance(), 3600u);
    p.on_sent(3000);
    EXPECT_EQ(p.amplification_allowance(), 600u);
    p.on_sent(1000);
    EXPECT_EQ(p.amplification_allowance(), 0u);
    p.validate();
    EXPECT_GT(p.amplification_allowance(), 1'000'000u);
    EXPECT_EQ(p.max_datagram_size(), 1452u);
    p.limit_datagram_size(9000);
    EXPECT_EQ(p.max_datagram_size(), 1452u);
    p.limit_datagram_size(100);
    EXPECT_EQ(p.max_datagram_size(), 1200u);
    EXPECT_EQ(path({}, true, {.max_datagram_size = 1}).max_datagram_size(), 1200u);
}

connection_id id_of(std::uint8_t n) { return connection_id(std::vector<std::uint8_t>(8, n)); }
new_connection_id_frame new_id(std::uint64_t sequence, std::uint64_t retire_prior_to = 0) {
    stateless_reset_token token{};
    token[0] = static_cast<std::uint8_t>(sequence);
    return {sequence, retire_prior_to, id_of(static_cast<std::uint8_t>(sequence)), token};
}

TEST(PeerConnectionIds, TakesRepeatsAndRefusesContradictions) {
    peer_connection_ids ids(id_of(100), 4);
    EXPECT_FALSE(ids.on_new(new_id(1)));
    EXPECT_FALSE(ids.on_new(new_id(1))) << "a retransmission";
    auto other = new_id(1);
    other.id = id_of(50);
    EXPECT_TRUE(ids.on_new(other)->is(transport_error::protocol_violation));
    auto same = new_id(2);
    same.id = id_of(1);
    EXPECT_TRUE(ids.on_new(same)->is(transport_error::protocol_violation));
    auto token = new_id(3);
    token.reset_token = new_id(1).reset_token;
    EXPECT_TRUE(ids.on_new(token)->is(transport_error::protocol_violation));
    peer_connection_ids none(connection_id(), 4);
    EXPECT_TRUE(none.on_new(new_id(1))->is(transport_error::protocol_violation));
}

TEST(PeerConnectionIds, LeavesNoneBehindThatCameLate) {
    peer_connection_ids ids(id_of(100), 4);
    ASSERT_FALSE(ids.on_new(new_id(2)));
    ASSERT_FALSE(ids.on_new(new_id(1)));
    ASSERT_FALSE(ids.on_new(new_id(3, 1)));
    EXPECT_EQ(ids.current(), id_of(1));
    ASSERT_NE(ids.spare(), nullptr);
    EXPECT_EQ(*ids.spare(), id_of(2));
}

TEST(PeerConnectionIds, ARepeatMayRetireMore) {
    peer_connection_ids ids(id_of(100), 4);
    ASSERT_FALSE(ids.on_new(new_id(1)));
    ASSERT_FALSE(ids.on_new(new_id(2)));
    ASSERT_FALSE(ids.on_new(new_id(2, 2)));
    EXPECT_EQ(ids.current(), id_of(2));
    EXPECT_EQ(ids.pending_retirements(), 2u);
}

TEST(PeerConnectionIds, MovesOnWhenTheOneInUseIsRetired) {
    peer_connection_ids ids(id_of(100), 4);
    ASSERT_FALSE(ids.on_new(new_id(1)));
    ASSERT_FALSE(ids.on_new(new_id(2, 1)));
    EXPECT_EQ(ids.current(), id_of(1));
    EXPECT_EQ(ids.current_token(), new_id(1).reset_token);
    EXPECT_TRUE(ids.wants_to_send());
    std::vector<std::uint8_t> buffer(100);
    frame_writer out(buffer);
    sent_frames sent;
    ids.write_frames(out, sent);
    EXPECT_FALSE(ids.wants_to_send());
    ASSERT_EQ(sent.control.size(), 1u);
    const auto token = std::get<retire_connection_id_token>(sent.control[0]);
    EXPECT_EQ(token.sequence, 0u);
    ids.lost(token);
    EXPECT_TRUE(ids.wants_to_send());
    ids.acknowledged(token);
    EXPECT_FALSE(ids.wants_to_send());
    ids.lost(token);
    EXPECT_FALSE(ids.wants_to_send());
    // Late, and below what was retired: retired at once.
    ASSERT_FALSE(ids.on_new(new_id(0)));
    EXPECT_TRUE(ids.wants_to_send());
}

TEST(LocalConnectionIds, IssuesAndReplaces) {
    connection_id_source source(1);
    local_connection_ids ids(id_of(9), source);
    EXPECT_FALSE(ids.wants_to_send());
    ids.set_peer_limit(1000);
    std::vector<std::uint8_t> buffer(1000);
    frame_writer out(buffer);
    sent_frames sent;
    ids.write_frames(out, sent);
    EXPECT_EQ(sent.control.size(), local_connection_ids::max_issued - 1);
    std::size_t added = 0;
    while (const auto change = ids.poll_change()) added += change->added ? 1 : 0;
    EXPECT_EQ(added, local_connection_ids::max_issued);
    EXPECT_TRUE(ids.on_retire(4, id_of(9))->is(transport_error::protocol_violation));
    EXPECT_TRUE(ids.on_retire(0, id_of(9))->is(transport_error::protocol_violation));
    EXPECT_FALSE(ids.on_retire(0, id_of(1)));
    EXPECT_FALSE(ids.on_retire(0, id_of(1))) << "a repetition";
    EXPECT_TRUE(ids.wants_to_send());
    const auto gone = ids.poll_change();
    ASSERT_TRUE(gone);
    EXPECT_FALSE(gone->added);
    EXPECT_EQ(gone->id, id_of(9));
    const auto fresh = ids.poll_change();
    ASSERT_TRUE(fresh && fresh->added);
    ids.lost(new_connection_id_token{1});
    sent_frames again;
    ids.write_frames(out, again);
    EXPECT_EQ(again.control.size(), 2u) << "the lost one and the new one";
}

TEST(Secrets, DependOnSeedAndPurposeOnly) {
    EXPECT_EQ(derive_secret(1, "tokens"), derive_secret(1, "tokens"));
    EXPECT_NE(derive_secret(1, "tokens"), derive_secret(2, "tokens"));
    EXPECT_NE(derive_secret(1, "tokens"), derive_secret(1, "stateless reset"));
    EXPECT_NE(derive_seed(1, "visible"), derive_seed(1, "hidden"));
    // A server that comes back with its seed knows the reset tokens it gave out.
    EXPECT_EQ(connection_id_source(5).token(id_of(1)), connection_id_source(5).token(id_of(1)));
    EXPECT_NE(connection_id_source(5).token(id_of(1)), connection_id_source(6).token(id_of(1)));
}

// RFC 9000 7.3
TEST(HandshakeIds, MustAgree) {
    const handshake_ids used{id_of(1), id_of(2), std::nullopt};
    transport_parameters p;
    p.initial_source_connection_id = id_of(1);
    EXPECT_FALSE(authenticate(p, perspective::client, used));
    EXPECT_TRUE(authenticate(p, perspective::server, used)->is(transport_error::transport_parameter_error));
    p.original_destination_connection_id = id_of(2);
    EXPECT_FALSE(authenticate(p, perspective::server, used));
    p.retry_source_connection_id = id_of(3);
    EXPECT_TRUE(authenticate(p, perspective::server, used)) << "a Retry that never was";
    EXPECT_FALSE(authenticate(p, perspective::server, {id_of(1), id_of(2), id_of(3)}));
    EXPECT_TRUE(authenticate(p, perspective::server, {id_of(1), id_of(2), id_of(4)}));
    p.initial_source_connection_id.reset();
    EXPECT_TRUE(authenticate(p, perspective::server, {id_of(1), id_of(2), id_of(3)}));
}

}  // namespace
}  // namespace tandem::quic::test
