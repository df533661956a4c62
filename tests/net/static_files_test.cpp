#include <tandem/net/static_files.hpp>

#include <chrono>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tandem/http/date.hpp>
#include <tandem/net/beneath.hpp>
#include <tandem/net/directory_page.hpp>
#include <tandem/net/mime_types.hpp>

#include "net/temporary_directory.hpp"

namespace tandem::net {
namespace {

constexpr std::int64_t now = 2'000'000'000;

class StaticFiles : public testing::Test {
protected:
    StaticFiles() {
        root.write("hello.txt", "Hello, world");
        root.write("sub/page.html", "<p>page</p>");
        root.write("indexed/index.html", "<p>index</p>");
        root.write("with space/a&b.txt", "odd");
        outside.write("secret.txt", "secret");
        boost::system::error_code error;
        files = static_files::open(root.str(), {}, error);
        EXPECT_FALSE(error);
    }

    http_answer ask(const std::string& path, const http::fields& fields = {}, const std::string& method = "GET") {
        http::request request;
        request.method = method;
        request.path = path;
        request.fields = fields;
        return files->respond(request, now);
    }
    static std::string text(http_answer& answer) {
        std::string out;
        std::array<std::uint8_t, 5> buffer;  // small, so that a file takes several reads
        while (answer.body) {
            auto r = answer.body->read(buffer);
            out.append(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(r.n));
            EXPECT_FALSE(r.failed);
            if (r.end || r.failed) break;
        }
        return out;
    }
    static std::string field(const http_answer& answer, std::string_view name) {
        return std::string(answer.head.fields.find(name).value_or("(none)"));
    }

