#include <tandem/bytes/strong.hpp>

#include <cstdint>
#include <type_traits>
#include <unordered_set>

#include <gtest/gtest.h>

namespace tandem {
namespace {

using apples = strong<std::uint64_t, struct apples_tag>;
using pears = strong<std::uint64_t, struct pears_tag>;

template <class A, class B>
concept comparable = requires(A a, B b) {
    a < b;
};

static_assert(comparable<apples, apples>);
static_assert(!comparable<apples, pears>);
static_assert(!comparable<apples, std::uint64_t>);
static_assert(!std::is_convertible_v<std::uint64_t, apples> && !std::is_convertible_v<apples, std::uint64_t>);
static_assert(sizeof(apples) == sizeof(std::uint64_t));

TEST(strong, compares_counts_and_subtracts) {
    apples a(3);
    EXPECT_LT(a, apples(4));
    EXPECT_EQ(a++, apples(3));
    EXPECT_EQ(++a, apples(5));
    EXPECT_EQ(a - apples(2), 3u);
    EXPECT_EQ(a + 2, apples(7));
    EXPECT_EQ(a - 2, apples(3));
    a += 10;
    EXPECT_EQ(a.value(), 15u);
}

TEST(strong, hashes) {
    std::unordered_set<apples> set{apples(1), apples(2), apples(1)};
    EXPECT_EQ(set.size(), 2u);
}

}  // namespace
}  // namespace tandem
