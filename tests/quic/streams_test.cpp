// The state machines of RFC 9000 3, final sizes, and what the peer may not do.
#include "quic/streams_pair.hpp"

namespace tandem::quic {
namespace {

using namespace test;

constexpr auto bidi = direction::bidirectional;
constexpr auto uni = direction::unidirectional;

TEST(stream_id, names_initiator_and_kind) {  // RFC 9000 2.1 Table 1
    EXPECT_EQ(stream_id::make(perspective::client, bidi, 0).value, 0U);
    EXPECT_EQ(stream_id::make(perspective::server, bidi, 0).value, 1U);
    EXPECT_EQ(stream_id::make(perspective::client, uni, 0).value, 2U);
    EXPECT_EQ(stream_id::make(perspective::server, uni, 5).value, 23U);
    EXPECT_EQ(stream_id{23}.initiator(), perspective::server);
    EXPECT_EQ(stream_id{23}.kind(), uni);
    EXPECT_EQ(stream_id{23}.index(), 5U);
}

TEST(streams, request_and_response) {
    pair_of_streams p;
    const auto id = p.client.open(bidi).value();
    EXPECT_EQ(p.client.write(id, as_bytes("request"), true, p.now), 7U);
    EXPECT_TRUE(p.client.wants_to_send());
    p.settle();
    const auto at_server = events(p.server);
    ASSERT_EQ(at_server.size(), 2U);
    EXPECT_EQ(at_server[0].kind, stream_event_kind::opened);
    EXPECT_EQ(at_server[1].kind, stream_event_kind::readable);
    EXPECT_EQ(at_server[1].id, id);
    std::vector<std::uint8_t> in(100);
    const auto r = p.server.read(id, in, p.now);
    EXPECT_EQ(r.n, 7U);
    EXPECT_TRUE(r.end);
    EXPECT_EQ(p.server.write(id, as_bytes("response"), true, p.now), 8U);
    p.settle();
    EXPECT_EQ(text(p.client, id, p.now), "response");
    EXPECT_EQ(p.client.open_streams(), 0U);
    EXPECT_EQ(p.server.open_streams(), 0U);
    const auto at_client = events(p.client);
    EXPECT_EQ(count(at_client, stream_event_kind::finished), 1);
    EXPECT_EQ(at_client.back().kind, stream_event_kind::closed);
    EXPECT_TRUE(p.client.read(id, in, p.now).unknown);
    EXPECT_EQ(p.client.write(id, as_bytes("x"), false, p.now), 0U);
}

TEST(streams, lone_fin_and_empty_stream) {
    pair_of_streams p;
    const auto id = p.client.open(uni).value();
    p.client.write(id, as_bytes("abc"), false, p.now);
    p.settle();
    p.client.write(id, {}, true, p.now);
    EXPECT_TRUE(p.client.wants_to_send());
    p.settle();
    std::vector<std::uint8_t> in(3);
    EXPECT_TRUE(p.server.read(id, in, p.now).end);
    const auto empty = p.client.open(uni).value();
    p.client.write(empty, {}, true, p.now);
    p.settle();
    EXPECT_TRUE(p.server.read(empty, in, p.now).end);
    EXPECT_EQ(p.client.open_streams() + p.server.open_streams(), 0U);
}

TEST(streams, lost_data_is_sent_again_and_only_that) {
    pair_of_streams p;
    const auto id = p.client.open(uni).value();
    p.client.write(id, bytes(3000), true, p.now);
    const auto first = p.take(p.client).value();
    const auto second = p.take(p.client).value();
    const auto third = p.take(p.client).value();
    EXPECT_FALSE(p.client.wants_to_send());
    p.give(first, p.server);
    p.acknowledge(first, p.client);
    p.give(third, p.server);
    p.acknowledge(third, p.client);
    EXPECT_EQ(p.server.readable(id), std::get<stream_data_token>(first.tokens[0]).length);
    p.lose(second, p.client);
    EXPECT_TRUE(p.client.wants_to_send());
    const auto again = p.take(p.client).value();
    ASSERT_EQ(again.tokens.size(), 1U);
    EXPECT_EQ(std::get<stream_data_token>(again.tokens[0]).offset, std::get<stream_data_token>(second.tokens[0]).offset);
    EXPECT_EQ(std::get<stream_data_token>(again.tokens[0]).length, std::get<stream_data_token>(second.tokens[0]).length);
    EXPECT_FALSE(p.client.wants_to_send());
    p.give(again, p.server);
    std::vector<std::uint8_t> in(4000);
    const auto r = p.server.read(id, in, p.now);
    EXPECT_EQ(r.n, 3000U);
    EXPECT_TRUE(r.end);
    in.resize(3000);
    EXPECT_EQ(in, bytes(3000));
    p.acknowledge(again, p.client);
    EXPECT_EQ(p.client.open_streams(), 0U);
}

TEST(streams, lost_fin_is_sent_again) {
    pair_of_streams p;
    const auto id = p.client.open(uni).value();
    p.client.write(id, as_bytes("abc"), true, p.now);
    const auto lost = p.take(p.client).value();
    p.lose(lost, p.client);
    p.settle();
    std::vector<std::uint8_t> in(10);
    EXPECT_TRUE(p.server.read(id, in, p.now).end);
    EXPECT_EQ(p.client.open_streams(), 0U);
    // The late acknowledgment of what was thought lost concerns nobody.
    p.acknowledge(lost, p.client);
    p.lose(lost, p.client);
    EXPECT_FALSE(p.client.wants_to_send());
}

TEST(streams, spurious_loss_is_undone_before_the_retransmission) {
    pair_of_streams p;
    const auto id = p.client.open(uni).value();
    p.client.write(id, as_bytes("abc"), true, p.now);
    const auto sent = p.take(p.client).value();
    p.lose(sent, p.client);
    p.acknowledge(sent, p.client);
    EXPECT_FALSE(p.client.wants_to_send());
    EXPECT_EQ(p.client.open_streams(), 0U);
}

TEST(streams, reset_by_the_sender) {
    pair_of_streams p;
    const auto id = p.client.open(bidi).value();
    p.client.write(id, bytes(2000), false, p.now);
    const auto first = p.take(p.client).value();
    p.give(first, p.server);
    p.client.reset(id, 77, p.now);
    EXPECT_EQ(p.client.write(id, as_bytes("more"), false, p.now), 0U);
    p.lose(first, p.client);  // not sent again after a reset (RFC 9000 3.3)
    const auto reset = p.take(p.client).value();
    ASSERT_EQ(reset.tokens.size(), 1U);
    EXPECT_TRUE(std::holds_alternative<reset_stream_token>(reset.tokens[0]));
    EXPECT_FALSE(p.client.wants_to_send());
    p.lose(reset, p.client);
    const auto again = p.take(p.client).value();
    p.give(again, p.server);
    const auto told = events(p.server);
    ASSERT_EQ(count(told, stream_event_kind::reset), 1);
    EXPECT_EQ(told.back().code, 77U);
    std::vector<std::uint8_t> in(10);
    const auto r = p.server.read(id, in, p.now);
    EXPECT_EQ(r.reset, 77U);
    EXPECT_EQ(r.n, 0U);
    p.server.write(id, {}, true, p.now);
    p.acknowledge(again, p.client);
    p.settle();
    EXPECT_TRUE(p.client.read(id, in, p.now).end);
    EXPECT_EQ(p.client.open_streams() + p.server.open_streams(), 0U);
}

TEST(streams, reset_after_all_data_came_is_ignored) {  // RFC 9000 3.2
    pair_of_streams p;
    ASSERT_FALSE(p.server.receive(stream_frame{stream_id{2}, 0, as_bytes("abc"), true}, p.now));
    ASSERT_FALSE(p.server.receive(reset_stream_frame{stream_id{2}, 9, 3}, p.now));
    std::vector<std::uint8_t> in(10);
    const auto r = p.server.read(stream_id{2}, in, p.now);
    EXPECT_EQ(r.n, 3U);
    EXPECT_TRUE(r.end);
    EXPECT_FALSE(r.reset);
}

TEST(streams, stop_sending_is_answered_with_a_reset_of_the_same_code) {  // RFC 9000 3.5
    pair_of_streams p;
    const auto id = p.client.open(uni).value();
    p.client.write(id, bytes(5000), false, p.now);
    p.flush(p.client, p.server);
    p.server.stop_sending(id, 42, p.now);
    EXPECT_TRUE(p.server.read(id, std::span<std::uint8_t>{}, p.now).unknown);
    const auto lost = p.take(p.server).value();
    p.lose(lost, p.server);
    p.flush(p.server, p.client);
    const auto told = events(p.client);
    ASSERT_EQ(count(told, stream_event_kind::stop_sending), 1);
    EXPECT_EQ(told.back().code, 42U);
    EXPECT_EQ(p.client.write(id, as_bytes("x"), false, p.now), 0U);
    const auto reset = p.take(p.client).value();
    ack_ranges scratch;
    frame_reader in(reset.payload, encryption_level::one_rtt, scratch);
    frame f;
    ASSERT_TRUE(in.next(f));
    EXPECT_EQ(std::get<reset_stream_frame>(f), (reset_stream_frame{id, 42, 5000}));
    p.give(reset, p.server);
    EXPECT_EQ(p.server.open_streams(), 0U);
    p.acknowledge(reset, p.client);
    EXPECT_EQ(p.client.open_streams(), 0U);
}

TEST(streams, stopped_stream_that_ends_anyway_goes_away) {
    pair_of_streams p;
    ASSERT_FALSE(p.server.receive(stream_frame{stream_id{2}, 0, as_bytes("abc"), false}, p.now));
    p.server.stop_sending(stream_id{2}, 1, p.now);
    EXPECT_TRUE(p.server.wants_to_send());
    ASSERT_FALSE(p.server.receive(stream_frame{stream_id{2}, 6, as_bytes("ghi"), true}, p.now));
    EXPECT_EQ(p.server.open_streams(), 0U);
    EXPECT_EQ(p.server.bytes_received(), 9U);
    EXPECT_FALSE(p.server.wants_to_send());
}

TEST(streams, higher_number_opens_the_lower_ones) {  // RFC 9000 2.1
    pair_of_streams p;
    ASSERT_FALSE(p.server.receive(stream_frame{stream_id{8}, 0, as_bytes("x"), false}, p.now));
    EXPECT_EQ(p.server.open_streams(), 3U);
    const auto told = events(p.server);
    ASSERT_EQ(told.size(), 4U);
    EXPECT_EQ(told[0].id, stream_id{0});
    EXPECT_EQ(told[2].id, stream_id{8});
    // MAX_STREAM_DATA and STOP_SENDING open a bidirectional stream as well (RFC 9000 3.2).
    ASSERT_FALSE(p.server.receive(max_stream_data_frame{stream_id{12}, 10}, p.now));
    ASSERT_FALSE(p.server.receive(stop_sending_frame{stream_id{16}, 10}, p.now));
    ASSERT_FALSE(p.server.receive(stream_data_blocked_frame{stream_id{2}, 10}, p.now));
    EXPECT_EQ(p.server.open_streams(), 6U);
}

void refused(std::optional<connection_error> error, transport_error code, std::uint64_t type) {
    ASSERT_TRUE(error);
    EXPECT_TRUE(error->is(code)) << to_string(*error);
    EXPECT_EQ(error->frame_type, type);
}

TEST(streams, stream_state_errors) {
    pair_of_streams p;
    const auto e = transport_error::stream_state_error;
    // The server never opened these.
    refused(p.server.receive(stream_frame{stream_id{1}, 0, as_bytes("x"), false}, p.now), e, frame_type::stream);
    refused(p.server.receive(max_stream_data_frame{stream_id{1}, 1}, p.now), e, frame_type::max_stream_data);
    refused(p.server.receive(stop_sending_frame{stream_id{3}, 1}, p.now), e, frame_type::stop_sending);
    refused(p.server.receive(reset_stream_frame{stream_id{1}, 1, 1}, p.now), e, frame_type::reset_stream);
    refused(p.server.receive(stream_data_blocked_frame{stream_id{1}, 1}, p.now), e, frame_type::stream_data_blocked);
    // Nobody but the server sends on 3, nobody but the client on 2.
    ASSERT_TRUE(p.server.open(uni));
    refused(p.server.receive(stream_frame{stream_id{3}, 0, as_bytes("x"), false}, p.now), e, frame_type::stream);
    refused(p.server.receive(reset_stream_frame{stream_id{3}, 1, 1}, p.now), e, frame_type::reset_stream);
    refused(p.server.receive(stream_data_blocked_frame{stream_id{3}, 1}, p.now), e, frame_type::stream_data_blocked);
    refused(p.server.receive(max_stream_data_frame{stream_id{2}, 1}, p.now), e, frame_type::max_stream_data);
    refused(p.server.receive(stop_sending_frame{stream_id{2}, 1}, p.now), e, frame_type::stop_sending);
}

TEST(streams, final_size_errors) {  // RFC 9000 4.5
    const auto e = transport_error::final_size_error;
    const stream_id id{2};
    pair_of_streams p;
    ASSERT_FALSE(p.server.receive(stream_frame{id, 5, as_bytes("x"), true}, p.now));
    refused(p.server.receive(stream_frame{id, 6, as_bytes("x"), false}, p.now), e, frame_type::stream);
    refused(p.server.receive(stream_frame{id, 0, as_bytes("x"), true}, p.now), e, frame_type::stream);
    refused(p.server.receive(reset_stream_frame{id, 0, 5}, p.now), e, frame_type::reset_stream);
    refused(p.server.receive(reset_stream_frame{id, 0, 7}, p.now), e, frame_type::reset_stream);
    EXPECT_FALSE(p.server.receive(stream_frame{id, 5, as_bytes("x"), true}, p.now));
    EXPECT_FALSE(p.server.receive(reset_stream_frame{id, 0, 6}, p.now));
    refused(p.server.receive(stream_frame{id, 6, as_bytes("x"), false}, p.now), e, frame_type::stream);
    // A FIN or a reset below what was received.
    ASSERT_FALSE(p.server.receive(stream_frame{stream_id{6}, 5, as_bytes("x"), false}, p.now));
    refused(p.server.receive(stream_frame{stream_id{6}, 0, as_bytes("x"), true}, p.now), e, frame_type::stream);
    refused(p.server.receive(reset_stream_frame{stream_id{6}, 0, 5}, p.now), e, frame_type::reset_stream);
}

TEST(streams, frames_for_closed_streams_are_ignored) {
    pair_of_streams p;
    const auto id = p.client.open(bidi).value();
    p.client.write(id, as_bytes("a"), true, p.now);
    p.settle();
    text(p.server, id, p.now);
    p.server.write(id, as_bytes("b"), true, p.now);
    p.settle();
    text(p.client, id, p.now);
    ASSERT_EQ(p.server.open_streams() + p.client.open_streams(), 0U);
    events(p.server);
    EXPECT_FALSE(p.server.receive(stream_frame{id, 0, as_bytes("a"), true}, p.now));
    EXPECT_FALSE(p.server.receive(reset_stream_frame{id, 0, 1}, p.now));
    EXPECT_FALSE(p.server.receive(stop_sending_frame{id, 0}, p.now));
    EXPECT_FALSE(p.server.receive(max_stream_data_frame{id, 99}, p.now));
    EXPECT_FALSE(p.server.receive(stream_data_blocked_frame{id, 99}, p.now));
    EXPECT_FALSE(p.client.receive(stream_frame{id, 0, as_bytes("b"), true}, p.now));
    EXPECT_TRUE(events(p.server).empty());
    EXPECT_EQ(p.server.open_streams() + p.client.open_streams(), 0U);
}

TEST(streams, zero_copy_reading) {
    pair_of_streams p;
    const auto id = p.client.open(uni).value();
    p.client.write(id, bytes(40000), true, p.now);
    p.settle();
    std::vector<std::uint8_t> got;
    for (;;) {
        const auto piece = p.server.front(id);
        ASSERT_FALSE(piece.empty());
        got.insert(got.end(), piece.begin(), piece.end());
        if (p.server.consume(id, piece.size(), p.now).end) break;
    }
    EXPECT_EQ(got, bytes(40000));
    EXPECT_EQ(p.server.open_streams(), 0U);
}

TEST(streams, readable_is_told_once_until_taken) {
    pair_of_streams p;
    for (int i = 0; i < 100; ++i) {
        ASSERT_FALSE(p.server.receive(stream_frame{stream_id{2}, static_cast<std::uint64_t>(i), as_bytes("x"), false}, p.now));
    }
    EXPECT_EQ(count(events(p.server), stream_event_kind::readable), 1);
    // Bytes beyond a hole are nothing to tell of.
    ASSERT_FALSE(p.server.receive(stream_frame{stream_id{2}, 200, as_bytes("x"), false}, p.now));
    EXPECT_TRUE(events(p.server).empty());
    ASSERT_FALSE(p.server.receive(stream_frame{stream_id{2}, 100, as_bytes("x"), false}, p.now));
    EXPECT_EQ(events(p.server).size(), 1U);
}

// What an application reads waited for a hole in its own stream, then for the application (DESIGN: the head-of-line ledger).
TEST(streams, reads_are_charged_by_cause) {
    pair_of_streams p;
    const stream_id id{2};
    ASSERT_FALSE(p.server.receive(stream_frame{id, 3, as_bytes("defg"), false}, at(10ms)));
    ASSERT_FALSE(p.server.receive(stream_frame{id, 0, as_bytes("abc"), false}, at(25ms)));
    wait_ledger waits;
    std::vector<std::uint8_t> in(5);
    ASSERT_EQ(p.server.read(id, in, at(27ms), &waits).n, 5U);
    const wait_sum ms = 1'000'000;
    EXPECT_EQ(waits.byte_nanoseconds(wait_cause::own_stream_hole), 2 * 15 * ms);  // "de"
    EXPECT_EQ(waits.byte_nanoseconds(wait_cause::application), 5 * 2 * ms);
    EXPECT_EQ(waits.total(), waits.sum());
    ASSERT_EQ(p.server.read(id, in, at(35ms), &waits).n, 2U);
    EXPECT_EQ(waits.byte_nanoseconds(wait_cause::own_stream_hole), 4 * 15 * ms);
    EXPECT_EQ(waits.byte_nanoseconds(wait_cause::application), (5 * 2 + 2 * 10) * ms);
    EXPECT_EQ(waits.byte_nanoseconds(wait_cause::other_stream_hole), 0U);
    EXPECT_EQ(waits.total(), waits.sum());
    EXPECT_EQ(p.server.ledger(), waits);
}

}  // namespace
}  // namespace tandem::quic
