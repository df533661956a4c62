// RFC 9298: targets in paths, and context IDs.
#include <gtest/gtest.h>

#include <tandem/http/udp_proxying.hpp>

#include "../hex.hpp"

namespace tandem::http {
namespace {

using tandem::test::from_hex;

TEST(udp_proxying, targets_in_paths) {
    const std::string prefix = "/.well-known/masque/udp/";
    for (const auto& [path, target] : {std::pair<std::string, udp_target>{"192.0.2.6/443/", {"192.0.2.6", 443}},
                                       {"example.com/53/", {"example.com", 53}},
                                       {"2001%3Adb8%3A%3A42/65535/", {"2001:db8::42", 65535}}}) {
        EXPECT_EQ(target_of(prefix + path), target) << path;
        EXPECT_EQ(path_of(target), prefix + path);
    }
    EXPECT_EQ(target_of(prefix + "2001:db8::42/1/"), (udp_target{"2001:db8::42", 1}));
    for (const char* path : {"", "host/1", "host//", "/1/", "host/0/", "host/65536/", "host/-1/", "host/1x/", "host/1/2/",
                             "ho%st/1/", "ho%zz/1/", "host%2F1/1/", "ho%20st/1/", "ho%00st/1/", "[::1]/1/", "1%3A2/1/"})
        EXPECT_FALSE(target_of(prefix + path)) << path;
    EXPECT_FALSE(target_of("/masque/udp/host/1/"));
    EXPECT_FALSE(target_of(prefix + std::string(254, 'x') + "/1/"));
}

TEST(udp_proxying, payloads) {
    EXPECT_EQ(wrap_udp_payload(from_hex("0102")), from_hex("000102"));
    using enum udp_datagram_kind;
    const auto kind = [](const std::vector<std::uint8_t>& d) { return unwrap_udp_payload(d).kind; };
    const auto one = from_hex("000102");
    EXPECT_EQ(unwrap_udp_payload(one).kind, payload);
    EXPECT_EQ(unwrap_udp_payload(one).payload.size(), 2u);
    EXPECT_EQ(kind(from_hex("00")), payload);
    EXPECT_EQ(kind(from_hex("40000102")), payload);  // a longer form of 0
    EXPECT_EQ(kind(from_hex("020102")), other_context);
    EXPECT_EQ(kind({}), malformed);
    EXPECT_EQ(kind(from_hex("40")), malformed);
    EXPECT_EQ(kind(std::vector<std::uint8_t>(1 + max_udp_payload)), payload);
    EXPECT_EQ(kind(std::vector<std::uint8_t>(2 + max_udp_payload)), malformed);
}

}  // namespace
}  // namespace tandem::http
