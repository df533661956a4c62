#include <gtest/gtest.h>

#include <tandem/http/alt_svc.hpp>

namespace tandem::http {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view origin = "https://example.org:443", home = "192.0.2.0/24", cafe = "198.51.100.0/24";

TEST(alt_svc, is_parsed) {  // RFC 7838 3
    const auto two = parse_alt_svc("h3=\":8443\"; ma=3600; persist=1, w%3D%3Ax%3Ay#z=\"new.example.com:80\";other=\"a,b\"");
    ASSERT_TRUE(two);
    EXPECT_EQ(*two, (std::vector<alternative>{{"h3", "", 8443, 3600, true}, {"w=:x:y#z", "new.example.com", 80, 86400, false}}));
    EXPECT_EQ(parse_alt_svc(" clear "), std::vector<alternative>{});
    for (auto wrong : {"", "h3", "h3=", "h3=:443", "h3=\":0\"", "h3=\":65536\"", "h3=\":443", "h3=\"nothing\"", "h3=\":443\" x",
                       "h3=\":443\";ma", "=\":443\"", "%4=\":443\"", "h3=\"ho st:443\"", "clear, h3=\":443\"", "h3=\":443\","}) {
        EXPECT_FALSE(parse_alt_svc(wrong)) << wrong;
    }
}

TEST(alt_svc, lives_as_long_as_it_says) {
    alt_svc_cache cache;
    cache.learn(origin, home, "h3=\":443\"; ma=100", 40, 1000);
    EXPECT_TRUE(cache.find(origin, home, "h3", 1059));
    EXPECT_FALSE(cache.find(origin, home, "h3", 1060));
    EXPECT_FALSE(cache.find(origin, home, "h2", 1000));
    EXPECT_FALSE(cache.find("https://example.org:444", home, "h3", 1000));
    cache.learn(origin, home, "h3=\":443\"; ma=99999999999999", 0, 1000);
    EXPECT_FALSE(cache.find(origin, home, "h3", 1000 + 90 * 86400));
}

TEST(alt_svc, what_is_said_replaces_what_was_said) {
    alt_svc_cache cache;
    cache.learn(origin, home, "h3=\":443\"", 0, 0);
    cache.learn(origin, home, "nonsense", 0, 0);
    EXPECT_EQ(cache.find(origin, home, "h3", 1)->port, 443);
    cache.learn(origin, home, "h3=\":444\"", 0, 0);
    EXPECT_EQ(cache.find(origin, home, "h3", 1)->port, 444);
    cache.learn(origin, home, "clear", 0, 0);
    EXPECT_FALSE(cache.find(origin, home, "h3", 1));
}

TEST(alt_svc, other_hosts_are_not_used) {
    alt_svc_cache cache;
    cache.learn(origin, home, "h3=\"elsewhere.example:443\", h3=\"example.org:445\"", 0, 0);
    EXPECT_EQ(cache.find(origin, home, "h3", 1)->port, 445);
}

TEST(alt_svc, broken_ones_rest_longer_each_time) {
    alt_svc_cache cache;
    cache.learn(origin, home, "h3=\":443\"", 0, 0);
    cache.broken(origin, home, "h3", 0);
    EXPECT_FALSE(cache.find(origin, home, "h3", 299));
    EXPECT_TRUE(cache.find(origin, home, "h3", 300));
    cache.broken(origin, home, "h3", 300);
    EXPECT_TRUE(cache.is_broken(origin, home, "h3", 899));
    EXPECT_FALSE(cache.is_broken(origin, home, "h3", 900));
    for (int i = 0; i < 50; ++i) cache.broken(origin, home, "h3", 1000);
    EXPECT_TRUE(cache.is_broken(origin, home, "h3", 1000 + 2 * 86400 - 1));
    EXPECT_FALSE(cache.is_broken(origin, home, "h3", 1000 + 2 * 86400));
    cache.worked(origin, home, "h3");
    cache.broken(origin, home, "h3", 2000);
    EXPECT_FALSE(cache.is_broken(origin, home, "h3", 2300));
}

TEST(alt_svc, another_network_is_another_world) {
    alt_svc_cache cache;
    cache.learn(origin, home, "h3=\":443\"", 0, 0);
    cache.learn("https://b:443", home, "h3=\":443\"; persist=1", 0, 0);
    cache.broken("https://b:443", home, "h3", 0);
    EXPECT_TRUE(cache.find(origin, home, "h3", 1));
    EXPECT_FALSE(cache.find(origin, cafe, "h3", 1));
    EXPECT_FALSE(cache.find("https://b:443", home, "h3", 1));
    EXPECT_TRUE(cache.find("https://b:443", cafe, "h3", 1));
    cache.worked("https://b:443", cafe, "h3");  // says nothing about home
    EXPECT_TRUE(cache.is_broken("https://b:443", home, "h3", 1));
}

// Two days of peace do not pass in one run of a program: who fails again after that is counted on, from the file as well.
TEST(alt_svc, failures_are_counted_beyond_their_end) {
    alt_svc_cache cache;
    cache.broken(origin, home, "h3", 0);
    alt_svc_cache next;
    next.load(cache.save(), 1000);
    EXPECT_FALSE(next.is_broken(origin, home, "h3", 1000));
    next.broken(origin, home, "h3", 1000);
    EXPECT_TRUE(next.is_broken(origin, home, "h3", 1599));
    EXPECT_FALSE(next.is_broken(origin, home, "h3", 1600));
    next.broken(origin, home, "h3", 1600 + 2 * 86400);  // long ago: the first again
    EXPECT_FALSE(next.is_broken(origin, home, "h3", 1900 + 2 * 86400));
}

TEST(alt_svc, round_trips_are_remembered_per_network) {
    alt_svc_cache cache;
    EXPECT_FALSE(cache.last_visit(origin, home, 0));
    cache.visited(origin, home, "h2", 30ms, 0);
    cache.visited(origin, home, "h3", 31ms, 10);
    for (auto wrong : {duration(0), duration(-1ms), duration(11s)}) cache.visited(origin, home, "h3", wrong, 20);
    alt_svc_cache again;
    again.load(cache.save(), 20);
    ASSERT_TRUE(again.last_visit(origin, home, 20));
    EXPECT_EQ(again.last_visit(origin, home, 20)->round_trip, 31ms);
    EXPECT_EQ(again.last_visit(origin, home, 20)->alpn, "h3");
    EXPECT_FALSE(again.last_visit(origin, cafe, 20));
    EXPECT_FALSE(again.last_visit("https://b:443", home, 20));
    EXPECT_FALSE(again.last_visit(origin, home, 10 + alt_svc_cache::visit_age));
    again.load(
        "visit https://b:443 - h3 100 -5\nvisit https://b:443 - h3 100 99999999999\nvisit https://b:443 - h3 99999999 5\nvisit\n",
        0);
    EXPECT_FALSE(again.last_visit("https://b:443", "", 0));
}

TEST(alt_svc, goes_to_a_file_and_back) {
    alt_svc_cache cache;
    cache.learn(origin, home, "h3=\":443\"; ma=1000; persist=1, h3=\"example.org:445\"", 0, 0);
    cache.broken("https://b:443", home, "h3", 0);
    alt_svc_cache again;
    again.load(cache.save(), 10);
    EXPECT_EQ(again.save(), cache.save());
    EXPECT_TRUE(again.find(origin, home, "h3", 11)->persist);
    EXPECT_TRUE(again.is_broken("https://b:443", home, "h3", 11));
    alt_svc_cache late;
    late.load(cache.save(), 100'000);
    EXPECT_EQ(late.size(), 0u);
    late.load("alt\nalt x\nalt https://c:443 h3 - 1 99999999 1 -\nbroken\nalt https://c:443 h3 - 1 99999999999999 1 -\nother\n",
              0);
    EXPECT_EQ(late.size(), 0u);
}

TEST(alt_svc, has_a_bound) {
    alt_svc_cache cache;
    for (int i = 0; i < 3000; ++i) {
        const auto name = "https://h" + std::to_string(i) + ":443";
        cache.learn(name, home, "h3=\":443\"; ma=" + std::to_string(1000 + i), 0, 0);
        cache.broken(name, home, "h3", i);
        cache.visited(name, home, "h3", 5ms, i);
    }
    EXPECT_EQ(cache.size(), alt_svc_cache::max_origins);
    EXPECT_TRUE(cache.find("https://h2999:443", home, "h3", 3990));
    std::string many = "h3=\":443\"";
    for (int i = 0; i < 100; ++i) many += ", h3=\":443\"";
    cache.learn(origin, home, many, 0, 0);
    EXPECT_LT(cache.save().size(), 300'000u);
    EXPECT_FALSE(cache.last_visit("https://h1:443", home, 0));
    EXPECT_TRUE(cache.last_visit("https://h2999:443", home, 0));
}

}  // namespace
}  // namespace tandem::http
