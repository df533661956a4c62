#include <tandem/recovery/sent_log.hpp>

#include <map>
#include <memory>

#include <gtest/gtest.h>

#include <tandem/bytes/random.hpp>

#include "seed.hpp"

namespace tandem::recovery {
namespace {

transmission<int> sent(std::uint64_t number, int contents = 0) {
    transmission<int> t;
    t.number = number;
    t.contents = contents;
    return t;
}

TEST(sent_log, skipped_numbers_are_not_found) {
    sent_log<int> log;
    log.push(sent(5));
    log.push(sent(8));
    EXPECT_EQ(log.first(), 5u);
    EXPECT_EQ(log.next(), 9u);
    for (const auto n : {0, 4, 6, 7, 9}) EXPECT_EQ(log.find(static_cast<std::uint64_t>(n)), nullptr) << n;
    EXPECT_EQ(log.find(8)->number, 8u);
    log.pop_front();
    EXPECT_EQ(log.find(5), nullptr);
}

TEST(sent_log, an_empty_log_starts_anywhere) {
    sent_log<int> log;
    log.push(sent(0));
    log.pop_front();
    EXPECT_TRUE(log.empty());
    log.push(sent(std::uint64_t{1} << 60));
    EXPECT_EQ(log.size(), 1u);
    EXPECT_EQ(log.capacity(), 4u);
}

TEST(sent_log, holds_contents_that_only_move) {
    sent_log<std::unique_ptr<int>> log;
    for (std::uint64_t i = 0; i < 100; ++i) {
        transmission<std::unique_ptr<int>> t;
        t.number = i;
        t.contents = std::make_unique<int>(static_cast<int>(i));
        log.push(std::move(t));
    }
    for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(*log.find(i)->contents, static_cast<int>(i));
}

TEST(sent_log, is_a_map_from_number_to_contents) {
    random_source random(tandem::test::seed());
    sent_log<int> log;
    std::map<std::uint64_t, int> model;
    std::uint64_t next = 0;
    for (int i = 0; i < 20000; ++i) {
        if (random.below(2) == 0) {
            next += random.below(10) == 0 ? random.below(20) : 0;
            log.push(sent(next, i));
            model[next++] = i;
        } else if (!log.empty()) {
            model.erase(log.first());
            log.pop_front();
        }
        const auto n = (next > 40 ? next - 40 : 0) + random.below(60);
        const auto* found = log.find(n);
        ASSERT_EQ(found != nullptr, model.contains(n)) << n;
        if (found) {
            ASSERT_EQ(found->contents, model[n]);
        }
    }
}

}  // namespace
}  // namespace tandem::recovery
