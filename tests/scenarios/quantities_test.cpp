#include "quantities.hpp"

#include <gtest/gtest.h>

namespace tandem::compare {
namespace {

using namespace std::chrono_literals;

TEST(quantities, bytes) {
    EXPECT_EQ(parse_bytes("1500"), 1500U);
    EXPECT_EQ(parse_bytes("100KB"), 100'000U);
    EXPECT_EQ(parse_bytes("64KiB"), 65'536U);
    EXPECT_EQ(parse_bytes("1.5MB"), 1'500'000U);
    EXPECT_EQ(parse_bytes("2 GB"), 2'000'000'000U);
    for (const auto* wrong : {"", "KB", "-1", "1XB", "1e30MB", "nan", "inf", "1KBs", "0x10", "1..5KB", "99999999999GB"}) {
        EXPECT_FALSE(parse_bytes(wrong)) << wrong;
    }
}

TEST(quantities, rates) {
    EXPECT_EQ(parse_rate("10Mbit"), 10'000'000U);
    EXPECT_EQ(parse_rate("10Mbit/s"), 10'000'000U);
    EXPECT_EQ(parse_rate("1Gbps"), 1'000'000'000U);
    EXPECT_EQ(parse_rate("500kbit"), 500'000U);
    EXPECT_EQ(parse_rate("9600bit"), 9600U);
    EXPECT_EQ(parse_rate("0"), 0U);
    for (const auto* wrong : {"", "10", "10MB", "fast", "-1Mbit"}) EXPECT_FALSE(parse_rate(wrong)) << wrong;
}

TEST(quantities, durations) {
    EXPECT_EQ(parse_duration("40ms"), 40ms);
    EXPECT_EQ(parse_duration("1.5s"), 1500ms);
    EXPECT_EQ(parse_duration("250us"), 250us);
    EXPECT_EQ(parse_duration("0"), 0ms);
    for (const auto* wrong : {"", "40", "40 parsecs", "-1ms"}) EXPECT_FALSE(parse_duration(wrong)) << wrong;
}

TEST(quantities, shares) {
    EXPECT_DOUBLE_EQ(*parse_share("1%"), 0.01);
    EXPECT_DOUBLE_EQ(*parse_share("0.25 %"), 0.0025);
    EXPECT_DOUBLE_EQ(*parse_share("0.01"), 0.01);
    EXPECT_DOUBLE_EQ(*parse_share("100%"), 1);
    for (const auto* wrong : {"", "2", "101%", "-1%", "one"}) EXPECT_FALSE(parse_share(wrong)) << wrong;
}

TEST(quantities, pages) {
    using sizes = std::vector<std::uint64_t>;
    EXPECT_EQ(parse_page("4x100KB", 10, 1'000'000), (sizes{100'000, 100'000, 100'000, 100'000}));
    EXPECT_EQ(parse_page("1x50KB,2x20KB,7", 10, 1'000'000), (sizes{50'000, 20'000, 20'000, 7}));
    for (const auto* wrong : {"", "0x5KB", "11x1", "x5KB", "4x", "4x100KB,", "2MB", "-1x5", "9999999999999999999999x1"}) {
        EXPECT_FALSE(parse_page(wrong, 10, 1'000'000)) << wrong;
    }
}

TEST(quantities, text) {
    EXPECT_EQ(format_bytes(999), "999 B");
    EXPECT_EQ(format_bytes(50'000), "50 KB");
    EXPECT_EQ(format_bytes(1'500'000), "1.5 MB");
    EXPECT_EQ(format_rate(10'000'000), "10 Mbit/s");
    EXPECT_EQ(format_ms(40ms), "40 ms");
    EXPECT_EQ(format_ms(250us), "0.25 ms");
    EXPECT_EQ(format_percent(0.001), "0.1 %");
    EXPECT_EQ(format_number(1.50, 3), "1.5");
    EXPECT_EQ(format_number(100, 3), "100");
    EXPECT_EQ(format_fixed(-0.0001, 2), "0.00");
}

}  // namespace
}  // namespace tandem::compare
