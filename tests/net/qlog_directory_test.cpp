// Logs in files: names, permissions, caps; and the line about a connection.
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <tandem/net/connection_summary.hpp>
#include <tandem/net/qlog_directory.hpp>

#include "temporary_directory.hpp"

namespace tandem::net {
namespace {

using tandem::test::temporary_directory;
using namespace std::chrono_literals;

TEST(QlogDirectory, OneFileForEachLogForItsOwnerOnly) {
    temporary_directory dir;
    std::string why;
    const auto path = dir.str() + "/logs";
    const auto store = qlog_directory::open(path, why);
    ASSERT_TRUE(store) << why;
    store->open("a_client")->write("one");
    {
        const auto first = store->open("a_client");  // the name is taken
        const auto second = store->open("a_client");
        first->write("two");
        second->write("three");
    }
    EXPECT_EQ(dir.read("logs/a_client.sqlog"), "one");
    EXPECT_EQ(dir.read("logs/a_client-2.sqlog"), "two");
    EXPECT_EQ(dir.read("logs/a_client-3.sqlog"), "three");
    struct stat s {};
    ASSERT_EQ(::stat((path + "/a_client.sqlog").c_str(), &s), 0);
    EXPECT_EQ(s.st_mode & 0777, 0600u);
    const auto clock = store->wall_clock();  // 2026-01-31T12:34:56.789Z
    EXPECT_EQ(clock.size(), 24u);
    EXPECT_EQ(clock[10], 'T');
    EXPECT_EQ(clock.back(), 'Z');
}

TEST(QlogDirectory, PeersCannotFillTheDisk) {
    temporary_directory dir;
    std::string why;
    const auto store = qlog_directory::open(dir.str(), why, {.bytes = 100'000, .files = 3});
    ASSERT_TRUE(store);
    const std::string record(1000, 'x');
    {
        const auto first = store->open("a"), second = store->open("b");
        for (int i = 0; i < 200; ++i) {
            first->write(record);
            second->write(record);
        }
        EXPECT_EQ(store->open("c"), nullptr) << "no bytes are left";
    }
    EXPECT_EQ(dir.read("a.sqlog").size(), 50'000u);
    EXPECT_EQ(dir.read("b.sqlog").size(), 50'000u);
    const auto few = qlog_directory::open(dir.str(), why, {.files = 2});
    EXPECT_TRUE(few->open("d"));
    EXPECT_TRUE(few->open("e"));
    EXPECT_EQ(few->open("f"), nullptr);
}

TEST(QlogDirectory, SaysWhyItCannotBeUsed) {
    temporary_directory dir;
    dir.write("file", "");
    std::string why;
    EXPECT_FALSE(qlog_directory::open(dir.str() + "/file", why));
    EXPECT_NE(why.find("Not a directory"), std::string::npos) << why;
    EXPECT_FALSE(qlog_directory::open(dir.str() + "/missing/logs", why));
    EXPECT_NE(why.find("No such file"), std::string::npos) << why;
}

TEST(SummaryLine, SaysWhatLimited) {
    recovery::connection_statistics s;
    s.packets_sent = 12;
    s.bytes_sent = 9100;
    s.packets_received = 80;
    s.bytes_received = 101'000;
    s.packets_lost = 2;
    s.packets_spurious = 1;
    s.timeouts = 1;
    s.path.smoothed_rtt = 20100us;
    s.path.minimum_rtt = 20ms;
    s.path.congestion_window = 14600;
    s.limits.spent[static_cast<std::size_t>(recovery::limited_by::application)] = 1200ms;
    s.limits.spent[static_cast<std::size_t>(recovery::limited_by::congestion_window)] = 300ms;
    EXPECT_EQ(summary_line(s),
              "sent 12 packets (9.1 kB), received 80 (101.0 kB), 2 lost (1 by mistake), 1 timeout; RTT 20.1 ms (least 20.0), "
              "window 14600 bytes; limited by application 80% (1200 ms), congestion window 20% (300 ms)");
}

}  // namespace
}  // namespace tandem::net
