#include <gtest/gtest.h>

#include <tandem/http/resumption.hpp>

namespace tandem::http {
namespace {

using answer = resumption::answer;

response whole(const char* tag = "\"a\"") { return {200, {{"etag", tag}, {"content-length", "1000"}}}; }
response part(const char* range, const char* tag = "\"a\"") { return {206, {{"etag", tag}, {"content-range", range}}}; }

TEST(resumption, asks_for_the_rest_of_what_it_knows) {
    resumption r;
    EXPECT_FALSE(r.possible());
    r.on_response(whole());
    r.on_body(300);
    r.on_body(100);
    ASSERT_TRUE(r.possible());
    fields f{{"range", "bytes=0-"}, {"accept", "*/*"}};
    r.ask_for_rest(f);
    EXPECT_EQ(f.find("range"), "bytes=400-");
    EXPECT_EQ(f.find("if-range"), "\"a\"");
    EXPECT_EQ(f.find("accept"), "*/*");
    EXPECT_EQ(r.examine(part("bytes 400-999/1000")), answer::rest);
    EXPECT_EQ(r.examine({206, {{"content-range", "bytes 400-999/1000"}}}), answer::rest);
    EXPECT_EQ(r.examine(whole()), answer::same);
}

TEST(resumption, nothing_else_will_do) {
    resumption r;
    r.on_response(whole());
    r.on_body(400);
    for (const auto& other :
         {part("bytes 399-999/1000"), part("bytes 401-999/1000"), part("bytes 400-998/999"), part("bytes 400-999/1000", "\"b\""),
          part("bytes 400-999/1000", "W/\"a\""), part("bytes */1000"), part(""), whole("\"b\""), whole("W/\"a\""),
          response{416, {{"etag", "\"a\""}}}, response{404, {}}}) {
        EXPECT_EQ(r.examine(other), answer::different) << other.status << " " << other.fields.find("content-range").value_or("");
    }
}

TEST(resumption, parts_go_on_within_themselves) {
    resumption r;
    r.on_response(part("bytes 100-199/1000"));
    r.on_body(50);
    fields f;
    r.ask_for_rest(f);
    EXPECT_EQ(f.find("range"), "bytes=150-199");
    EXPECT_EQ(r.examine(part("bytes 150-199/1000")), answer::rest);
    EXPECT_EQ(r.examine(part("bytes 150-999/1000")), answer::different);
    EXPECT_EQ(r.examine(whole()), answer::different);
    EXPECT_FALSE(r.complete());
    r.on_body(50);
    EXPECT_TRUE(r.complete());
}

TEST(resumption, needs_a_strong_validator) {
    resumption r;
    for (const auto& weak :
         {whole("W/\"a\""), whole("a"), whole(""), response{200, {}}, response{404, {{"etag", "\"a\""}}}, part("bytes x")}) {
        r.on_response(weak);
        EXPECT_FALSE(r.possible());
    }
    r.on_response(whole());
    r.on_body(1000);
    EXPECT_TRUE(r.complete());
    r.reset();
    EXPECT_FALSE(r.possible() || r.complete());
}

}  // namespace
}  // namespace tandem::http
