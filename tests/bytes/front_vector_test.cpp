#include <tandem/bytes/front_vector.hpp>

#include <deque>
#include <memory>

#include <gtest/gtest.h>

#include <tandem/bytes/random.hpp>

#include "seed.hpp"

namespace tandem {
namespace {

TEST(front_vector, does_what_a_deque_does) {
    random_source random(test::seed());
    front_vector<int> v;
    std::deque<int> model;
    for (int i = 0; i < 20000; ++i) {
        const auto at = static_cast<std::ptrdiff_t>(model.empty() ? 0 : random.below(model.size() + 1));
        switch (random.below(7)) {
            case 0:
            case 1:
                v.push_back(i);
                model.push_back(i);
                break;
            case 2:
                v.insert(v.begin() + at, i);
                model.insert(model.begin() + at, i);
                break;
            case 3:
            case 4:
                if (model.empty()) break;
                v.pop_front();
                model.pop_front();
                break;
            case 5:
                if (model.empty()) break;
                v.pop_back();
                model.pop_back();
                break;
            default: {
                const auto n = static_cast<std::ptrdiff_t>(random.below(3));
                const auto last = std::min<std::ptrdiff_t>(at + n, static_cast<std::ptrdiff_t>(model.size()));
                v.erase(v.begin() + at, v.begin() + last);
                model.erase(model.begin() + at, model.begin() + last);
            }
        }
        ASSERT_EQ(v.size(), model.size());
        ASSERT_TRUE(std::equal(v.begin(), v.end(), model.begin(), model.end()));
    }
}

TEST(front_vector, gives_up_what_is_popped) {
    front_vector<std::shared_ptr<int>> v;
    auto item = std::make_shared<int>(1);
    v.push_back(item);
    v.push_back(nullptr);
    EXPECT_EQ(item.use_count(), 2);
    v.pop_front();
    EXPECT_EQ(item.use_count(), 1);
}

}  // namespace
}  // namespace tandem
