#include <tandem/sim/clock.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace {

using namespace std::chrono_literals;
using tandem::sim::event_queue;

struct recorder : tandem::sim::event_target {
    explicit recorder(event_queue& q) : queue(q) {}
    void on_event(std::uint64_t argument) override {
        seen.push_back({queue.elapsed(), argument});
        if (argument == 100) queue.schedule(queue.now(), *this, 101);
    }
    event_queue& queue;
    std::vector<std::pair<tandem::duration, std::uint64_t>> seen;
};

TEST(event_queue, orders_by_time_then_by_scheduling) {
    event_queue queue;
    recorder target(queue);
    queue.schedule(event_queue::start + 2ms, target, 1);
    queue.schedule(event_queue::start + 1ms, target, 2);
    queue.schedule(event_queue::start + 2ms, target, 3);
    EXPECT_EQ(queue.next_time(), event_queue::start + 1ms);
    while (queue.step()) {
    }
    const std::vector<std::pair<tandem::duration, std::uint64_t>> expected{{1ms, 2}, {2ms, 1}, {2ms, 3}};
    EXPECT_EQ(target.seen, expected);
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.elapsed(), 2ms);
}

TEST(event_queue, one_step_does_not_do_what_it_caused) {
    event_queue queue;
    recorder target(queue);
    queue.schedule(event_queue::start + 1ms, target, 100);
    EXPECT_TRUE(queue.step());
    EXPECT_EQ(target.seen.size(), 1U);
    EXPECT_TRUE(queue.step());
    EXPECT_EQ(target.seen.size(), 2U);
    EXPECT_EQ(queue.elapsed(), 1ms);
    EXPECT_FALSE(queue.step());
}

TEST(event_queue, the_past_is_now) {
    event_queue queue;
    recorder target(queue);
    queue.schedule(event_queue::start + 5ms, target, 1);
    queue.step();
    queue.schedule(event_queue::start + 1ms, target, 2);
    queue.step();
    EXPECT_EQ(target.seen.back().first, 5ms);
}

}  // namespace
