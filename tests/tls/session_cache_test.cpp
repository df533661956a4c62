#include <tandem/tls/session_cache.hpp>

#include <gtest/gtest.h>

#include <tandem/bytes/single_use_filter.hpp>

namespace tandem::tls {
namespace {

using bytes = std::vector<std::uint8_t>;

TEST(session_cache, the_newest_is_taken_once) {
    session_cache cache;
    cache.put("a", bytes{1}, 100);
    cache.put("a", bytes{2}, 100);
    EXPECT_EQ(cache.take("b", 0), std::nullopt);
    EXPECT_EQ(cache.take("a", 0), bytes{2});
    EXPECT_EQ(cache.take("a", 0), bytes{1});
    EXPECT_EQ(cache.take("a", 0), std::nullopt);
    EXPECT_EQ(cache.size(), 0u);
}

TEST(session_cache, what_is_over_is_not_given_out) {
    session_cache cache;
    cache.put("a", bytes{1}, 200);
    cache.put("a", bytes{2}, 100);
    EXPECT_EQ(cache.take("a", 100), bytes{1});
    EXPECT_EQ(cache.size(), 0u);
}

TEST(session_cache, is_bounded) {
    session_cache cache({.origins = 3, .entries_per_key = 2, .entry_size = 4});
    for (std::uint8_t i = 0; i < 10; ++i) cache.put("a", bytes{i}, 100);
    EXPECT_EQ(cache.size(), 2u);
    cache.put("b", bytes(5), 100);  // too large
    EXPECT_EQ(cache.size(), 2u);
    cache.put(std::string(513, 'k'), bytes{1}, 100);
    EXPECT_EQ(cache.size(), 2u);
    for (const auto* key : {"b", "c"}) cache.put(key, bytes{7}, 100);
    cache.put("a", bytes{9}, 100);  // touched: b is the oldest now
    cache.put("d", bytes{7}, 100);
    EXPECT_EQ(cache.take("b", 0), std::nullopt);
    EXPECT_EQ(cache.take("a", 0), bytes{9});
}

TEST(session_cache, survives_a_file) {
    session_cache cache;
    cache.put("a", bytes{1, 2, 3}, 100);
    cache.put("a", bytes{4}, 50);
    cache.put("b", bytes{}, 100);
    const auto file = cache.save();
    session_cache read;
    read.put("c", bytes{5}, 100);
    ASSERT_TRUE(read.load(file, 60));
    EXPECT_EQ(read.size(), 3u);  // one is over
    EXPECT_EQ(read.take("a", 60), (bytes{1, 2, 3}));
    EXPECT_EQ(read.take("b", 60), bytes{});
    // Any cut or strange file: nothing, or what stands before.
    for (std::size_t size = 0; size < file.size(); ++size) {
        session_cache cut;
        const bool whole = cut.load(std::span(file).first(size), 60);
        EXPECT_TRUE(whole || cut.size() == 0u) << size;
    }
    EXPECT_FALSE(read.load(bytes(100, 'x'), 0));
    EXPECT_EQ(read.take("c", 60), bytes{5});
}

TEST(single_use_filter, once_within_the_window) {
    using namespace std::chrono_literals;
    single_use_filter filter(10s, 100);
    EXPECT_TRUE(filter.use(7, time_point(1h)));
    EXPECT_FALSE(filter.use(7, time_point(1h)));
    EXPECT_FALSE(filter.use(7, time_point(1h + 10s)));
    EXPECT_TRUE(filter.use(8, time_point(1h + 10s)));
    EXPECT_TRUE(filter.use(7, time_point(1h + 20s)));  // long forgotten
    EXPECT_FALSE(filter.use(8, time_point(1h + 20s)));
    EXPECT_TRUE(filter.use(8, time_point(2h)));
}

TEST(single_use_filter, full_means_no) {
    using namespace std::chrono_literals;
    single_use_filter filter(10s, 100);
    for (std::uint64_t i = 0; i < 100; ++i) EXPECT_TRUE(filter.use(i, time_point(1h)));
    EXPECT_FALSE(filter.use(1000, time_point(1h)));
    EXPECT_TRUE(filter.use(1000, time_point(1h + 11s)));
    EXPECT_LE(filter.size(), 200u);
}

}  // namespace
}  // namespace tandem::tls
