#include <tandem/bytes/block_list.hpp>

#include <map>
#include <vector>

#include <gtest/gtest.h>

#include <tandem/bytes/random.hpp>

#include "seed.hpp"

namespace tandem {
namespace {

constexpr auto block = block_list::block_size;

TEST(block_list, a_short_stream_takes_a_small_block) {
    block_list b;
    b.write(0, std::vector<std::uint8_t>(100, 7));
    EXPECT_EQ(b.allocated(), block_list::small_block_size);
    b.write(100, std::vector<std::uint8_t>(900, 8));
    EXPECT_EQ(b.allocated(), 1024u);
    b.write(1000, std::vector<std::uint8_t>(1100, 8));
    EXPECT_EQ(b.allocated(), 4096u);
    b.write(2100, std::vector<std::uint8_t>(2000, 9));
    EXPECT_EQ(b.allocated(), block);
    std::vector<std::uint8_t> out(2100);
    b.read(0, out);
    EXPECT_EQ(out[99], 7);
    EXPECT_EQ(out[100], 8);
}

TEST(block_list, takes_memory_only_where_there_are_bytes) {
    block_list b;
    const std::uint8_t one[] = {1};
    b.write(std::uint64_t{1} << 60, one);
    b.write(5, one);
    b.write(1000 * block, one);
    EXPECT_EQ(b.allocated(), 3 * block_list::small_block_size);
}

TEST(block_list, recycles_blocks_and_gives_all_back_when_cleared) {
    block_list b;
    const std::vector<std::uint8_t> data(block, 1);
    for (std::uint64_t i = 0; i < 100; ++i) {
        b.write(i * block, data);
        b.release_below((i + 1) * block);
    }
    EXPECT_EQ(b.allocated(), block);
    b.clear();
    EXPECT_EQ(b.allocated(), 0u);
}

TEST(block_list, keeps_a_bounded_number_of_spares) {
    block_list b;
    const std::vector<std::uint8_t> data(block, 1);
    for (std::uint64_t i = 0; i < 200; ++i) b.write(i * block, data);
    b.release_below(200 * block);
    EXPECT_EQ(b.allocated(), block_list::max_spares * block);
}

TEST(block_list, holds_what_was_written) {
    random_source random(test::seed());
    block_list b;
    std::map<std::uint64_t, std::uint8_t> model;
    std::uint64_t released = 0;
    for (int i = 0; i < 500; ++i) {
        const auto offset = released + random.below(20) * block / 2 + random.below(3000);
        std::vector<std::uint8_t> data(1 + random.below(random.below(10) == 0 ? 40000 : 50));
        random.fill(data);
        b.write(offset, data);
        for (std::size_t n = 0; n < data.size(); ++n) model[offset + n] = data[n];
        std::vector<std::uint8_t> out(data.size());
        b.read(offset, out);
        ASSERT_EQ(out, data);
        if (random.below(5) == 0) {
            released += random.below(2 * block);
            b.release_below(released);
            model.erase(model.begin(), model.lower_bound(released));
        }
        const auto from = released + random.below(10 * block);
        for (auto it = model.lower_bound(from); it != model.end() && it->first < from + 50; ++it) {
            ASSERT_EQ(b.piece(it->first, 1)[0], it->second);
        }
    }
}

}  // namespace
}  // namespace tandem
