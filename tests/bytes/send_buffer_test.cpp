#include <tandem/bytes/send_buffer.hpp>

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include <tandem/bytes/random.hpp>

#include "seed.hpp"

namespace tandem {
namespace {

constexpr std::uint64_t no_limit = UINT64_MAX;

std::vector<std::uint8_t> pattern(std::uint64_t offset, std::size_t size) {
    std::vector<std::uint8_t> out(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>((offset + i) * 31 >> 3);
    return out;
}

TEST(send_buffer, sends_in_order_within_size_and_limit) {
    send_buffer b;
    EXPECT_TRUE(b.next(100, no_limit).empty());
    b.append(pattern(0, 250));
    EXPECT_EQ(b.next(100, no_limit), (range{0, 100}));
    b.sent({0, 100});
    EXPECT_EQ(b.next(100, 150), (range{100, 150}));
    b.sent({100, 150});
    EXPECT_TRUE(b.next(100, 150).empty());
    EXPECT_TRUE(b.next(100, 20).empty());
    EXPECT_EQ(b.unsent(), 100u);
    EXPECT_EQ(b.next(1000, no_limit), (range{150, 250}));
}

TEST(send_buffer, what_was_lost_goes_first_whatever_the_limit) {
    send_buffer b;
    b.append(pattern(0, 300));
    b.sent({0, 200});
    b.lost({50, 150});
    EXPECT_TRUE(b.has_lost());
    EXPECT_EQ(b.lost_bytes(), 100u);
    EXPECT_EQ(b.next(60, 0), (range{50, 110}));
    b.sent({50, 110});
    EXPECT_EQ(b.next(60, 0), (range{110, 150}));
    b.sent({110, 150});
    EXPECT_EQ(b.next(60, no_limit), (range{200, 260}));
}

TEST(send_buffer, acknowledged_bytes_are_never_lost) {
    send_buffer b;
    b.append(pattern(0, 100));
    b.sent({0, 100});
    EXPECT_EQ(b.acknowledged({40, 60}), 20u);
    b.lost({0, 100});
    EXPECT_EQ(b.lost_bytes(), 80u);
    EXPECT_EQ(b.acknowledged({0, 20}), 20u);  // the original came after all
    EXPECT_EQ(b.lost_bytes(), 60u);
    EXPECT_EQ(b.next(100, no_limit), (range{20, 40}));
    EXPECT_EQ(b.begin_offset(), 20u);
    EXPECT_EQ(b.acknowledged({20, 40}), 20u);
    EXPECT_EQ(b.begin_offset(), 60u);  // over what was acknowledged out of order
    EXPECT_TRUE(b.acknowledged().empty());
    EXPECT_EQ(b.acknowledged({0, 100}), 40u);
    EXPECT_TRUE(b.all_acknowledged());
    EXPECT_FALSE(b.has_lost());
}

TEST(send_buffer, ignores_what_was_never_sent) {
    send_buffer b;
    b.append(pattern(0, 100));
    b.sent({0, 50});
    EXPECT_EQ(b.acknowledged({40, 1000}), 10u);
    EXPECT_EQ(b.acknowledged({60, 80}), 0u);
    b.lost({0, 1000});
    EXPECT_EQ(b.lost_bytes(), 40u);
    EXPECT_EQ(b.end_offset(), 100u);
}

TEST(send_buffer, clear_drops_all_and_keeps_the_final_size) {
    send_buffer b;
    b.append(pattern(0, 100));
    b.sent({0, 60});
    b.acknowledged({0, 10});
    b.acknowledged({20, 30});
    b.lost({10, 20});
    b.clear();
    EXPECT_EQ(b.end_offset(), 60u);
    EXPECT_TRUE(b.all_acknowledged());
    EXPECT_FALSE(b.has_lost());
    EXPECT_TRUE(b.next(100, no_limit).empty());
    EXPECT_EQ(b.allocated(), 0u);
    EXPECT_EQ(b.acknowledged({0, 60}), 0u);
    b.lost({0, 60});
    EXPECT_FALSE(b.has_lost());
}

// Every byte is unsent, in flight, lost or acknowledged; the buffer agrees with a model that says so for each.
TEST(send_buffer, agrees_with_a_naive_model) {
    enum class state { unsent, in_flight, lost, acknowledged };
    random_source random(test::seed());
    for (int round = 0; round < 10; ++round) {
        send_buffer b;
        std::vector<state> model;
        for (int i = 0; i < 300; ++i) {
            const auto size = model.size();
            const range r = size == 0 ? range{} : range{random.below(size), random.below(size + 1)};
            switch (random.below(5)) {
                case 0: {
                    const auto n = random.below(random.below(100) == 0 ? 20000 : 300);
                    b.append(pattern(size, n));
                    model.insert(model.end(), n, state::unsent);
                    break;
                }
                case 1:
                case 2: {
                    const auto n = b.next(random.below(1500), size == 0 ? 0 : random.below(2 * size));
                    if (n.empty()) break;
                    bool any_lost = false;
                    for (auto k = std::uint64_t{0}; k < n.begin; ++k) any_lost |= model[k] == state::lost;
                    ASSERT_FALSE(any_lost) << "something older was lost";
                    std::vector<std::uint8_t> out(n.size());
                    b.copy(n, out.data());
                    ASSERT_EQ(out, pattern(n.begin, out.size()));
                    for (auto k = n.begin; k < n.end; ++k) {
                        ASSERT_TRUE(model[k] == state::lost || model[k] == state::unsent);
                        model[k] = state::in_flight;
                    }
                    b.sent(n);
                    break;
                }
                case 3: {
                    if (r.empty()) break;
                    std::uint64_t newly = 0;
                    for (auto k = r.begin; k < r.end; ++k) {
                        if (model[k] == state::unsent || model[k] == state::acknowledged) continue;
                        model[k] = state::acknowledged;
                        ++newly;
                    }
                    ASSERT_EQ(b.acknowledged(r), newly);
                    break;
                }
                default:
                    if (r.empty()) break;
                    for (auto k = r.begin; k < r.end; ++k) {
                        if (model[k] == state::in_flight) model[k] = state::lost;
                    }
                    b.lost(r);
            }
            const auto count = [&](state s) { return static_cast<std::uint64_t>(std::count(model.begin(), model.end(), s)); };
            ASSERT_EQ(b.end_offset(), model.size());
            ASSERT_EQ(b.unsent(), count(state::unsent));
            ASSERT_EQ(b.lost_bytes(), count(state::lost));
            ASSERT_EQ(b.begin_offset() + b.acknowledged().count(), count(state::acknowledged));
            const auto first = std::find_if(model.begin(), model.end(), [](state s) { return s != state::acknowledged; });
            ASSERT_EQ(b.begin_offset(), static_cast<std::uint64_t>(first - model.begin()));
        }
    }
}

}  // namespace
}  // namespace tandem
