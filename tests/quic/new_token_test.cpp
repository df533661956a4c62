// NEW_TOKEN (RFC 9000 8.1.3): tokens that prove an address in a later connection, once.
#include <gtest/gtest.h>

#include "pipe.hpp"

namespace tandem::quic::test {
namespace {

pipe::options with_retry() {
    auto o = pipe::defaults();
    o.server.retry = retry_policy::always;
    return o;
}

std::vector<std::uint8_t> token_from(pipe& p) {
    p.client_events.clear();
    EXPECT_TRUE(p.handshake());
    p.run_for(100ms);
    const auto token = first_of<token_received>(p.client_events);
    EXPECT_TRUE(token);
    p.client_connection()->close(0, "", p.now);
    p.run_for(2s);
    return token ? token->token : std::vector<std::uint8_t>();
}

// Connects with it; whether the server asked for no Retry.
bool proves(pipe& p, const std::vector<std::uint8_t>& token, version v = version::v1) {
    auto c = p.connect_to_server();
    c.token = token;
    c.config.version = v;
    const auto retries = p.server.statistics().retries_sent;
    p.connect(c);
    EXPECT_TRUE(p.run_for(5s, [&] { return p.client_connection()->handshake_confirmed(); }));
    p.client_connection()->close(0, "", p.now);
    p.run_for(2s);
    return p.server.statistics().retries_sent == retries;
}

TEST(NewToken, ProvesTheAddressOnce) {
    pipe p(with_retry());
    const auto token = token_from(p);
    EXPECT_EQ(p.server.statistics().retries_sent, 1u);
    EXPECT_TRUE(proves(p, token));
    EXPECT_FALSE(proves(p, token));
    EXPECT_TRUE(proves(p, token_from(p)));
}

TEST(NewToken, LiftsTheAmplificationLimit) {
    // The server's flight is larger than three times what the client sent: with a token it goes at once.
    for (const bool with : {false, true}) {
        pipe p(pipe::defaults(large_localhost()));
        auto c = p.connect_to_server();
        if (with) c.token = token_from(p);
        p.client_events.clear();
        const auto begin = p.now;
        p.connect(c);
        ASSERT_TRUE(p.run_for(5s, [&] { return first_of<handshake_completed>(p.client_events).has_value(); }));
        if (with)
            EXPECT_LE(p.now - begin, 21ms);
        else
            EXPECT_GT(p.now - begin, 21ms);
    }
}

TEST(NewToken, IsForOneVersion) {
    pipe p(with_retry());
    const auto token = token_from(p);
    EXPECT_FALSE(proves(p, token, version::v2));
    EXPECT_TRUE(proves(p, token));
}

TEST(NewToken, IsForOneAddress) {
    pipe p(with_retry());
    const auto token = token_from(p);
    p.on_wire = [](flying& f) {
        const ip_address other = ip_address::v4(192, 0, 2, 77);
        if (f.to_server)
            f.path.remote.address = other;
        else
            f.path.local = pipe::client_address;
        return true;
    };
    EXPECT_FALSE(proves(p, token));
}

TEST(NewToken, EndsAfterADay) {
    pipe p(with_retry());
    const auto old = token_from(p);
    const auto fresh = token_from(p);
    p.now += 23h;
    EXPECT_TRUE(proves(p, fresh));
    p.now += 2h;
    EXPECT_FALSE(proves(p, old));
}

TEST(NewToken, IsSentAgainWhenLost) {
    pipe p;
    int dropped = 0;
    p.on_wire = [&](flying& f) {
        const bool short_header = (f.bytes[0] & header_form_bit) == 0;
        if (!f.to_server && short_header && dropped < 2) {
            ++dropped;
            return false;
        }
        return true;
    };
    ASSERT_TRUE(p.handshake());
    p.run_for(2s);
    EXPECT_EQ(dropped, 2);
    EXPECT_TRUE(first_of<token_received>(p.client_events));
}

TEST(NewToken, NoneIsGivenWhereThatIsNotWanted) {
    auto o = pipe::defaults();
    o.server.accepted.give_tokens = false;
    pipe p(o);
    ASSERT_TRUE(p.handshake());
    p.run_for(1s);
    EXPECT_FALSE(first_of<token_received>(p.client_events));
}

// RFC 9000 8.1.3: a token that is not good is as if there were none.
TEST(NewToken, ADamagedOneDoesNoHarm) {
    pipe p(with_retry());
    const auto token = token_from(p);
    for (std::size_t i = 1; i < token.size(); i += 5) {
        auto bad = token;
        bad[i] ^= 1;
        EXPECT_FALSE(proves(p, bad)) << i;
    }
    EXPECT_FALSE(proves(p, std::vector<std::uint8_t>(100, 0xee)));
    EXPECT_TRUE(proves(p, token));
}

TEST(NewToken, KeysFollowFromEachOther) {
    token_keys keys(std::array<std::uint8_t, 32>{7});
    random_source random{5};
    const auto client = ip_address::v4(192, 0, 2, 1);
    time_point now{23h};
    const auto token = keys.seal_new_token(client, now, random);
    EXPECT_TRUE(keys.open_new_token(token.span(), client, now + 24h, 24h));  // the key before
    EXPECT_FALSE(keys.open_new_token(token.span(), client, now + 26h, 24h));
    const auto later = keys.seal_new_token(client, now + 2000h, random);
    EXPECT_TRUE(keys.open_new_token(later.span(), client, now + 2001h, 24h));
    // Another endpoint with the secret finds the same keys.
    token_keys other(std::array<std::uint8_t, 32>{7});
    EXPECT_TRUE(other.open_new_token(later.span(), client, now + 2001h, 24h));
    // 64 generations later the label is the same and the key is not.
    EXPECT_FALSE(keys.open_new_token(later.span(), client, now + 2000h + 64 * 24h, 100 * 24h));
}

}  // namespace
}  // namespace tandem::quic::test
