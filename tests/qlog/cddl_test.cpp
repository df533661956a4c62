// The checker itself: it must fail where it should, or the tests of the logs prove nothing.
#include <gtest/gtest.h>

#include "cddl.hpp"

namespace tandem::qlog::test {
namespace {

constexpr std::string_view rules = R"(
; a comment
Thing = {
    id: uint8
    ? name: text .default "none"
    kind: "a" / "b"
    ? parts: [+ Part]
    ? pair: [1*2 uint64]
    ? token: hexstring .size 2
    ? error: Code / "unknown"
}
Part = { ? x: uint64 }
Code = text .regexp "e[0-9]"
Code /= "extra"
event "t:thing" = Thing
)";

std::string verdict(std::string_view text) {
    cddl c;
    c.add(rules);
    return c.check(boost::json::parse(std::string(text)), *c.event_rule("t:thing")).value_or("good");
}

TEST(cddl, takes_what_is_described) {
    EXPECT_EQ(verdict(R"({"id":255,"kind":"a"})"), "good");
    EXPECT_EQ(verdict(R"({"id":0,"kind":"b","name":"x","parts":[{"x":1},{}],"pair":[1,2],"token":"00ff"})"), "good");
    EXPECT_EQ(verdict(R"({"id":0,"kind":"b","error":"e7"})"), "good");
    EXPECT_EQ(verdict(R"({"id":0,"kind":"b","error":"extra"})"), "good");
    EXPECT_EQ(verdict(R"({"id":0,"kind":"b","error":"unknown"})"), "good");
}

TEST(cddl, refuses_everything_else) {
    for (const auto* bad : {R"({"kind":"a"})", R"({"id":256,"kind":"a"})", R"({"id":-1,"kind":"a"})", R"({"id":"1","kind":"a"})",
                            R"({"id":1,"kind":"c"})", R"({"id":1,"kind":"a","more":1})", R"({"id":1,"kind":"a","parts":[]})",
                            R"({"id":1,"kind":"a","parts":[{"y":1}]})", R"({"id":1,"kind":"a","pair":[1,2,3]})",
                            R"({"id":1,"kind":"a","token":"00f"})", R"({"id":1,"kind":"a","token":"zzzz"})",
                            R"({"id":1,"kind":"a","error":"e77"})", R"({"id":1,"kind":"a","name":7})", "[]"}) {
        EXPECT_NE(verdict(bad), "good") << bad;
    }
    cddl c;
    EXPECT_FALSE(c.event_rule("t:thing"));
    EXPECT_THROW(c.add("Thing { }"), std::runtime_error);
}

}  // namespace
}  // namespace tandem::qlog::test
