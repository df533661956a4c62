#include "access_log.hpp"

#include <gtest/gtest.h>

namespace tandem::apps {
namespace {

class AccessLog : public testing::Test {
protected:
    http::request asked{.method = "GET", .authority = "h\"", .path = "/a\"b\\\xff"};
    net::access_record record{
        {{ip_address::v4(192, 0, 2, 1), 7}, "HTTP/3"}, asked, 200, 42, std::chrono::microseconds(1500), true};
};

TEST_F(AccessLog, Plain) {
    EXPECT_EQ(plain_line(record), "192.0.2.1:7 \"GET /a\\x22b\\x5C\\xFF HTTP/3\" 200 42 1.5 ms");
    record.bytes.reset();
    record.complete = false;
    EXPECT_EQ(plain_line(record), "192.0.2.1:7 \"GET /a\\x22b\\x5C\\xFF HTTP/3\" 200 - 1.5 ms (incomplete)");
}

TEST_F(AccessLog, Combined) {
    EXPECT_EQ(combined_line(record, 971211336),
              "192.0.2.1 - - [10/Oct/2000:20:55:36 +0000] \"GET /a\\x22b\\x5C\\xFF HTTP/3\" 200 42 \"-\" \"-\"");
    asked.fields = {{"referer", "https://x/"}, {"user-agent", "a \"b\""}};
    EXPECT_TRUE(combined_line(record, 0).ends_with(" 42 \"https://x/\" \"a \\x22b\\x22\""));
}

TEST_F(AccessLog, Json) {
    EXPECT_EQ(json_line(record, 971211336),
              "{\"time\": \"2000-10-10T20:55:36Z\", \"remote\": \"192.0.2.1:7\", \"protocol\": \"HTTP/3\", \"method\": \"GET\", "
              "\"authority\": \"h\\u0022\", \"path\": \"/a\\u0022b\\u005c\\u00ff\", \"status\": 200, \"bytes\": 42, \"ms\": 1.5, "
              "\"complete\": true, \"referer\": \"\", \"user_agent\": \"\"}");
}

}  // namespace
}  // namespace tandem::apps
