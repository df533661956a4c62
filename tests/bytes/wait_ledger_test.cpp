#include <tandem/bytes/wait_ledger.hpp>

#include <gtest/gtest.h>

namespace tandem {
namespace {

using namespace std::chrono_literals;
constexpr time_point t0{};

TEST(wait_ledger, sums_bytes_times_time_by_cause) {
    wait_ledger l;
    l.add(wait_cause::own_stream_hole, 1000, 2ms);
    l.add(wait_cause::own_stream_hole, 1, 1ns);
    l.add(wait_cause::application, 10, t0, t0 + 3s);
    EXPECT_EQ(l.byte_nanoseconds(wait_cause::own_stream_hole), 2'000'000'001u);
    EXPECT_EQ(l.byte_nanoseconds(wait_cause::application), 30'000'000'000u);
    EXPECT_EQ(l.byte_nanoseconds(wait_cause::other_stream_hole), 0u);
    EXPECT_EQ(l.sum(), 32'000'000'001u);
    EXPECT_DOUBLE_EQ(wait_ledger::byte_seconds(30'000'000'000u), 30);
}

TEST(wait_ledger, the_total_is_counted_apart) {
    wait_ledger l;
    l.add_total(10, 1s);
    EXPECT_EQ(l.total(), 10'000'000'000u);
    EXPECT_EQ(l.sum(), 0u);
}

TEST(wait_ledger, negative_waits_count_as_none) {
    wait_ledger l;
    l.add(wait_cause::qpack, 10, -1ns);
    l.add(wait_cause::qpack, 10, t0 + 2s, t0 + 1s);
    l.add_total(10, -1ns);
    EXPECT_EQ(l, wait_ledger{});
}

TEST(wait_ledger, holds_more_than_64_bits) {
    wait_ledger l;
    for (int i = 0; i < 4; ++i) l.add(wait_cause::tls_record, 1'000'000'000, 10s);
    EXPECT_EQ(wait_ledger::byte_seconds(l.sum()), 4e10);
}

TEST(wait_ledger, merges) {
    wait_ledger a, b;
    a.add(wait_cause::http_queue, 1, 1s);
    b.add(wait_cause::http_queue, 2, 1s);
    b.add_total(2, 1s);
    a.merge(b);
    EXPECT_EQ(a.byte_nanoseconds(wait_cause::http_queue), 3'000'000'000u);
    EXPECT_EQ(a.total(), 2'000'000'000u);
}

TEST(wait_ledger, intervals_are_recorded_on_demand_joined_and_bounded) {
    wait_ledger l;
    l.add(wait_cause::qpack, 1, t0, t0 + 1s);
    EXPECT_TRUE(l.intervals().empty());
    l.record_intervals();
    l.add(wait_cause::qpack, 1, t0 + 1s, t0 + 2s);
    l.add(wait_cause::qpack, 1, t0 + 2s, t0 + 3s);
    l.add(wait_cause::application, 1, t0 + 2s, t0 + 2s);
    ASSERT_EQ(l.intervals().size(), 1u);
    EXPECT_EQ(l.intervals()[0], (wait_interval{wait_cause::qpack, t0 + 1s, t0 + 3s}));
    for (int i = 0; i < 5000; ++i) l.add(wait_cause::qpack, 1, t0 + i * 10s + 5s, t0 + i * 10s + 6s);
    EXPECT_EQ(l.intervals().size(), wait_ledger::max_intervals);
}

TEST(wait_ledger, causes_have_names) {
    EXPECT_EQ(to_string(wait_cause::own_stream_hole), "own_stream_hole");
    EXPECT_EQ(to_string(wait_cause::application), "application");
}

}  // namespace
}  // namespace tandem