    test::temporary_directory root, outside;
    std::unique_ptr<static_files> files;
};

TEST_F(StaticFiles, ServesAFile) {
    auto answer = ask("/hello.txt?query=ignored");
    EXPECT_EQ(answer.head.status, 200);
    EXPECT_EQ(field(answer, "content-type"), "text/plain; charset=utf-8");
    EXPECT_EQ(field(answer, "accept-ranges"), "bytes");
    EXPECT_EQ(answer.body->content_length(), 12U);
    EXPECT_EQ(text(answer), "Hello, world");
}

TEST_F(StaticFiles, DecodesThePath) {
    auto answer = ask("/with%20space/a%26b.txt");
    EXPECT_EQ(answer.head.status, 200);
    EXPECT_EQ(text(answer), "odd");
}

TEST_F(StaticFiles, RefusesOtherMethods) {
    for (auto method : {"POST", "PUT", "DELETE", "TRACE"}) {
        auto answer = ask("/hello.txt", {}, method);
        EXPECT_EQ(answer.head.status, 405) << method;
        EXPECT_EQ(field(answer, "allow"), "GET, HEAD, OPTIONS");
    }
    for (auto path : {"/hello.txt", "/nothing", "*"}) {
        auto answer = ask(path, {}, "OPTIONS");
        EXPECT_EQ(answer.head.status, 204);
        EXPECT_EQ(field(answer, "allow"), "GET, HEAD, OPTIONS");
    }
}

TEST_F(StaticFiles, HeadHasTheLengthOfGet) {
    auto answer = ask("/hello.txt", {}, "HEAD");
    EXPECT_EQ(answer.head.status, 200);
    EXPECT_EQ(answer.body->content_length(), 12U);
}

TEST_F(StaticFiles, MissingFiles) {
    EXPECT_EQ(ask("/nothing").head.status, 404);
    EXPECT_EQ(ask("/hello.txt/").head.status, 404);
    EXPECT_EQ(ask("/hello.txt/more").head.status, 404);
    EXPECT_EQ(ask("/" + std::string(300, 'x')).head.status, 414);
}

TEST_F(StaticFiles, HiddenFilesAreNotThereUnlessWanted) {
    root.write(".git/config", "secret");
    root.write("sub/.htpasswd", "secret");
    root.write(".well-known/security.txt", "contact");
    root.write(".well-known/.more", "secret");
    for (bool hidden : {false, true}) {
        boost::system::error_code error;
        static_files_options options;
        options.hidden = hidden;
        files = static_files::open(root.str(), options, error);
        for (auto path : {"/.git/config", "/.git/", "/%2egit/config", "/sub/.htpasswd", "//.git/config", "/./.git/config",
                          "/.well-known/.more"}) {
            EXPECT_EQ(ask(path).head.status, hidden ? 200 : 404) << path;
        }
        EXPECT_EQ(ask("/.well-known/security.txt").head.status, 200);
    }
}

TEST_F(StaticFiles, AFileMayStandForAllThatAreMissing) {
    boost::system::error_code error;
    static_files_options options;
    options.fallback = "indexed/index.html";
    files = static_files::open(root.str(), options, error);
    for (auto path : {"/nothing", "/some/route?q", "/hello.txt/", "/.hidden"}) {
        auto answer = ask(path);
        EXPECT_EQ(answer.head.status, 200) << path;
        EXPECT_EQ(field(answer, "content-type"), "text/html; charset=utf-8");
        EXPECT_EQ(text(answer), "<p>index</p>");
    }
    EXPECT_EQ(ask("/%zz").head.status, 400);
    EXPECT_EQ(ask("/nothing", {}, "POST").head.status, 405);
    options.fallback = "not-there.html";
    files = static_files::open(root.str(), options, error);
    EXPECT_EQ(ask("/nothing").head.status, 404);
}

TEST_F(StaticFiles, PathsDoNotLeaveTheDirectory) {
    auto name = outside.path().filename().string();
    for (const std::string& path : std::vector<std::string>{
             "/../" + name + "/secret.txt", "/sub/../../" + name + "/secret.txt", "/%2e%2e/" + name + "/secret.txt",
             "/..%2f" + name + "/secret.txt", "/sub/..", "/%00", "/hello.txt%00.html", "/%zz", "/%2", "hello.txt", "*", ""}) {
        EXPECT_EQ(ask(path).head.status, 400) << path;
    }
    EXPECT_EQ(ask("//" + outside.str() + "/secret.txt").head.status, 404);
}

TEST_F(StaticFiles, LinksOutOfTheDirectoryAreRefusedAndLinksWithinAreFollowed) {
    std::filesystem::create_symlink(outside.path() / "secret.txt", root.path() / "absolute");
    std::filesystem::create_symlink("../" + outside.path().filename().string(), root.path() / "relative");
    std::filesystem::create_symlink("hello.txt", root.path() / "within");
    EXPECT_EQ(ask("/absolute").head.status, 403);
    EXPECT_EQ(ask("/relative/secret.txt").head.status, 403);
    auto answer = ask("/within");
    EXPECT_EQ(answer.head.status, 200);
    EXPECT_EQ(text(answer), "Hello, world");
}

TEST_F(StaticFiles, OnlyRegularFilesAreServedAndAFifoDoesNotBlock) {
    ASSERT_EQ(::mkfifo((root.path() / "fifo").c_str(), 0600), 0);
    EXPECT_EQ(ask("/fifo").head.status, 404);
}

TEST_F(StaticFiles, DirectoriesRedirectToTheirSlash) {
    EXPECT_EQ(field(ask("/sub"), "location"), "/sub/");
    EXPECT_EQ(ask("/sub").head.status, 301);
    EXPECT_EQ(field(ask("//with%20space"), "location"), "/with%20space/");  // never "//host"
}

TEST_F(StaticFiles, IndexPageStandsForItsDirectory) {
    auto answer = ask("/indexed/");
    EXPECT_EQ(field(answer, "content-type"), "text/html; charset=utf-8");
    EXPECT_EQ(text(answer), "<p>index</p>");
}

TEST_F(StaticFiles, ListingShowsAndEscapesNames) {
    root.write("list/<b>&\"x'.txt", "1");
    root.write("list/.hidden", "1");
    root.write("list/deeper/file", "1");
    auto answer = ask("/list/");
    auto page = text(answer);
    EXPECT_EQ(answer.head.status, 200);
    EXPECT_NE(page.find("&lt;b&gt;&amp;&quot;x&#39;.txt"), std::string::npos);
    EXPECT_NE(page.find("href=\"./%3Cb%3E%26%22x%27.txt\""), std::string::npos);
    EXPECT_NE(page.find("href=\"./deeper/\""), std::string::npos);
    EXPECT_EQ(page.find("<b>"), std::string::npos);
    EXPECT_EQ(page.find(".hidden"), std::string::npos);
}

TEST_F(StaticFiles, ListingsCanBeOff) {
    boost::system::error_code error;
    files = static_files::open(root.str(), {false}, error);
    EXPECT_EQ(ask("/sub/").head.status, 403);
    EXPECT_EQ(ask("/indexed/").head.status, 200);
}

TEST_F(StaticFiles, Ranges) {
    auto part = ask("/hello.txt", {{"range", "bytes=7-11"}});
    EXPECT_EQ(part.head.status, 206);
    EXPECT_EQ(field(part, "content-range"), "bytes 7-11/12");
    EXPECT_EQ(text(part), "world");
    auto suffix = ask("/hello.txt", {{"range", "bytes=-5"}});
    EXPECT_EQ(text(suffix), "world");
    auto beyond = ask("/hello.txt", {{"range", "bytes=12-"}});
    EXPECT_EQ(beyond.head.status, 416);
    EXPECT_EQ(field(beyond, "content-range"), "bytes */12");
    EXPECT_EQ(ask("/hello.txt", {{"range", "bytes=0-1,3-4"}}).head.status, 200);
    EXPECT_EQ(ask("/hello.txt", {{"range", "bytes=0-1"}}, "HEAD").head.status, 200);
}

TEST_F(StaticFiles, ConditionalRequests) {
    auto answer = ask("/hello.txt");
    auto etag = field(answer, "etag"), modified = field(answer, "last-modified");
    auto time = *http::parse_date(modified, now);
    auto status = [&](const http::fields& fields) { return ask("/hello.txt", fields).head.status; };
    EXPECT_EQ(status({{"if-none-match", etag}}), 304);
    EXPECT_EQ(status({{"if-none-match", "\"other\", W/" + etag}}), 304);
    EXPECT_EQ(status({{"if-none-match", "*"}}), 304);
    EXPECT_EQ(status({{"if-none-match", "\"other\""}}), 200);
    EXPECT_EQ(status({{"if-none-match", "\"other\""}, {"if-modified-since", modified}}), 200);  // the tag decides
    EXPECT_EQ(status({{"if-modified-since", modified}}), 304);
    EXPECT_EQ(status({{"if-modified-since", http::format_date(time - 1)}}), 200);
    EXPECT_EQ(status({{"if-modified-since", "nonsense"}}), 200);
    EXPECT_EQ(status({{"if-match", etag}}), 200);
    EXPECT_EQ(status({{"if-match", "W/" + etag}}), 412);
    EXPECT_EQ(status({{"if-match", "\"other\""}}), 412);
    EXPECT_EQ(status({{"if-unmodified-since", http::format_date(time - 1)}}), 412);
    auto unchanged = ask("/hello.txt", {{"if-none-match", etag}});
    EXPECT_EQ(unchanged.body, nullptr);
    EXPECT_EQ(field(unchanged, "etag"), etag);
}

TEST_F(StaticFiles, RangeOfAnotherVersionGetsTheWholeFile) {
    auto answer = ask("/hello.txt");
    auto etag = field(answer, "etag"), modified = field(answer, "last-modified");
    auto status = [&](const std::string& condition) {
        return ask("/hello.txt", {{"range", "bytes=0-0"}, {"if-range", condition}}).head.status;
    };
    EXPECT_EQ(status(etag), 206);
    EXPECT_EQ(status("\"other\""), 200);
    EXPECT_EQ(status("W/" + etag), 200);
    EXPECT_EQ(status(modified), 206);  // modified long before `now`
    EXPECT_EQ(status(http::format_date(0)), 200);
}

TEST_F(StaticFiles, FileThatShrinksFailsItsBody) {
    root.write("large", std::string(detail::small_file_cache::largest + 1, 'x'));
    auto answer = ask("/large");
    ASSERT_EQ(::truncate((root.path() / "large").c_str(), 3), 0);
    std::array<std::uint8_t, 100> buffer;
    auto first = answer.body->read(buffer);
    EXPECT_EQ(first.n, 3U);
    EXPECT_FALSE(first.end);
    EXPECT_TRUE(answer.body->read(buffer).failed);
}

// The etag, and the text that goes with it.
TEST_F(StaticFiles, SmallFilesThatAreHeldFollowEveryChange) {
    const auto path = root.path() / "hello.txt";
    const auto seen = [&] {
        auto answer = ask("/hello.txt");
        return std::pair(field(answer, "etag"), text(answer));
    };
    const auto first = seen();
    EXPECT_EQ(first.second, "Hello, world");
    EXPECT_EQ(seen(), first);

    root.write("hello.txt", "HELLO, WORLD");  // in place, of the same size
    std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) + std::chrono::seconds(1));
    const auto second = seen();
    EXPECT_EQ(second.second, "HELLO, WORLD");
    EXPECT_NE(second.first, first.first);

