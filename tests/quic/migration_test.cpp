// The peer's address changes, or ours does (RFC 9000 8.2, 9).
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "../seed.hpp"
#include "pipe.hpp"

namespace tandem::quic::test {
namespace {

// A NAT in front of the client: gives what it sends another address now and then; what is sent to old ones is lost.
class nat {
public:
    explicit nat(pipe& p) {
        p.on_wire = [this](flying& f) {
            if (f.to_server) {
                f.path.remote = outside;
                seen.insert(outside);
                return !swallow;
            }
            const auto to = f.path.local;
            f.path.local = pipe::client_address;
            return to == outside && !swallow;
        };
    }
    void rebind_port() { ++outside.port; }
    void rebind_address() { ++outside.address.bytes[3]; }

    ip_endpoint outside = pipe::client_address;
    bool swallow = false;
    std::set<ip_endpoint> seen;
};

TEST(migration, a_transfer_survives_a_new_port_and_a_new_address) {
    for (bool from_client : {false, true}) {
        pipe p;
        nat n(p);
        ASSERT_TRUE(p.handshake());
        transfer t(p, from_client, 2'000'000);
        int moves = 0;
        const auto done = [&] {
            t.step();
            if (t.received() > 500'000 && moves == 0) n.rebind_port(), ++moves;
            if (t.received() > 1'000'000 && moves == 1) n.rebind_address(), ++moves;
            return t.done();
        };
        ASSERT_TRUE(p.run_for(30s, done)) << from_client;
        EXPECT_EQ(moves, 2);
        EXPECT_EQ(p.server_connection()->path().remote, n.outside);
        p.run_for(1s);
        EXPECT_TRUE(p.server_connection()->path_validated());
        const auto told = events_of<path_changed>(p.server_events);
        ASSERT_GE(told.size(), 4u);
        EXPECT_FALSE(told.front().validated);
        EXPECT_TRUE(told.back().validated);
        EXPECT_EQ(told.back().path.remote, n.outside);
    }
}

TEST(migration, rebinding_all_the_time) {
    // With a longer delay an address is gone before what was sent to it arrives.
    for (auto delay : {1ms, 10ms, 20ms}) {
        auto o = pipe::defaults();
        o.delay = delay;
        o.client.keep_alive = 50ms;  // who only receives must show now and then where he is
        pipe p(o);
        nat n(p);
        ASSERT_TRUE(p.handshake());
        transfer down(p, false, 3'000'000), up(p, true, 300'000);
        auto next = p.now + 100ms;
        const auto done = [&] {
            down.step();
            up.step();
            if (p.now >= next) {
                next += 100ms;
                (n.seen.size() % 2 == 0) ? n.rebind_port() : n.rebind_address();
            }
            return down.done() && up.done();
        };
        ASSERT_TRUE(p.run_for(120s, done)) << delay.count() << ": " << down.received();
    }
}

TEST(migration, congestion_starts_anew_on_another_address_but_not_on_another_port) {
    pipe p;
    nat n(p);
    ASSERT_TRUE(p.handshake());
    transfer t(p, false, 4'000'000);
    const auto until = [&](std::uint64_t bytes) {
        return p.run_for(30s, [&] {
            t.step();
            return t.received() >= bytes;
        });
    };
    ASSERT_TRUE(until(1'000'000));
    const auto grown = p.server_connection()->statistics().congestion_window;
    ASSERT_GT(grown, 50'000u);
    n.rebind_port();
    ASSERT_TRUE(until(1'500'000));
    EXPECT_GE(p.server_connection()->statistics().congestion_window, grown / 2);
    n.rebind_address();
    const auto before = events_of<path_changed>(p.server_events).size();
    ASSERT_TRUE(p.run_for(1s, [&] { return events_of<path_changed>(p.server_events).size() > before; }));
    EXPECT_LT(p.server_connection()->statistics().congestion_window, 20'000u);
    EXPECT_EQ(p.server_connection()->statistics().bytes_in_flight, 0u);
    ASSERT_TRUE(until(4'000'000));
}

TEST(migration, an_address_that_does_not_answer_is_left_again) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.run_for(1s);
    // Somebody sends a copy of the client's newest packet from elsewhere, before the packet itself comes.
    const ip_endpoint elsewhere{ip_address::v4(203, 0, 113, 9), 666};
    std::uint64_t to_elsewhere = 0;
    bool copied = false;
    p.on_wire = [&](flying& f) {
        if (f.to_server && !copied) {
            copied = true;
            auto copy = f;
            copy.path.remote = elsewhere;
            f.delay += 1ms;
            p.deliver(std::move(copy));
        }
        if (!f.to_server && f.path.local == elsewhere) {
            to_elsewhere += f.bytes.size();
            return false;
        }
        return true;
    };
    p.client_connection()->ping();
    p.run_for(1ms);
    EXPECT_EQ(p.server_connection()->path().remote, elsewhere);
    transfer t(p, false, 100'000);
    ASSERT_TRUE(run_transfers(p, {&t}, 20s));
    EXPECT_EQ(p.server_connection()->path().remote, pipe::client_address);
    EXPECT_TRUE(p.server_connection()->path_validated());
    EXPECT_LE(to_elsewhere, 3 * 1200u);
}

TEST(migration, nobody_is_followed_before_the_handshake_is_confirmed) {
    pipe p;
    p.connect();
    p.transmit_all();
    std::uint64_t moved = 0;
    p.on_wire = [&](flying& f) {
        if (f.to_server && f.index == 1) {
            f.path.remote.port ^= 1;
            ++moved;
        }
        return true;
    };
    EXPECT_TRUE(p.run_for(10s, [&] { return p.client_connection()->handshake_confirmed(); }));
    EXPECT_EQ(moved, 1u);
    EXPECT_EQ(p.server_connection()->statistics().dropped[drop_reason::unknown_path], 1u);
    EXPECT_EQ(p.server_connection()->path().remote, pipe::client_address);
}

TEST(migration, a_client_does_not_follow_its_server) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.on_wire = [&](flying& f) {
        if (!f.to_server) f.path.remote.port ^= 1;
        return true;
    };
    p.server_connection()->ping();
    p.run_for(100ms);
    EXPECT_GE(p.client_connection()->statistics().dropped[drop_reason::unknown_path], 1u);
    EXPECT_EQ(p.client_connection()->path().remote, pipe::server_address);
}

TEST(migration, a_client_moves_by_itself) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.run_for(1s);
    const ip_endpoint there{ip_address::v4(198, 51, 100, 7), 4000};
    std::set<connection_id> before, after;
    p.on_wire = [&](flying& f) {
        if (!f.to_server) return true;
        const auto header = parse_invariant_header(f.bytes, 8);
        const bool moved = p.client_connection()->path().local == there;
        (moved ? after : before).insert(connection_id(header->destination));
        if (moved) f.path.remote = there;
        return true;
    };
    transfer t(p, true, 500'000);
    bool asked = false;
    ASSERT_TRUE(p.run_for(30s, [&] {
        t.step();
        if (t.received() > 200'000 && !std::exchange(asked, true)) {
            EXPECT_TRUE(p.client_connection()->migrate(there, p.now));
        }
        return t.done();
    }));
    EXPECT_EQ(p.server_connection()->path().remote, there);
    EXPECT_EQ(before.size(), 1u);
    EXPECT_EQ(after.size(), 1u);
    EXPECT_NE(*before.begin(), *after.begin());  // RFC 9000 9.5
    EXPECT_EQ(events_of<path_changed>(p.client_events).back().path.local, there);
    EXPECT_TRUE(p.server_connection()->path_validated());
}

TEST(migration, a_client_that_moves_into_nowhere_comes_back) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.run_for(1s);
    const auto here = p.client_connection()->path().local;
    const ip_endpoint nowhere{ip_address::v4(198, 51, 100, 7), 4000};
    std::map<ip_endpoint, std::set<connection_id>> shown;
    p.on_wire = [&](flying& f) {
        const auto local = p.client_connection()->path().local;
        if (f.to_server) shown[local].insert(connection_id(parse_invariant_header(f.bytes, 8)->destination));
        return !f.to_server || local != nowhere;
    };
    EXPECT_TRUE(p.client_connection()->migrate(nowhere, p.now));
    transfer t(p, true, 100'000);
    ASSERT_TRUE(run_transfers(p, {&t}, 20s));
    EXPECT_EQ(p.client_connection()->path().local, here);
    for (const auto& id : shown[here]) EXPECT_FALSE(shown[nowhere].contains(id)) << "RFC 9000 9.5";
}

// RFC 9000 9.4: what goes to the address that was left says nothing of the new one.
TEST(migration, the_challenge_to_the_path_that_was_left_is_not_missed) {
    pipe p;
    nat n(p);
    ASSERT_TRUE(p.handshake());
    p.run_for(1s);
    const auto before = p.server_connection()->statistics();
    n.rebind_port();
    p.client_connection()->ping();
    p.run_for(50ms);
    transfer t(p, false, 30'000);
    ASSERT_TRUE(run_transfers(p, {&t}, 5s));
    p.run_for(1s);
    const auto after = p.server_connection()->statistics();
    EXPECT_EQ(p.server_connection()->path().remote, n.outside);
    EXPECT_GE(after.packets_lost, 1u);  // it is noticed
    EXPECT_EQ(after.ssthresh, before.ssthresh);
    EXPECT_GE(after.congestion_window, before.congestion_window);
}

// The peer's counts go on from those of the path before (RFC 9000 13.4.2.1).
TEST(migration, marks_are_tested_anew_and_used_on_the_new_path) {
    for (bool port_only : {true, false}) {
        pipe p;
        nat n(p);
        ASSERT_TRUE(p.handshake());
        transfer t(p, false, 1'000'000);
        ASSERT_TRUE(p.run_for(10s, [&] {
            t.step();
            return t.received() > 300'000;
        }));
        ASSERT_TRUE(p.server_connection()->statistics().ecn_capable);
        port_only ? n.rebind_port() : n.rebind_address();
        ASSERT_TRUE(run_transfers(p, {&t}, 10s));
        EXPECT_EQ(p.server_connection()->path().remote, n.outside);
        EXPECT_TRUE(p.server_connection()->statistics().ecn_capable) << port_only;
    }
}

TEST(migration, is_refused_where_it_cannot_be) {
    pipe p;
    p.connect();
    EXPECT_FALSE(p.client_connection()->migrate({ip_address::v4(1, 2, 3, 4), 5}, p.now));
    ASSERT_TRUE(p.handshake());
    p.run_for(1s);
    EXPECT_FALSE(p.server_connection()->migrate({ip_address::v4(1, 2, 3, 4), 5}, p.now));
    int moves = 0;
    while (moves < 20 &&
           p.client_connection()->migrate({ip_address::v4(1, 2, 3, 4), static_cast<std::uint16_t>(5 + moves)}, p.now))
        ++moves;
    EXPECT_GE(moves, 1);
    EXPECT_LT(moves, 8);  // the connection IDs are used up until the server has issued others
}

}  // namespace
}  // namespace tandem::quic::test
