#include <tandem/http/date.hpp>

#include <gtest/gtest.h>

namespace tandem::http {
namespace {

constexpr std::int64_t example = 784111777;  // RFC 9110 5.6.7
constexpr std::int64_t now = 1'700'000'000;  // 2023

TEST(Date, Format) {
    EXPECT_EQ(format_date(example), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(format_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(Date, AllThreeFormatsAreRead) {
    EXPECT_EQ(parse_date("Sun, 06 Nov 1994 08:49:37 GMT", now), example);
    EXPECT_EQ(parse_date("Sunday, 06-Nov-94 08:49:37 GMT", now), example);
    EXPECT_EQ(parse_date("Sun Nov  6 08:49:37 1994", now), example);
}

TEST(Date, TwoDigitYearsAreNeverFarAhead) {
    EXPECT_EQ(parse_date("Sunday, 06-Nov-94 08:49:37 GMT", now), example);
    EXPECT_EQ(parse_date("Thursday, 01-Jan-73 00:00:00 GMT", now), 3250454400);  // 2073: 50 years ahead
    EXPECT_EQ(parse_date("Tuesday, 01-Jan-74 00:00:00 GMT", now), 126230400);    // 1974
}

TEST(Date, RoundTrip) {
    for (std::int64_t t = 0; t < 4'000'000'000; t += 86399 * 37) EXPECT_EQ(parse_date(format_date(t), now), t);
}

TEST(Date, Refused) {
    for (auto text : {"", "yesterday", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
                      "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
                      "Sun, 06 Nov 1994 8:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT", "Sun Nov 6 1994"}) {
        EXPECT_FALSE(parse_date(text, now)) << text;
    }
}

}  // namespace
}  // namespace tandem::http