    ASSERT_EQ(::truncate(path.c_str(), 5), 0);
    EXPECT_EQ(seen().second, "HELLO");

    root.write("new", "replaced");
    std::filesystem::rename(root.path() / "new", path);
    EXPECT_EQ(seen().second, "replaced");

    std::filesystem::remove(path);
    EXPECT_EQ(ask("/hello.txt").head.status, 404);

    outside.write("hello.txt", "replaced");
    std::filesystem::create_symlink(outside.path() / "hello.txt", path);
    EXPECT_EQ(ask("/hello.txt").head.status, 403);
}

TEST_F(StaticFiles, ContentsThatAreHeldAnswerConditionsAndRanges) {
    ask("/hello.txt");
    auto part = ask("/hello.txt", {{"range", "bytes=7-"}});
    EXPECT_EQ(part.head.status, 206);
    EXPECT_EQ(field(part, "content-range"), "bytes 7-11/12");
    EXPECT_EQ(text(part), "world");
    const auto etag = field(part, "etag");
    EXPECT_EQ(ask("/hello.txt", {{"if-none-match", etag}}).head.status, 304);
    EXPECT_EQ(ask("/hello.txt", {{"if-match", "\"other\""}}).head.status, 412);
    EXPECT_EQ(ask("/hello.txt", {{"range", "bytes=50-"}}).head.status, 416);
}

