#include <tandem/bytes/address.hpp>

#include <unordered_set>

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(address, parses_and_prints_ipv4) {
    const auto a = ip_address::parse("192.0.2.1");
    ASSERT_TRUE(a);
    EXPECT_EQ(*a, ip_address::v4(192, 0, 2, 1));
    EXPECT_EQ(a->size(), 4u);
    EXPECT_EQ(a->to_string(), "192.0.2.1");
    EXPECT_EQ((ip_endpoint{*a, 443}.to_string()), "192.0.2.1:443");
}

TEST(address, parses_ipv6_and_prints_it_as_rfc_5952_says) {
    for (const auto& [text, canonical] : {std::pair{"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
                                          {"::", "::"},
                                          {"::1", "::1"},
                                          {"2001:db8::0:1", "2001:db8::1"},
                                          {"::ffff:192.0.2.1", "::ffff:192.0.2.1"}}) {
        const auto a = ip_address::parse(text);
        ASSERT_TRUE(a) << text;
        EXPECT_TRUE(a->is_v6);
        EXPECT_EQ(a->size(), 16u);
        EXPECT_EQ(a->to_string(), canonical);
    }
    EXPECT_EQ((ip_endpoint{*ip_address::parse("2001:db8::1"), 443}.to_string()), "[2001:db8::1]:443");
}

TEST(address, refuses_what_is_neither) {
    using namespace std::string_view_literals;
    for (const auto text : {""sv, "192.0.2"sv, "192.0.2.256"sv, "192.0.2.1 "sv, "192.0.2.1\0"sv, "[::1]"sv, "fe80::1%eth0"sv,
                            "1::2::3"sv, "example.org"sv}) {
        EXPECT_FALSE(ip_address::parse(text)) << text;
    }
}

TEST(address, the_two_families_differ_even_with_the_same_bytes) {
    ip_address six;
    six.bytes = ip_address::v4(1, 2, 3, 4).bytes;
    six.is_v6 = true;
    EXPECT_NE(six, ip_address::v4(1, 2, 3, 4));
    EXPECT_NE(hash_value(ip_endpoint{six, 1}), hash_value(ip_endpoint{ip_address::v4(1, 2, 3, 4), 1}));
}

TEST(address, hashes_of_neighbouring_paths_differ) {
    std::unordered_set<std::size_t> hashes;
    for (int host = 0; host < 64; ++host) {
        for (int port = 0; port < 64; ++port) {
            ip_path p;
            p.local = {ip_address::v4(10, 0, 0, 1), 443};
            p.remote = {ip_address::v4(10, 0, 1, static_cast<std::uint8_t>(host)), static_cast<std::uint16_t>(40000 + port)};
            hashes.insert(hash_value(p));
            std::swap(p.local, p.remote);
            hashes.insert(hash_value(p));
        }
    }
    EXPECT_EQ(hashes.size(), 2u * 64 * 64);
}

}  // namespace
}  // namespace tandem
