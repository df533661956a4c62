#include <tandem/bytes/recycled.hpp>

#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "allocation_counter.hpp"

namespace tandem {
namespace {

#if TANDEM_RECYCLES_MEMORY

TEST(recycled, what_was_released_serves_the_next_of_its_size) {
    recycled::trim();
    auto* first = recycled::allocate(100);
    recycled::release(first, 100);
    const auto before = test::allocations();
    auto* again = recycled::allocate(128);  // the same grain
    EXPECT_EQ(again, first);
    EXPECT_EQ(test::allocations(), before);
    recycled::release(again, 128);
}

TEST(recycled, large_pieces_go_back_at_once) {
    const auto before = test::live_bytes();
    recycled::release(recycled::allocate(recycled::largest + 1), recycled::largest + 1);
    EXPECT_EQ(test::live_bytes(), before);
}

TEST(recycled, keeps_no_more_than_its_limit) {
    recycled::trim();
    const auto pieces = 2 * recycled::most_kept / recycled::largest;
    std::vector<void*> taken(pieces);
    for (auto& p : taken) p = recycled::allocate(recycled::largest);
    for (auto* p : taken) recycled::release(p, recycled::largest);
    const auto before = test::allocations();
    for (auto& p : taken) p = recycled::allocate(recycled::largest);
    EXPECT_EQ(test::allocations() - before, pieces / 2);
    for (auto* p : taken) recycled::release(p, recycled::largest);
    recycled::trim();
}

#endif

TEST(recycled, what_a_thread_keeps_ends_with_it) {
    const auto before = test::live_bytes();
    std::thread([] { recycled::release(recycled::allocate(1000), 1000); }).join();
    EXPECT_EQ(test::live_bytes(), before);
}

TEST(recycled, another_thread_may_release) {
    auto* p = recycled::allocate(1000);
    std::thread([p] { recycled::release(p, 1000); }).join();
}

TEST(recycled, objects_of_a_base_are_released_with_their_own_size) {
    struct base : recycled::object {
        virtual ~base() = default;
    };
    struct derived : base {
        std::uint8_t more[1000];
    };
    const auto before = test::live_bytes();
    std::unique_ptr<base> held = std::make_unique<derived>();
    held.reset();
    EXPECT_EQ(test::live_bytes(), before);
}

TEST(recycled, bytes_are_given_up_where_others_are_taken_over) {
    const auto before = test::live_bytes();
    {
        recycled::bytes a(100), b(5000);
        a = std::move(b);
        EXPECT_EQ(a.size(), 5000u);
        EXPECT_FALSE(b);
        a = {};
        EXPECT_FALSE(a);
        EXPECT_EQ(test::live_bytes(), before);
    }
}

}  // namespace
}  // namespace tandem