TEST_F(StaticFiles, IndexThatIsHeldGoesAwayWithItsDirectory) {
    auto page = ask("/indexed/");
    EXPECT_EQ(text(page), "<p>index</p>");
    auto again = ask("/indexed/");
    EXPECT_EQ(text(again), "<p>index</p>");
    EXPECT_EQ(ask("/indexed").head.status, 301);
    EXPECT_EQ(ask("/indexed/index.html/").head.status, 404);
    std::filesystem::remove_all(root.path() / "indexed");
    EXPECT_EQ(ask("/indexed/").head.status, 404);
}

class SmallFiles : public testing::Test {
protected:
    SmallFiles() : directory(::open(root.path().c_str(), O_PATH | O_DIRECTORY)) {}
    ~SmallFiles() override { ::close(directory); }
    detail::small_file_cache::file take(const std::string& name, std::int64_t at = now) {
        const int descriptor = ::openat(directory, name.c_str(), O_RDONLY);
        struct stat status {};
        ::fstat(descriptor, &status);
        auto out = cache.take(name, descriptor, status, at, [](const struct stat&) { return http::fields(); });
        ::close(descriptor);
        return out;
    }

    test::temporary_directory root;
    int directory;
    detail::small_file_cache cache;
};

TEST_F(SmallFiles, AreHeldForTheSecondInWhichTheyWereRead) {
    root.write("a", "text");
    const auto held = take("a");
    ASSERT_NE(held, nullptr);
    EXPECT_EQ(cache.find(directory, "a", now), held);
    EXPECT_EQ(cache.find(directory, "b", now), nullptr);
    EXPECT_EQ(cache.find(directory, "a", now + 1), nullptr);
}

