// Paths that are tried before they are used, and the server's preferred address (RFC 9000 9.1, 9.6).
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "hostile_client.hpp"
#include "pipe.hpp"

namespace tandem::quic::test {
namespace {

const ip_endpoint wifi{ip_address::v4(203, 0, 113, 9), 6000};
const ip_endpoint preferred{ip_address::v4(198, 51, 100, 77), 4443};

TEST(PathProbe, TellsThatAPathWorksAndLeavesTheOtherInUse) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.run_for(100ms);
    const auto here = p.client_connection()->path();
    transfer up(p, true, 3'000'000);
    ASSERT_TRUE(p.client_connection()->statistics().ecn_capable);
    ASSERT_TRUE(p.client_connection()->probe(wifi, p.now));
    EXPECT_FALSE(p.client_connection()->probe(wifi, p.now));  // one at a time
    ASSERT_TRUE(run_transfers(p, {&up}, 20s));
    const auto works = first_of<path_validated>(p.client_events);
    ASSERT_TRUE(works);
    EXPECT_EQ(works->path.local, wifi);
    EXPECT_EQ(p.client_connection()->path(), here);
    EXPECT_EQ(p.server_connection()->path().remote, here.local);
    EXPECT_TRUE(events_of<path_changed>(p.server_events).empty());
    EXPECT_TRUE(p.client_connection()->statistics().ecn_capable);  // the probe was not marked, and not counted as if it were

    ASSERT_TRUE(p.client_connection()->migrate(wifi, p.now));
    p.run_for(1ms);
    EXPECT_TRUE(events_of<path_changed>(p.client_events).back().validated);  // at once: it was shown before
    transfer more(p, true, 300'000);
    ASSERT_TRUE(run_transfers(p, {&more}, 20s));
    EXPECT_EQ(p.server_connection()->path().remote, wifi);
    EXPECT_EQ(p.client_connection()->path().local, wifi);
}

TEST(PathProbe, TellsThatAPathDoesNotWork) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.run_for(100ms);
    p.on_wire = [&](flying& f) { return f.path.remote != wifi && f.path.local != wifi; };
    const auto losses = p.client_connection()->statistics().congestion_window;
    ASSERT_TRUE(p.client_connection()->probe(wifi, p.now));
    p.run_for(10s);
    const auto failed = first_of<path_failed>(p.client_events);
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->path.local, wifi);
    EXPECT_GE(p.client_connection()->statistics().congestion_window, losses);
    transfer up(p, true, 100'000);
    EXPECT_TRUE(run_transfers(p, {&up}, 20s));
    EXPECT_TRUE(p.client_connection()->probe(wifi, p.now));  // with another connection ID
}

// RFC 9000 9.5: the connection ID of one address is not used at another.
TEST(PathProbe, MovingElsewhereTakesAnotherConnectionId) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    p.run_for(100ms);
    const ip_endpoint third{ip_address::v4(203, 0, 113, 10), 6000};
    std::map<ip_endpoint, std::set<connection_id>> shown;
    p.on_wire = [&](flying& f) {
        if (f.to_server) shown[f.path.remote].insert(connection_id(parse_invariant_header(f.bytes, 8)->destination));
        return true;
    };
    ASSERT_TRUE(p.client_connection()->probe(wifi, p.now));
    p.run_for(100ms);
    ASSERT_TRUE(p.client_connection()->migrate(third, p.now));
    p.run_for(100ms);
    EXPECT_EQ(p.server_connection()->path().remote, third);
    for (const auto& id : shown[wifi]) EXPECT_FALSE(shown[third].contains(id));
}

TEST(PathProbe, IsRefusedWhereOneCannotMove) {
    pipe p;
    p.connect();
    EXPECT_FALSE(p.client_connection()->probe(wifi, p.now));
    ASSERT_TRUE(p.handshake());
    EXPECT_FALSE(p.server_connection()->probe(wifi, p.now));
}

pipe::options preferring() {
    auto o = pipe::defaults();
    o.server.preferred_v4 = preferred;
    return o;
}

TEST(PreferredAddress, IsGoneToAfterTheHandshake) {
    pipe p(preferring());
    std::uint64_t to_old = 0;
    p.on_wire = [&](flying& f) {
        to_old += f.to_server && f.path.local == pipe::server_address ? 1 : 0;
        return true;
    };
    ASSERT_TRUE(p.handshake());
    transfer up(p, true, 1'000'000), down(p, false, 1'000'000);
    ASSERT_TRUE(run_transfers(p, {&up, &down}, 20s));
    EXPECT_EQ(p.client_connection()->path().remote, preferred);
    EXPECT_EQ(p.server_connection()->path().local, preferred);
    EXPECT_TRUE(p.server_connection()->path_validated());
    EXPECT_TRUE(first_of<path_validated>(p.client_events));
    const auto before = to_old;
    transfer more(p, true, 300'000);
    ASSERT_TRUE(run_transfers(p, {&more}, 20s));
    EXPECT_EQ(to_old, before);
}

TEST(PreferredAddress, ThatDoesNotAnswerIsNotUsed) {
    pipe p(preferring());
    p.on_wire = [&](flying& f) { return !f.to_server || f.path.local != preferred; };
    ASSERT_TRUE(p.handshake());
    transfer up(p, true, 1'000'000), down(p, false, 1'000'000);
    ASSERT_TRUE(run_transfers(p, {&up, &down}, 20s));
    p.run_for(10s);
    EXPECT_EQ(p.client_connection()->path().remote, pipe::server_address);
    EXPECT_TRUE(first_of<path_failed>(p.client_events));
    transfer more(p, true, 300'000);
    EXPECT_TRUE(run_transfers(p, {&more}, 20s));
}

TEST(PreferredAddress, IsNotGoneToByThoseWhoDoNotWant) {
    auto o = preferring();
    o.client.use_preferred_address = false;
    pipe p(o);
    ASSERT_TRUE(p.handshake());
    transfer up(p, true, 300'000);
    ASSERT_TRUE(run_transfers(p, {&up}, 20s));
    EXPECT_EQ(p.client_connection()->path().remote, pipe::server_address);
    auto other_family = pipe::defaults();
    other_family.server.preferred_v6 = {*ip_address::parse("2001:db8::1"), 443};
    pipe q(other_family);
    ASSERT_TRUE(q.handshake());
    q.run_for(5s);
    EXPECT_EQ(q.client_connection()->path().remote, pipe::server_address);
    EXPECT_FALSE(first_of<path_failed>(q.client_events));
}

TEST(PreferredAddress, MovesSurviveLoss) {
    for (std::uint64_t lost = 0; lost < 12; ++lost) {
        pipe p(preferring());
        ASSERT_TRUE(p.handshake());
        std::uint64_t n = 0;
        p.on_wire = [&](flying&) { return n++ != lost; };
        transfer up(p, true, 30'000), down(p, false, 30'000);
        ASSERT_TRUE(run_transfers(p, {&up, &down}, 20s)) << lost;
        p.run_for(5s);
        EXPECT_EQ(p.client_connection()->path().remote, preferred) << lost;
        EXPECT_EQ(p.server_connection()->path().local, preferred) << lost;
    }
}

}  // namespace
}  // namespace tandem::quic::test
