#include "apps/glob.hpp"

#include <gtest/gtest.h>

namespace tandem::apps {
namespace {

std::vector<std::string> urls(std::string_view pattern) {
    std::string why;
    std::vector<std::string> out;
    auto all = expand_globs(pattern, why);
    EXPECT_TRUE(all) << why;
    if (all) {
        for (const auto& g : *all) out.push_back(g.url);
    }
    return out;
}

using list = std::vector<std::string>;

TEST(Glob, Ranges) {
    EXPECT_EQ(urls("a[1-3]b"), (list{"a1b", "a2b", "a3b"}));
    EXPECT_EQ(urls("[08-11]"), (list{"08", "09", "10", "11"}));
    EXPECT_EQ(urls("[0-10:5]"), (list{"0", "5", "10"}));
    EXPECT_EQ(urls("[x-z]"), (list{"x", "y", "z"}));
    EXPECT_EQ(urls("[a-e:2]"), (list{"a", "c", "e"}));
}

TEST(Glob, ListsAndProducts) {
    EXPECT_EQ(urls("{one,two,}!"), (list{"one!", "two!", "!"}));
    EXPECT_EQ(urls("[1-2]{a,b}"), (list{"1a", "1b", "2a", "2b"}));
}

TEST(Glob, WhatIsNoPatternStays) {
    EXPECT_EQ(urls("https://[::1]:4433/x"), (list{"https://[::1]:4433/x"}));
    EXPECT_EQ(urls("a[3-1]"), (list{"a[3-1]"}));
    EXPECT_EQ(urls("a[1-3:0]"), (list{"a[1-3:0]"}));
    EXPECT_EQ(urls("plain"), (list{"plain"}));
}

TEST(Glob, Refused) {
    std::string why;
    EXPECT_FALSE(expand_globs("a[1-3", why));
    EXPECT_FALSE(expand_globs("a{x", why));
    EXPECT_FALSE(expand_globs("[1-1000001]", why));
    EXPECT_FALSE(expand_globs("[1-1000][1-1001]", why));
    EXPECT_FALSE(expand_globs("[0-99999999999999999999]x[1-18446744073709551615]", why));
    EXPECT_EQ(expand_globs("[1-1000][1-1000]", why)->size(), max_globbed_urls);
}

TEST(Glob, PartsInFileNames) {
    EXPECT_EQ(fill_in_parts("#1-#2.txt", {"a", "b"}), "a-b.txt");
    EXPECT_EQ(fill_in_parts("#3 # #0 #12", {"a"}), "#3 # #0 #12");
}

}  // namespace
}  // namespace tandem::apps