// Another change could leave the same times.
TEST_F(SmallFiles, AreNotHeldWhileTheyAreFresh) {
    struct stat status {};
    ASSERT_EQ(::stat(root.write("a", "text").c_str(), &status), 0);
    const auto settled = status.st_ctim.tv_sec + detail::small_file_cache::settled_after;
    EXPECT_EQ(take("a", settled - 1), nullptr);
    EXPECT_NE(take("a", settled), nullptr);
}

TEST_F(SmallFiles, AreNotHeldWhenTheyAreLarge) {
    root.write("a", std::string(detail::small_file_cache::largest, 'a'));
    root.write("b", std::string(detail::small_file_cache::largest + 1, 'b'));
    EXPECT_NE(take("a"), nullptr);
    EXPECT_EQ(take("b"), nullptr);
}

TEST_F(SmallFiles, AreForgottenWhenTheirPermissionsChange) {
    const auto path = root.write("a", "text");
    ASSERT_NE(take("a"), nullptr);
    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
    EXPECT_EQ(cache.find(directory, "a", now), nullptr);
}

TEST_F(SmallFiles, TogetherHaveALimitAndTheOldMakeRoom) {
    constexpr auto most = detail::small_file_cache::most_bytes / detail::small_file_cache::largest;
    const auto name = [](std::size_t i) { return std::to_string(i); };
    for (std::size_t i = 0; i <= most; ++i) {
        root.write(name(i), std::string(detail::small_file_cache::largest, 'x'));
        EXPECT_NE(take(name(i)), nullptr);
    }
    EXPECT_NE(cache.find(directory, name(most - 1), now), nullptr);
    EXPECT_EQ(cache.find(directory, name(most), now), nullptr);
    EXPECT_NE(take(name(most), now + 1), nullptr);
    EXPECT_NE(cache.find(directory, name(most), now + 1), nullptr);
}

TEST_F(StaticFiles, UnreadableRootIsAnError) {
    boost::system::error_code error;
    EXPECT_EQ(static_files::open((root.path() / "nothing").string(), {}, error), nullptr);
    EXPECT_EQ(error, boost::system::errc::no_such_file_or_directory);
    EXPECT_EQ(static_files::open((root.path() / "hello.txt").string(), {}, error), nullptr);
    EXPECT_EQ(error, boost::system::errc::not_a_directory);
}

TEST(DirectoryPage, LongListingsAreCut) {
    auto page = directory_page("/many/", {{"one", false, 1, 0}}, true);
    EXPECT_NE(page.find("Only the first 10000 entries"), std::string::npos);
}

TEST(MimeTypes, ByExtension) {
    EXPECT_EQ(mime_type("a/b/INDEX.HTML"), "text/html; charset=utf-8");
    EXPECT_EQ(mime_type("x.7z"), "application/x-7z-compressed");
    EXPECT_EQ(mime_type("archive.tar.zst"), "application/zstd");
    EXPECT_EQ(mime_type("Makefile"), "application/octet-stream");
    EXPECT_EQ(mime_type("x.unknown"), "application/octet-stream");
}

TEST(RelativePath, SegmentsAreCleaned) {
    EXPECT_EQ(relative_path("/"), "");
    EXPECT_EQ(relative_path("/a//./b/?x=/.."), "a/b");
    EXPECT_EQ(relative_path("/...").value(), "...");
    EXPECT_FALSE(relative_path("a"));
}

}  // namespace
}  // namespace tandem::net
