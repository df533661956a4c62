#include <tandem/bytes/range_set.hpp>

#include <bitset>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tandem/bytes/random.hpp>

#include "seed.hpp"

namespace tandem {
namespace {

using testing::ElementsAre;

std::vector<range> ranges(const range_set& s) { return {s.begin(), s.end()}; }

std::vector<range> missing(const range_set& s, range r) {
    std::vector<range> out;
    s.for_each_missing(r, [&](range part) { out.push_back(part); });
    return out;
}

TEST(range_set, joins_what_overlaps_or_touches) {
    range_set s;
    EXPECT_EQ(s.insert({10, 20}), 10u);
    EXPECT_EQ(s.insert({30, 40}), 10u);
    EXPECT_EQ(s.insert({50, 60}), 10u);
    EXPECT_THAT(ranges(s), ElementsAre(range{10, 20}, range{30, 40}, range{50, 60}));
    EXPECT_EQ(s.insert({20, 30}), 10u);
    EXPECT_THAT(ranges(s), ElementsAre(range{10, 40}, range{50, 60}));
    EXPECT_EQ(s.insert({5, 55}), 15u);
    EXPECT_THAT(ranges(s), ElementsAre(range{5, 60}));
    EXPECT_EQ(s.insert({5, 60}), 0u);
    EXPECT_EQ(s.insert({7, 7}), 0u);
    EXPECT_EQ(s.count(), 55u);
}

TEST(range_set, erases_parts_and_splits) {
    range_set s;
    s.insert({0, 100});
    EXPECT_EQ(s.erase({40, 60}), 20u);
    EXPECT_THAT(ranges(s), ElementsAre(range{0, 40}, range{60, 100}));
    EXPECT_EQ(s.erase({30, 70}), 20u);
    EXPECT_EQ(s.erase({30, 70}), 0u);
    EXPECT_EQ(s.erase({0, 10}), 10u);
    EXPECT_EQ(s.erase({90, 200}), 10u);
    EXPECT_THAT(ranges(s), ElementsAre(range{10, 30}, range{70, 90}));
    EXPECT_EQ(s.erase({0, 100}), 40u);
    EXPECT_TRUE(s.empty());
    EXPECT_EQ(s.count(), 0u);
}

TEST(range_set, says_what_it_contains_touches_and_misses) {
    range_set s;
    s.insert({10, 20});
    s.insert({30, 40});
    EXPECT_TRUE(s.contains(10) && s.contains(19) && s.contains(range{10, 20}) && s.contains(range{5, 5}));
    EXPECT_FALSE(s.contains(9) || s.contains(20) || s.contains(range{19, 31}) || s.contains(range{10, 21}));
    EXPECT_TRUE(s.touches({20, 21}) && s.touches({5, 10}) && s.touches({0, 100}));
    EXPECT_FALSE(s.touches({21, 29}) || s.touches({41, 50}) || s.touches({0, 9}));
    EXPECT_THAT(missing(s, {0, 50}), ElementsAre(range{0, 10}, range{20, 30}, range{40, 50}));
    EXPECT_THAT(missing(s, {15, 35}), ElementsAre(range{20, 30}));
    EXPECT_THAT(missing(s, {12, 18}), ElementsAre());
    EXPECT_THAT(missing(s, {20, 25}), ElementsAre(range{20, 25}));
}

TEST(range_set, the_largest_number_that_fits_a_range) {
    range_set s;
    s.insert({UINT64_MAX - 1, UINT64_MAX});
    EXPECT_TRUE(s.contains(range{UINT64_MAX - 1, UINT64_MAX}));
    EXPECT_EQ(s.erase({0, UINT64_MAX}), 1u);
}

TEST(range_set, is_a_set_of_numbers) {
    constexpr std::size_t span = 256;
    random_source random(test::seed());
    range_set s;
    std::bitset<span> model;
    for (int i = 0; i < 20000; ++i) {
        const auto begin = random.below(span);
        const auto end = begin + random.below(std::min<std::uint64_t>(span - begin, 1 + random.below(60)) + 1);
        std::uint64_t in = 0;
        for (auto n = begin; n < end; ++n) in += model[n];
        ASSERT_EQ(s.contains(range{begin, end}), in == end - begin);
        std::uint64_t missed = 0;
        s.for_each_missing({begin, end}, [&](range part) {
            ASSERT_FALSE(part.empty());
            for (auto n = part.begin; n < part.end; ++n) ASSERT_FALSE(model[n]);
            missed += part.size();
        });
        ASSERT_EQ(missed, end - begin - in);
        bool touches = false;
        for (auto n = begin == 0 ? 0 : begin - 1; begin < end && n < std::min<std::uint64_t>(end + 1, span); ++n)
            touches |= model[n];
        if (begin < end) {
            ASSERT_EQ(s.touches({begin, end}), touches);
        }

        const auto action = random.below(10);
        if (action < 5) {
            ASSERT_EQ(s.insert({begin, end}), end - begin - in);
            for (auto n = begin; n < end; ++n) model.set(n);
        } else if (action < 9) {
            ASSERT_EQ(s.erase({begin, end}), in);
            for (auto n = begin; n < end; ++n) model.reset(n);
        } else if (!s.empty()) {
            for (auto n = s.front().begin; n < s.front().end; ++n) model.reset(n);
            s.pop_front();
        }
        ASSERT_EQ(s.count(), model.count());
        std::uint64_t previous_end = 0;
        for (const auto& r : s) {
            ASSERT_TRUE(r.begin < r.end && (r.begin > previous_end || (previous_end == 0 && r.begin == 0)));
            for (auto n = r.begin; n < r.end; ++n) ASSERT_TRUE(model[n]);
            previous_end = r.end;
        }
    }
}

}  // namespace
}  // namespace tandem
