#include <tandem/http/redirect.hpp>

#include <gtest/gtest.h>

namespace tandem::http {
namespace {

url base(const char* text = "http://a/b/c/d;p?q") {
    std::string why;
    return *parse_url(text, why);
}
std::string resolved(std::string_view reference, const char* from = "http://a/b/c/d;p?q") {
    std::string why;
    auto out = resolve_reference(base(from), reference, why);
    return out ? out->to_string() : why;
}

TEST(ResolveReference, Rfc3986Examples) {  // RFC 3986 5.4, without those that need a fragment or another scheme
    EXPECT_EQ(resolved("g"), "http://a/b/c/g");
    EXPECT_EQ(resolved("./g"), "http://a/b/c/g");
    EXPECT_EQ(resolved("g/"), "http://a/b/c/g/");
    EXPECT_EQ(resolved("/g"), "http://a/g");
    EXPECT_EQ(resolved("//g"), "http://g/");
    EXPECT_EQ(resolved("?y"), "http://a/b/c/d;p?y");
    EXPECT_EQ(resolved("g?y"), "http://a/b/c/g?y");
    EXPECT_EQ(resolved("#s"), "http://a/b/c/d;p?q");
    EXPECT_EQ(resolved(";x"), "http://a/b/c/;x");
    EXPECT_EQ(resolved(""), "http://a/b/c/d;p?q");
    EXPECT_EQ(resolved("."), "http://a/b/c/");
    EXPECT_EQ(resolved(".."), "http://a/b/");
    EXPECT_EQ(resolved("../g"), "http://a/b/g");
    EXPECT_EQ(resolved("../../g"), "http://a/g");
    EXPECT_EQ(resolved("../../../g"), "http://a/g");
    EXPECT_EQ(resolved("/./g"), "http://a/g");
    EXPECT_EQ(resolved("g."), "http://a/b/c/g.");
    EXPECT_EQ(resolved("..g"), "http://a/b/c/..g");
    EXPECT_EQ(resolved("./g/."), "http://a/b/c/g/");
    EXPECT_EQ(resolved("g/./h"), "http://a/b/c/g/h");
    EXPECT_EQ(resolved("g/../h"), "http://a/b/c/h");
    EXPECT_EQ(resolved("g;x=1/../y"), "http://a/b/c/y");
    EXPECT_EQ(resolved("g?y/../x"), "http://a/b/c/g?y/../x");
    EXPECT_EQ(resolved("https://h:8443/x"), "https://h:8443/x");
    EXPECT_EQ(resolved("ftp://h/x"), "the scheme is neither http nor https");
    EXPECT_EQ(resolved("mailto:x@y"), "the scheme is neither http nor https");
}

std::optional<redirection> after(int status, std::string_view method, const char* location) {
    response r{status, {}};
    if (location != nullptr) r.fields.append("location", location);
    return redirection_of(base("https://a/x"), method, r);
}

TEST(Redirection, MethodsAsBrowsersDo) {
    EXPECT_EQ(after(301, "POST", "/y")->method, "GET");
    EXPECT_EQ(after(302, "POST", "/y")->method, "GET");
    EXPECT_EQ(after(302, "PUT", "/y")->method, "PUT");
    EXPECT_EQ(after(303, "PUT", "/y")->method, "GET");
    EXPECT_EQ(after(303, "HEAD", "/y")->method, "HEAD");
    EXPECT_EQ(after(307, "POST", "/y")->method, "POST");
    EXPECT_EQ(after(308, "POST", "/y")->method, "POST");
    EXPECT_TRUE(after(303, "POST", "/y")->drops_body);
    EXPECT_FALSE(after(307, "POST", "/y")->drops_body);
}

TEST(Redirection, OnlyWhereThereIsSomewhereToGo) {
    EXPECT_FALSE(after(301, "GET", nullptr));
    EXPECT_FALSE(after(301, "GET", "ftp://x/"));
    EXPECT_FALSE(after(304, "GET", "/y"));
    EXPECT_FALSE(after(300, "GET", "/y"));
    EXPECT_FALSE(after(200, "GET", "/y"));
}

TEST(Redirection, CredentialsStayWithTheirOrigin) {
    fields sent{{"authorization", "x"}, {"cookie", "y"}, {"accept", "z"}, {"content-type", "t"}};
    auto same = sent, other = sent;
    strip_fields(same, *after(301, "GET", "/y"));
    EXPECT_EQ(same, sent);
    strip_fields(other, *after(303, "POST", "https://a:444/y"));
    EXPECT_EQ(other, (fields{{"accept", "z"}}));
}

}  // namespace
}  // namespace tandem::http
