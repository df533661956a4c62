#include <tandem/quic/token.hpp>

#include <gtest/gtest.h>

#include <hex.hpp>

namespace tandem::quic {
namespace {

using namespace std::chrono_literals;
using test::byte_vector;
using test::from_hex;

class token : public testing::Test {
protected:
    std::array<std::uint8_t, 32> secret{1, 2, 3};
    token_keys keys{secret};
    random_source random{5};
    time_point start{100s};
    ip_endpoint client{ip_address::v4(192, 0, 2, 1), 4433};
    connection_id original{from_hex("8394c8f03e515708")};
    connection_id retry_source{from_hex("f067a5502a4262b5")};
    retry_token content{original, retry_source, start};

    byte_vector sealed() {
        auto bytes = keys.seal_retry(content, client, random);
        return {bytes.span().begin(), bytes.span().end()};
    }
    std::optional<retry_token> opened(std::span<const std::uint8_t> t, time_point now) {
        return keys.open_retry(t, client, retry_source, now, 10s);
    }
};

TEST_F(token, a_retry_token_comes_back_as_it_was) {
    auto t = sealed();
    EXPECT_LE(t.size(), max_token_size);
    EXPECT_TRUE(token_keys::looks_like_retry(t));
    auto back = opened(t, start + 1s);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->original_destination, original);
    EXPECT_EQ(back->retry_source, retry_source);
    EXPECT_EQ(back->issued, start);
}

TEST_F(token, connection_ids_of_every_size) {
    byte_vector bytes(20, 7);
    for (std::size_t size = 0; size <= 20; ++size) {
        content = {connection_id(std::span(bytes).first(size)), connection_id(std::span(bytes).last(20 - size)), start};
        retry_source = content.retry_source;
        auto back = opened(sealed(), start);
        ASSERT_TRUE(back) << size;
        EXPECT_EQ(back->original_destination, content.original_destination);
    }
}

TEST_F(token, lives_no_longer_than_told) {
    auto t = sealed();
    EXPECT_TRUE(opened(t, start));
    EXPECT_TRUE(opened(t, start + 10s));
    EXPECT_FALSE(opened(t, start + 10s + 1ns));
    EXPECT_FALSE(opened(t, start - 1ns));
}

TEST_F(token, is_bound_to_address_port_and_connection_id) {
    auto t = sealed();
    auto other = client;
    other.port = 4434;
    EXPECT_FALSE(keys.open_retry(t, other, retry_source, start, 10s));
    other = {ip_address::v4(192, 0, 2, 2), 4433};
    EXPECT_FALSE(keys.open_retry(t, other, retry_source, start, 10s));
    other = {*ip_address::parse("c000:201::"), 4433};  // the same first four bytes
    EXPECT_FALSE(keys.open_retry(t, other, retry_source, start, 10s));
    EXPECT_FALSE(keys.open_retry(t, client, original, start, 10s));
    EXPECT_TRUE(keys.open_retry(t, client, retry_source, start, 10s));
}

TEST_F(token, of_another_key_is_as_none) {
    auto t = sealed();
    secret[0] ^= 1;
    EXPECT_FALSE(token_keys(secret).open_retry(t, client, retry_source, start, 10s));
}

TEST_F(token, any_change_makes_it_as_none) {
    auto t = sealed();
    for (std::size_t bit = 0; bit < t.size() * 8; ++bit) {
        auto forged = t;
        forged[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
        EXPECT_FALSE(opened(forged, start)) << bit;
    }
    for (std::size_t size = 0; size < t.size(); ++size) EXPECT_FALSE(opened(std::span(t).first(size), start)) << size;
    t.push_back(0);
    EXPECT_FALSE(opened(t, start));
    t.resize(2000);
    EXPECT_FALSE(opened(t, start));
}

TEST_F(token, two_of_the_same_content_differ) { EXPECT_NE(sealed(), sealed()); }

TEST_F(token, a_new_token_is_bound_to_the_address_only) {
    auto bytes = keys.seal_new_token(client.address, start, random);
    EXPECT_FALSE(token_keys::looks_like_retry(bytes.span()));
    EXPECT_TRUE(keys.open_new_token(bytes.span(), client.address, start + 24h, 24h));
    EXPECT_FALSE(keys.open_new_token(bytes.span(), client.address, start + 24h + 1ns, 24h));
    EXPECT_FALSE(keys.open_new_token(bytes.span(), ip_address::v4(192, 0, 2, 2), start, 24h));
}

TEST_F(token, the_kinds_are_not_taken_for_each_other) {
    EXPECT_FALSE(keys.open_new_token(sealed(), client.address, start, 24h));
    auto bytes = keys.seal_new_token(client.address, start, random);
    EXPECT_FALSE(opened(bytes.span(), start));
    byte_vector relabelled(bytes.span().begin(), bytes.span().end());
    relabelled[0] = 1;
    EXPECT_TRUE(token_keys::looks_like_retry(relabelled));
    EXPECT_FALSE(opened(relabelled, start));
}

}  // namespace
}  // namespace tandem::quic
