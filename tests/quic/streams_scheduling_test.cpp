// Whose bytes go into which packet: urgency, turns, packing, and that nothing is allocated for it.
#include <deque>
#include <map>
#include <random>
#include <set>

#include "allocation_counter.hpp"
#include "quic/streams_pair.hpp"
#include "seed.hpp"

namespace tandem::quic {
namespace {

using namespace test;

constexpr auto uni = direction::unidirectional;

std::vector<stream_id> streams_in(const packet& p) {
    std::vector<stream_id> ids;
    for (const auto& t : p.tokens) {
        if (const auto* data = std::get_if<stream_data_token>(&t)) ids.push_back(data->id);
    }
    return ids;
}

stream_id full_stream(streams& s, std::size_t size, time_point now) {
    const auto id = s.open(uni).value();
    EXPECT_EQ(s.write(id, bytes(size), true, now), size);
    return id;
}

TEST(scheduling, incremental_streams_take_turns_packet_by_packet) {
    pair_of_streams p;
    const auto a = full_stream(p.client, 100000, p.now);
    const auto b = full_stream(p.client, 100000, p.now);
    const auto c = full_stream(p.client, 100000, p.now);
    for (int round = 0; round < 10; ++round) {
        for (const auto id : {a, b, c}) {
            const auto packet = p.take(p.client).value();
            EXPECT_EQ(streams_in(packet), std::vector{id});  // one stream per packet
            EXPECT_GE(packet.payload.size(), 1199U);
        }
    }
}

TEST(scheduling, sequential_streams_go_by_id) {
    pair_of_streams p;
    const auto a = full_stream(p.client, 5000, p.now);
    const auto b = full_stream(p.client, 5000, p.now);
    p.client.set_priority(b, 3, false);
    p.client.set_priority(a, 3, false);
    std::vector<stream_id> order;
    while (auto packet = p.take(p.client)) {
        for (const auto id : streams_in(*packet)) {
            if (order.empty() || order.back() != id) order.push_back(id);
        }
    }
    EXPECT_EQ(order, (std::vector{a, b}));
}

TEST(scheduling, lower_urgency_number_first) {
    pair_of_streams p;
    const auto late = full_stream(p.client, 3000, p.now);
    const auto soon = full_stream(p.client, 3000, p.now);
    const auto first = full_stream(p.client, 3000, p.now);
    p.client.set_priority(late, 7, true);
    p.client.set_priority(soon, 1, false);
    p.client.set_priority(first, 0, true);
    std::vector<stream_id> order;
    while (auto packet = p.take(p.client)) {
        for (const auto id : streams_in(*packet)) {
            if (order.empty() || order.back() != id) order.push_back(id);
        }
    }
    EXPECT_EQ(order, (std::vector{first, soon, late}));
}

TEST(scheduling, priority_can_change_while_sending) {
    pair_of_streams p;
    const auto a = full_stream(p.client, 50000, p.now);
    const auto b = full_stream(p.client, 50000, p.now);
    p.client.set_priority(a, 0, false);
    EXPECT_EQ(streams_in(*p.take(p.client)), std::vector{a});
    p.client.set_priority(b, 0, true);
    p.client.set_priority(a, 200, true);  // above 7 counts as 7
    EXPECT_EQ(streams_in(*p.take(p.client)), std::vector{b});
}

TEST(scheduling, lost_data_goes_before_new_data_of_the_same_stream_in_its_turn) {
    pair_of_streams p;
    const auto a = full_stream(p.client, 50000, p.now);
    const auto b = full_stream(p.client, 50000, p.now);
    p.client.set_priority(b, 2, true);
    const auto from_b = p.take(p.client).value();
    p.client.set_priority(a, 1, true);
    const auto from_a = p.take(p.client).value();
    p.take(p.client);
    p.lose(from_b, p.client);
    p.lose(from_a, p.client);
    const auto next = p.take(p.client).value();  // the most urgent's lost data
    EXPECT_EQ(std::get<stream_data_token>(next.tokens[0]).id, a);
    EXPECT_EQ(std::get<stream_data_token>(next.tokens[0]).offset, 0U);
}

TEST(scheduling, packets_are_filled_up_with_the_next_stream) {
    pair_of_streams p;
    for (int i = 0; i < 10; ++i) full_stream(p.client, 100, p.now);
    const auto packet = p.take(p.client).value();
    EXPECT_EQ(streams_in(packet).size(), 10U);
    // One stream per record is what QMux asks for.
    pair_of_streams q;
    full_stream(q.client, 100, q.now);
    full_stream(q.client, 100, q.now);
    std::vector<std::uint8_t> room(1200);
    frame_writer out(room);
    stream_tokens tokens;
    q.client.write_frames(out, tokens, q.now, streams::packing::one_stream);
    EXPECT_EQ(tokens.size(), 1U);
    EXPECT_TRUE(q.client.wants_to_send());
}

TEST(scheduling, writable_is_told_after_a_short_write) {
    auto c = config_of(perspective::client);
    c.send_buffer = 10000;
    pair_of_streams p(c);
    const auto id = p.client.open(uni).value();
    EXPECT_EQ(p.client.write_room(id), 10000U);
    EXPECT_EQ(p.client.write(id, bytes(9000), false, p.now), 9000U);
    EXPECT_EQ(p.client.write(id, bytes(9000), true, p.now), 1000U);  // and the FIN did not count
    EXPECT_EQ(p.client.write(id, bytes(9000), true, p.now), 0U);
    EXPECT_TRUE(events(p.client).empty());
    p.flush(p.client, p.server);
    EXPECT_EQ(count(events(p.client), stream_event_kind::writable), 1);
    EXPECT_EQ(p.client.write(id, bytes(9000), true, p.now), 9000U);
    p.flush(p.client, p.server);
    EXPECT_EQ(count(events(p.client), stream_event_kind::writable), 0);
    EXPECT_EQ(p.server.readable(id), 19000U);
}

// Random traffic over a network that loses and reorders: everything arrives, both tables end empty, wanting and sending agree
// (write_frames asserts it).
TEST(streams_property, everything_arrives_over_a_bad_network) {
    std::mt19937_64 random(tandem::test::seed());
    for (int run = 0; run < 30; ++run) {
        auto c = config_of(perspective::client);
        auto s = config_of(perspective::server);
        for (auto* config : {&c, &s}) {
            config->initial_max_data = 3000 + random() % 20000;
            config->max_connection_window = 40000;
            config->initial_max_stream_data_bidi_local = 1000 + random() % 5000;
            config->initial_max_stream_data_bidi_remote = 1000 + random() % 5000;
            config->initial_max_stream_data_uni = 1000 + random() % 5000;
            config->max_stream_window = 16000;
            config->max_streams_bidi = 1 + random() % 5;
            config->max_streams_uni = 1 + random() % 5;
            config->send_buffer = 2000 + random() % 9000;
        }
        pair_of_streams p(c, s);
        p.client.set_rtt(10ms);
        p.server.set_rtt(10ms);
        struct transfer {
            std::size_t size, written = 0, read = 0;
            bool ended = false, fin_accepted = false;
        };
        std::map<std::pair<int, std::uint64_t>, transfer> transfers;  // by sending side and stream
        int to_open = 20;
        std::size_t finished = 0;
        std::deque<std::pair<int, packet>> network;
        streams* side[2] = {&p.client, &p.server};
        for (int step = 0; step < 200000 && (finished < 20 || p.client.open_streams() + p.server.open_streams() > 0); ++step) {
            p.now += 1ms;
            const int who = static_cast<int>(random() % 2);
            switch (random() % 6) {
                case 0:
                    if (to_open > 0) {
                        if (const auto id = side[who]->open(uni)) {
                            transfers[{who, id->value}] = {random() % 30000};
                            --to_open;
                            side[who]->set_priority(*id, static_cast<std::uint8_t>(random() % 8), random() % 2);
                        }
                    }
                    break;
                case 1:
                    for (auto& [key, t] : transfers) {
                        if (key.first != who || t.fin_accepted) continue;
                        const auto data = bytes(t.size - t.written, static_cast<std::uint8_t>(t.written));
                        const auto taken = side[who]->write(stream_id{key.second}, data, true, p.now);
                        t.fin_accepted = taken == data.size();
                        t.written += taken;
                    }
                    break;
                case 2:
                    for (auto& [key, t] : transfers) {
                        if (key.first == who || t.ended) continue;
                        std::vector<std::uint8_t> in(1 + random() % 5000);
                        const auto r = side[who]->read(stream_id{key.second}, in, p.now);
                        for (std::size_t i = 0; i < r.n; ++i) ASSERT_EQ(in[i], static_cast<std::uint8_t>(t.read + i));
                        t.read += r.n;
                        t.ended = r.end;
                        if (r.end) {
                            ASSERT_EQ(t.read, t.size);
                            ++finished;
                        }
                    }
                    break;
                case 3:
                case 4:
                    if (auto packet = p.take(*side[who], 100 + random() % 1300)) network.emplace_back(who, *packet);
                    break;
                case 5:
                    while (!network.empty() && (network.size() > 20 || random() % 4 != 0)) {
                        const auto i = static_cast<std::ptrdiff_t>(random() % network.size());
                        const auto [from, packet] = network[static_cast<std::size_t>(i)];
                        network.erase(network.begin() + i);
                        const bool arrives = random() % 4 != 0;
                        if (arrives) {
                            ASSERT_EQ(p.give(packet, *side[1 - from]), std::nullopt);
                        }
                        if (arrives && random() % 8 != 0) {
                            p.acknowledge(packet, *side[from]);
                        } else {
                            p.lose(packet, *side[from]);  // also where only its acknowledgment was lost
                        }
                    }
                    break;
            }
        }
        EXPECT_EQ(finished, 20U);
        EXPECT_EQ(p.client.open_streams() + p.server.open_streams(), 0U);
    }
}

TEST(streams_allocation, steady_transfer_allocates_nothing_per_packet) {
    pair_of_streams p;
    p.client.set_rtt(10ms);
    const auto id = p.client.open(uni).value();
    const auto data = bytes(12000);
    std::vector<std::uint8_t> in(20000);
    std::vector<std::uint8_t> room(1200);
    std::vector<stream_tokens> in_flight;
    in_flight.reserve(64);
    const auto move = [&](streams& from, streams& to) {
        for (;;) {
            frame_writer out(room);
            stream_tokens tokens;
            from.write_frames(out, tokens, p.now);
            if (out.size() == 0) return;
            frame_reader reader(out.written(), encryption_level::one_rtt, p.ranges);
            frame f;
            while (reader.next(f)) to.receive(f, p.now);
            for (const auto& t : tokens) from.acknowledged(t, p.now);
        }
    };
    const auto round = [&] {
        ASSERT_EQ(p.client.write(id, data, false, p.now), data.size());
        move(p.client, p.server);
        while (p.server.poll_event()) {
        }
        while (p.server.read(id, in, p.now).n > 0) {
        }
        move(p.server, p.client);
        p.now += 1ms;
    };
    for (int i = 0; i < 1000; ++i) round();  // until every alignment of rounds to blocks was there
    const auto before = tandem::test::allocations();
    for (int i = 0; i < 1000; ++i) round();
    EXPECT_EQ(tandem::test::allocations() - before, 0U);
}

}  // namespace
}  // namespace tandem::quic
