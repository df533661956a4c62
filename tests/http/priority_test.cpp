#include <gtest/gtest.h>

#include <tandem/http/priority.hpp>

namespace tandem::http {
namespace {

struct sample {
    const char* text;
    priority value;
};

TEST(priority, parses) {
    for (const auto& [text, value] : {
             sample{"", {3, false}}, sample{"u=0", {0, false}}, sample{"u=7,i", {7, true}}, sample{"u=1, i", {1, true}},
             sample{"i", {3, true}}, sample{"i=?1", {3, true}}, sample{"i=?0", {3, false}}, sample{" u=5 ", {5, false}},
             sample{"u=2;x=1, i;y", {2, true}}, sample{"u=1, u=4", {4, false}},        // the last one counts (RFC 8941 3.2)
             sample{"a=\"x,\\\"u=0\", b=:aGk=:, c=tok/en, d=1.5, u=6", {6, false}},    // unknown members
             sample{"l=(1 \"a\" b);q=1, u=4", {4, false}}, sample{"u=8", {3, false}},  // out of range: ignored
             sample{"u=-1, i", {3, true}}, sample{"u=?1, i=3", {3, false}},            // of another type: ignored
         }) {
        EXPECT_EQ(parse_priority(text), value) << text;
    }
}

TEST(priority, malformed_fields_count_for_nothing) {
    for (auto text : {"u=1,", "u=", "U=1", "u=1 i", "=1", "u=1,,i", "u=1, i=?2", "u=1, a=\"x", "u=1, a=(1", "u=1.", "u=1, a=:x",
                      "u=1234567890123456"}) {
        EXPECT_EQ(parse_priority(text), priority{}) << text;
    }
}

TEST(priority, prints_what_it_parses) {
    for (std::uint8_t urgency = 0; urgency < 8; ++urgency) {
        for (bool incremental : {false, true}) {
            priority p{urgency, incremental};
            EXPECT_EQ(parse_priority(to_string(p)), p);
        }
    }
    EXPECT_EQ(to_string({1, true}), "u=1, i");
    EXPECT_EQ(to_string({3, false}), "");
    EXPECT_EQ(to_string({3, true}), "i");
}

}  // namespace
}  // namespace tandem::http
