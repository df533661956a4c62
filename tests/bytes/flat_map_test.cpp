#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include <tandem/bytes/flat_map.hpp>
#include <tandem/bytes/random.hpp>

#include "seed.hpp"

namespace tandem {
namespace {

TEST(FlatMap, AgreesWithATree) {
    random_source random(test::seed());
    flat_map<std::uint64_t, std::unique_ptr<std::uint64_t>> map;
    std::map<std::uint64_t, std::uint64_t> expected;
    for (int step = 0; step < 50'000; ++step) {
        const auto key = random.below(200) * 4;
        if (random.below(2) == 0) {
            EXPECT_EQ(map.insert(key, std::make_unique<std::uint64_t>(step)), expected.emplace(key, step).second);
        } else {
            EXPECT_EQ(map.erase(key), expected.erase(key) == 1);
        }
        ASSERT_EQ(map.size(), expected.size());
        const auto other = random.below(200) * 4;
        const auto* found = map.find(other);
        ASSERT_EQ(found != nullptr, expected.contains(other));
        if (found != nullptr) {
            ASSERT_EQ(**found, expected[other]);
        }
    }
    std::map<std::uint64_t, std::uint64_t> all;
    map.for_each([&](std::uint64_t key, const auto& value) { EXPECT_TRUE(all.emplace(key, *value).second); });
    EXPECT_EQ(all, expected);
}

// All in one chain, which goes round the table's end.
struct one_place {
    std::size_t operator()(std::uint64_t) const { return static_cast<std::size_t>(-1); }
};

TEST(FlatMap, KeepsChainsWholeWhateverIsErased) {
    const int value = 0;
    for (std::uint64_t first = 0; first < 6; ++first) {
        for (std::uint64_t second = 0; second < 6; ++second) {
            flat_map<std::uint64_t, const int*, one_place> map;
            for (std::uint64_t key = 0; key < 6; ++key) EXPECT_TRUE(map.insert(key, &value));
            EXPECT_FALSE(map.insert(3, &value));
            EXPECT_TRUE(map.erase(first));
            EXPECT_EQ(map.erase(second), first != second);
            for (std::uint64_t key = 0; key < 6; ++key) EXPECT_EQ(map.contains(key), key != first && key != second);
        }
    }
}

TEST(FlatMap, AnEmptyOneHoldsNothing) {
    const flat_map<std::uint64_t, const int*> map;
    EXPECT_TRUE(map.empty());
    EXPECT_FALSE(map.contains(0));
    EXPECT_FALSE((flat_map<std::uint64_t, const int*>().erase(0)));
}

}  // namespace
}  // namespace tandem
