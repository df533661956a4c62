#include "apps/output_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "net/temporary_directory.hpp"

namespace tandem::apps {
namespace {

class OutputFile : public testing::Test {
protected:
    static bool put(output_file& f, const std::string& text) {
        std::string why;
        return f.write({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, why);
    }
    std::size_t files() const {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(dir.path()), std::filesystem::directory_iterator()));
    }
    std::string path(const std::string& name) const { return (dir.path() / name).string(); }

    test::temporary_directory dir;
    std::string why;
};

TEST_F(OutputFile, AppearsWhenItIsWhole) {
    output_file f;
    ASSERT_TRUE(f.open(path("a"), false, why)) << why;
    ASSERT_TRUE(put(f, "hello"));
    EXPECT_FALSE(std::filesystem::exists(path("a")));
    ASSERT_TRUE(f.finish(why)) << why;
    EXPECT_EQ(dir.read("a"), "hello");
    EXPECT_EQ(files(), 1U);
}

TEST_F(OutputFile, KeepsTheOldOneUntilThen) {
    dir.write("a", "old");
    {
        output_file f;
        ASSERT_TRUE(f.open(path("a"), false, why));
        put(f, "half");
        EXPECT_EQ(dir.read("a"), "old");
    }
    EXPECT_EQ(dir.read("a"), "old");
    EXPECT_EQ(files(), 1U);
}

TEST_F(OutputFile, HasTheUsualMode) {
    auto mask = ::umask(027);
    output_file f;
    ASSERT_TRUE(f.open(path("a"), false, why));
    ASSERT_TRUE(f.finish(why));
    ::umask(mask);
    struct stat status {};
    ASSERT_EQ(::stat(path("a").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0640U);
}

TEST_F(OutputFile, DirectoriesAreMadeOnRequest) {
    output_file f, g;
    EXPECT_FALSE(f.open(path("x/y/a"), false, why));
    EXPECT_NE(why.find("x/y/a"), std::string::npos) << why;
    ASSERT_TRUE(g.open(path("x/y/a"), true, why)) << why;
    ASSERT_TRUE(g.finish(why));
    EXPECT_TRUE(std::filesystem::exists(path("x/y/a")));
}

TEST_F(OutputFile, DevicesAreWrittenDirectly) {
    output_file f;
    ASSERT_TRUE(f.open("/dev/null", false, why));
    EXPECT_TRUE(put(f, "x"));
    EXPECT_TRUE(f.finish(why));
    output_file full;
    ASSERT_TRUE(full.open("/dev/full", false, why));
    EXPECT_FALSE(put(full, "x"));
    struct stat status {};
    ASSERT_EQ(::stat("/dev/full", &status), 0);
    EXPECT_TRUE(S_ISCHR(status.st_mode));
}

TEST_F(OutputFile, NamesFromUrlsAreHarmless) {
    EXPECT_EQ(safe_file_name("a%20b.txt"), "a b.txt");
    EXPECT_EQ(safe_file_name("..%2f..%2fetc"), ".._.._etc");
    EXPECT_EQ(safe_file_name("%2e%2e"), "");
    EXPECT_EQ(safe_file_name("."), "");
    EXPECT_EQ(safe_file_name("a%00b%0a"), "a_b_");
}

}  // namespace
}  // namespace tandem::apps
