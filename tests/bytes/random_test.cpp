#include <tandem/bytes/random.hpp>

#include <array>
#include <random>

#include <gtest/gtest.h>

namespace tandem {
namespace {

static_assert(std::uniform_random_bit_generator<random_source>);

// The reference output of splitmix64 for seed 1234567.
TEST(random, splitmix64_is_the_published_one) {
    std::uint64_t state = 1234567;
    EXPECT_EQ(splitmix64(state), 6457827717110365317u);
    EXPECT_EQ(splitmix64(state), 3203168211198807973u);
    EXPECT_EQ(splitmix64(state), 9817491932198370423u);
}

TEST(random, the_same_seed_gives_the_same_numbers) {
    random_source a(7), b(7), c(8);
    bool differs = false;
    for (int i = 0; i < 100; ++i) {
        const auto n = a();
        EXPECT_EQ(n, b());
        differs |= n != c();
    }
    EXPECT_TRUE(differs);
}

TEST(random, below_is_uniform_and_bounded) {
    random_source random(1);
    std::array<int, 7> seen{};
    for (int i = 0; i < 70000; ++i) ++seen[random.below(7)];
    for (const int n : seen) EXPECT_NEAR(n, 10000, 500);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(random.below(1), 0u);
}

TEST(random, uniform_lies_in_the_unit_interval) {
    random_source random(2);
    double sum = 0;
    for (int i = 0; i < 100000; ++i) {
        const double u = random.uniform();
        ASSERT_GE(u, 0);
        ASSERT_LT(u, 1);
        sum += u;
    }
    EXPECT_NEAR(sum / 100000, 0.5, 0.01);
}

TEST(random, fill_takes_eight_bytes_of_each_number_little_endian) {
    random_source a(3), b(3);
    std::array<std::uint8_t, 11> out{};
    a.fill(out);
    const auto first = b(), second = b();
    for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(out[i], static_cast<std::uint8_t>(first >> (8 * i)));
    for (std::size_t i = 8; i < 11; ++i) EXPECT_EQ(out[i], static_cast<std::uint8_t>(second >> (8 * (i - 8))));
}

}  // namespace
}  // namespace tandem
