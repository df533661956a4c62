#include <tandem/http/url.hpp>

#include <gtest/gtest.h>

namespace tandem::http {
namespace {

url parsed(std::string_view text) {
    std::string why;
    auto out = parse_url(text, why);
    EXPECT_TRUE(out) << text << ": " << why;
    return out.value_or(url{});
}

std::string refused(std::string_view text) {
    std::string why;
    EXPECT_FALSE(parse_url(text, why)) << text;
    return why;
}

TEST(Url, Parts) {
    auto u = parsed("HTTPS://Example.ORG:8443/a/b.txt?x=1#fragment");
    EXPECT_EQ(u.scheme, "https");
    EXPECT_EQ(u.host, "example.org");
    EXPECT_EQ(u.port, 8443);
    EXPECT_EQ(u.path, "/a/b.txt?x=1");
    EXPECT_EQ(u.authority(), "example.org:8443");
    EXPECT_EQ(u.file_name(), "b.txt");
    EXPECT_EQ(u.to_string(), "https://example.org:8443/a/b.txt?x=1");
}

TEST(Url, Defaults) {
    EXPECT_EQ(parsed("example.org").to_string(), "https://example.org/");
    EXPECT_EQ(parsed("http://example.org").port, 80);
    EXPECT_EQ(parsed("https://example.org:443/").authority(), "example.org");
    EXPECT_EQ(parsed("https://example.org?q").path, "/?q");
    EXPECT_EQ(parsed("localhost:4433/x").port, 4433);
    EXPECT_EQ(parsed("https://example.org:/").port, 443);
}

TEST(Url, Ipv6Literals) {
    auto u = parsed("https://[::1]:4433/");
    EXPECT_EQ(u.host, "::1");
    EXPECT_EQ(u.authority(), "[::1]:4433");
    EXPECT_EQ(u.origin(), "https://[::1]:4433");
}

TEST(Url, EncodesWhatMayNotBeSent) { EXPECT_EQ(parsed("https://h/a b\xc3\xa9").path, "/a%20b%C3%A9"); }

TEST(Url, Refused) {
    EXPECT_EQ(refused("ftp://h/"), "the scheme is neither http nor https");
    EXPECT_EQ(refused("https://"), "it has no host");
    EXPECT_EQ(refused("https:///x"), "it has no host");
    EXPECT_EQ(refused("https://h:0/"), "the port is not a number from 1 to 65535");
    EXPECT_EQ(refused("https://h:65536/"), "the port is not a number from 1 to 65535");
    EXPECT_EQ(refused("https://h:x/"), "the port is not a number from 1 to 65535");
    EXPECT_EQ(refused("https://user@h/"), "it has user information, which is not supported");
    EXPECT_EQ(refused("https://a b/"), "the host has characters that no host name has");
    EXPECT_EQ(refused("https://[::1/"), "the IPv6 address has no closing bracket");
    EXPECT_EQ(refused("https://[127.0.0.1]/"), "the brackets hold no IPv6 address");
    EXPECT_EQ(refused("https://[::1]x/"), "there is text behind the IPv6 address");
    EXPECT_EQ(refused(std::string("https://h/\x01")), "it has a control character");
    EXPECT_EQ(refused("https://h/\r\nx"), "it has a control character");
}

TEST(Url, PercentCoding) {
    EXPECT_EQ(percent_decode("a%20B%2f%2F"), "a B//");
    EXPECT_FALSE(percent_decode("%"));
    EXPECT_FALSE(percent_decode("%1"));
    EXPECT_FALSE(percent_decode("%g0"));
    EXPECT_EQ(percent_encode("a b/~-._%"), "a%20b%2F~-._%25");
    std::string all;
    for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
    EXPECT_EQ(percent_decode(percent_encode(all)), all);
}

}  // namespace
}  // namespace tandem::http
