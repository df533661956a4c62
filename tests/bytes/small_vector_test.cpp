#include <tandem/bytes/small_vector.hpp>

#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "allocation_counter.hpp"

namespace tandem {
namespace {

using four = small_vector<int, 4>;

four counted(int n) {
    four v;
    for (int i = 0; i < n; ++i) v.push_back(i);
    return v;
}

std::vector<int> contents(const four& v) { return {v.begin(), v.end()}; }

TEST(small_vector, the_first_elements_need_no_heap) {
    const auto before = test::allocations();
    auto v = counted(4);
    auto moved = std::move(v);
    EXPECT_EQ(test::allocations(), before);
    recycled::trim();
    moved.push_back(4);
    EXPECT_EQ(test::allocations(), before + 1);
    EXPECT_EQ(contents(moved), (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(small_vector, copies_and_moves_keep_the_contents) {
    for (int from = 0; from <= 9; ++from) {
        for (int to = 0; to <= 9; ++to) {
            std::vector<int> expected(static_cast<std::size_t>(from));
            std::iota(expected.begin(), expected.end(), 0);
            auto source = counted(from);
            auto copy = counted(to);
            copy = source;
            ASSERT_EQ(contents(copy), expected);
            auto target = counted(to);
            target = std::move(source);
            ASSERT_EQ(contents(target), expected);
            target.push_back(-1);
            ASSERT_EQ(target.back(), -1);
            ASSERT_EQ(target.size(), expected.size() + 1);
        }
    }
}

TEST(small_vector, takes_one_of_its_own_elements) {
    auto v = counted(4);
    v.push_back(v[2]);
    EXPECT_EQ(v.back(), 2);
    v.clear();
    EXPECT_TRUE(v.empty());
}

}  // namespace
}  // namespace tandem
