#include <tandem/quic/connection_id_router.hpp>

#include <gtest/gtest.h>

#include <bit>
#include <set>

#include <tandem/bytes/random.hpp>

#include "seed.hpp"

namespace tandem::quic {
namespace {

std::array<std::uint8_t, 32> secret(std::uint8_t first) { return {first, 1, 2, 3}; }

TEST(ConnectionIdRouter, SaysTheWorkerToWhoHasTheKey) {
    connection_id_router router(secret(0)), other(secret(1));
    std::set<connection_id> all;
    std::size_t by_other = 0;
    for (std::uint16_t worker = 0; worker < 8; ++worker) {
        for (std::uint64_t count = 0; count < 500; ++count) {
            const auto id = router.make(worker, count);
            EXPECT_EQ(id.size(), connection_id_router::id_size);
            EXPECT_EQ(router.worker(id.bytes(), 8), worker);
            if (worker > 0) {
                EXPECT_EQ(router.worker(id.bytes(), worker), std::nullopt);
            }
            by_other += other.worker(id.bytes(), 8).has_value() ? 1 : 0;
            all.insert(id);
        }
    }
    EXPECT_EQ(all.size(), 8u * 500u);  // no two alike
    EXPECT_LT(by_other, 20u);          // by chance: 4000 * 8 / 65536
}

TEST(ConnectionIdRouter, TheCountGoesAround) {
    connection_id_router router(secret(0));
    EXPECT_EQ(router.make(3, 5), router.make(3, (std::uint64_t{1} << 48) + 5));
    EXPECT_EQ(router.worker(router.make(1023, ~std::uint64_t{0}).bytes(), 1024), 1023);
}

// Neighbours in worker or count have about half of their bits in common, like any two random numbers.
TEST(ConnectionIdRouter, NeighboursLookLikeStrangers) {
    connection_id_router router(secret(0));
    const auto differing = [](const connection_id& a, const connection_id& b) {
        int bits = 0;
        for (std::size_t i = 0; i < a.size(); ++i) bits += std::popcount(static_cast<unsigned>(a.bytes()[i] ^ b.bytes()[i]));
        return bits;
    };
    double sum = 0;
    for (std::uint64_t i = 0; i < 1000; ++i) {
        sum += differing(router.make(1, i), router.make(1, i + 1));
        sum += differing(router.make(1, i), router.make(2, i));
    }
    EXPECT_NEAR(sum / 2000, 32, 1);
}

TEST(ConnectionIdRouter, RandomIdsAreNobodys) {
    connection_id_router router(secret(0));
    random_source random(test::seed());
    std::size_t claimed = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::array<std::uint8_t, 8> id;
        random.fill(id);
        claimed += router.worker(id, 16).has_value() ? 1 : 0;
    }
    EXPECT_LT(claimed, 40u);  // expected: 5
    EXPECT_EQ(router.worker(std::array<std::uint8_t, 7>{}, 16), std::nullopt);
    EXPECT_EQ(router.worker(std::array<std::uint8_t, 20>{}, 16), std::nullopt);
}

TEST(ConnectionIdRouter, SecretsOfItsOwnDifferByPurpose) {
    connection_id_router router(secret(0)), same(secret(0));
    EXPECT_EQ(router.derive("a"), same.derive("a"));
    EXPECT_NE(router.derive("a"), router.derive("b"));
}

}  // namespace
}  // namespace tandem::quic
