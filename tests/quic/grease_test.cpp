// What must be ignored is sent, so that it goes on being ignored (RFC 9000 15 and 18.1, RFC 9287).
#include <gtest/gtest.h>

#include "hostile_client.hpp"
#include "pipe.hpp"

namespace tandem::quic::test {
namespace {

pipe::options greasing(bool client, bool server) {
    auto o = pipe::defaults();
    o.client.grease = client;
    o.server.accepted.grease = server;
    return o;
}

TEST(Grease, TheQuicBitIsRandomOnlyIfBothAgree) {
    for (const bool client : {false, true}) {
        for (const bool server : {false, true}) {
            pipe p(greasing(client, server));
            std::uint64_t set = 0, clear = 0, early = 0;
            p.on_wire = [&](flying& f) {
                const bool bit = (f.bytes[0] & 0x40) != 0;
                ++(bit ? set : clear);
                // Nobody clears it before the peer has said that it may: not the client's first flight.
                if (f.to_server && !bit && p.sent[false] == 0) ++early;
                return true;
            };
            ASSERT_TRUE(p.handshake());
            transfer up(p, true, 300'000), down(p, false, 300'000);
            EXPECT_TRUE(run_transfers(p, {&up, &down}, 20s));
            EXPECT_EQ(early, 0u);
            EXPECT_GT(set, 100u);
            if (client && server) {
                EXPECT_GT(clear * 3, set);
                EXPECT_GT(set * 3, clear);
            } else {
                EXPECT_EQ(clear, 0u);
            }
        }
    }
}

TEST(Grease, PacketsWithoutTheBitAreDroppedIfItWasNotOffered) {
    for (const bool offered : {false, true}) {
        auto settings = pipe::defaults().server;
        settings.accepted.grease = offered;
        endpoint server(settings, 7);
        hostile_client client(server);
        ASSERT_TRUE(client.handshake());
        auto packet = client.build(encryption_level::one_rtt, [](frame_writer& out) { out.write(path_challenge_frame{}); });
        packet[0] &= 0xbf;  // the header is authenticated: this breaks it
        client.send_raw(packet);
        std::uint64_t malformed = 0, undecryptable = 0;
        for (connection_handle h = 1; h < 4; ++h) {
            const auto* c = server.find(h);
            if (c == nullptr) continue;
            malformed += c->statistics().dropped[drop_reason::malformed];
            undecryptable += c->statistics().dropped[drop_reason::undecryptable];
        }
        EXPECT_EQ(malformed, offered ? 0u : 1u);
        EXPECT_EQ(undecryptable, offered ? 1u : 0u);
    }
}

TEST(Grease, ParametersAreReservedOnesAndDifferEachTime) {
    endpoint server(pipe::defaults().server, 7);
    hostile_client first(server), second(server);
    ASSERT_TRUE(first.handshake());
    ASSERT_TRUE(second.handshake());
    const auto bytes = [](const hostile_client& c) {
        const auto all = c.engine->peer_transport_parameters();
        return std::vector<std::uint8_t>(all.begin(), all.end());
    };
    const auto reserved = [&](const hostile_client& c) {
        std::vector<std::uint64_t> found;
        const auto all = bytes(c);
        reader in(all);
        while (!in.empty()) {
            const auto id = in.varint();
            in.bytes(in.varint());
            if (id % 31 == 27) found.push_back(id);
        }
        EXPECT_TRUE(in.ok());
        return found;
    };
    ASSERT_EQ(reserved(first).size(), 1u);
    ASSERT_EQ(reserved(second).size(), 1u);
    EXPECT_NE(reserved(first), reserved(second));
}

}  // namespace
}  // namespace tandem::quic::test
