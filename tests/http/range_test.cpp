#include <gtest/gtest.h>

#include <tandem/http/range.hpp>

namespace tandem::http {
namespace {

using kind = range_request::kind;

TEST(range, one_part) {
    struct sample {
        const char* field;
        range bytes;
    };
    for (const auto& [field, bytes] : {
             sample{"bytes=0-99", {0, 100}},
             sample{"bytes=100-", {100, 1000}},
             sample{"bytes=-10", {990, 1000}},
             sample{"bytes=-5000", {0, 1000}},
             sample{"bytes=999-999", {999, 1000}},
             sample{"bytes=500-99999999999999999999999", {500, 1000}},
             sample{"Bytes= 0-0", {0, 1}},
         }) {
        auto r = parse_range(field, 1000);
        EXPECT_EQ(r.what, kind::part) << field;
        EXPECT_EQ(r.bytes, bytes) << field;
    }
}

TEST(range, what_is_not_one_part) {
    for (auto field : {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=0-1,5-6", "lines=1-2", "bytes=1-2-3",
                       "bytes=+1-2", "bytes=1"}) {
        EXPECT_EQ(parse_range(field, 1000).what, kind::whole) << field;
    }
    for (auto field : {"bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=99999999999999999999999-"}) {
        EXPECT_EQ(parse_range(field, 1000).what, kind::unsatisfiable) << field;
    }
    EXPECT_EQ(parse_range("bytes=0-", 0).what, kind::unsatisfiable);
    EXPECT_EQ(parse_range("bytes=-1", 0).what, kind::unsatisfiable);
}

TEST(range, content_range) {
    EXPECT_EQ(content_range({0, 100}, 1234), "bytes 0-99/1234");
    EXPECT_EQ(content_range_unsatisfied(1234), "bytes */1234");
    auto value = parse_content_range("bytes 0-99/1234");
    ASSERT_TRUE(value);
    EXPECT_EQ(value->bytes, (range{0, 100}));
    EXPECT_EQ(value->size, 1234u);
    auto open = parse_content_range("bytes 5-9/*");
    ASSERT_TRUE(open);
    EXPECT_EQ(open->bytes, (range{5, 10}));
    EXPECT_FALSE(open->size);
    for (auto bad : {"", "bytes */12", "bytes 9-5/12", "bytes 0-12/12", "bytes 0-1", "items 0-1/2", "bytes a-b/c",
                     "bytes 0-18446744073709551615/*"}) {
        EXPECT_FALSE(parse_content_range(bad)) << bad;
    }
}

}  // namespace
}  // namespace tandem::http
