#include <gtest/gtest.h>

#include "pipe.hpp"

namespace tandem::quic::test {
namespace {

TEST(ConnectionHandshake, CompletesOnBothSides) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    const auto client = first_of<handshake_completed>(p.client_events);
    const auto server = first_of<handshake_completed>(p.server_events);
    ASSERT_TRUE(client && server);
    EXPECT_EQ(client->alpn, "test");
    EXPECT_EQ(server->alpn, "test");
    EXPECT_EQ(p.server_connection()->server_name(), "localhost");
    EXPECT_EQ(p.client_connection()->state(), connection_state::established);
    EXPECT_EQ(p.client_connection()->statistics().handshake_duration, 20ms);
}

TEST(ConnectionHandshake, TransfersBytes) {
    pipe p;
    ASSERT_TRUE(p.handshake());
    transfer up(p, true, 1'000'000);
    transfer down(p, false, 1'000'000);
    EXPECT_TRUE(run_transfers(p, {&up, &down}, 60s));
}

}  // namespace
}  // namespace tandem::quic::test
