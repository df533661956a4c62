#include <gtest/gtest.h>

#include <tandem/http/error.hpp>
#include <tandem/http/message.hpp>

namespace tandem::http {
namespace {

TEST(fields, keep_order_and_lower_names) {
    fields list{{"Accept", "a"}, {"X-One", "1"}, {"ACCEPT", "b"}};
    EXPECT_EQ(list.find("accept"), "a");
    EXPECT_EQ(list.joined("accept"), "a, b");
    EXPECT_EQ(list.count("accept"), 2u);
    EXPECT_FALSE(list.find("Accept"));  // names are asked for in lower case
    list.set("Accept", "c");
    EXPECT_EQ(list.joined("accept"), "c");
    EXPECT_EQ(list.erase("x-one"), 1u);
    EXPECT_EQ(list.size(), 1u);
    EXPECT_EQ(list.joined("none"), "");
}

TEST(fields, may_be_given_their_own_text) {
    fields f{{"a", std::string(300, 'x')}};
    for (int i = 0; i < 8; ++i) f.append("b", *f.find("a"));  // moves all of it now and then
    f.set("c", *f.find("a"));
    f.set("a", *f.find("a"));
    EXPECT_EQ(f.count("b"), 8u);
    for (const auto line : f) EXPECT_EQ(line.value, std::string(300, 'x'));
}

TEST(fields, lines_go_and_the_others_stay) {
    fields f{{"a", "1"}, {"b", "2"}, {"a", "3"}, {"c", ""}, {"a", "4"}};
    const auto copy = f;
    EXPECT_EQ(f.erase("a"), 3u);
    EXPECT_EQ(f, (fields{{"b", "2"}, {"c", ""}}));
    EXPECT_EQ(f.erase("a"), 0u);
    EXPECT_EQ(copy.joined("a"), "1, 3, 4");
    auto moved = std::move(f);
    EXPECT_TRUE(f.empty());
    EXPECT_EQ(f.begin(), f.end());
    EXPECT_EQ(moved.size(), 2u);
    f = moved;
    f.append("d", "5");
    EXPECT_FALSE(moved.contains("d"));
    EXPECT_NE(f, moved);
}

TEST(message, tokens_and_values) {
    EXPECT_TRUE(is_token("GET"));
    EXPECT_TRUE(is_token("!#$%&'*+-.^_`|~09azAZ"));
    for (auto bad : {"", "a b", "a:b", "a\t", "a\"", "(a)", "\x80"}) EXPECT_FALSE(is_token(bad)) << bad;
    EXPECT_FALSE(is_lower_token("Accept"));
    EXPECT_TRUE(is_field_value(""));
    EXPECT_TRUE(is_field_value("a b\tc \xe4"));
    for (std::string_view bad : {std::string_view(" a"), std::string_view("a "), std::string_view("a\r\nb"),
                                 std::string_view("a\nb"), std::string_view("a\0b", 3), std::string_view("a\x7f")}) {
        EXPECT_FALSE(is_field_value(bad)) << bad;
    }
}

TEST(message, values_are_looked_through_to_their_end) {
    for (std::size_t size = 3; size < 40; ++size) {
        for (std::size_t at = 1; at + 1 < size; ++at) {
            const auto with = [&](char c) {
                std::string text(size, 'x');
                text[at] = c;
                return text;
            };
            for (const char good : {'\t', ' ', '~', '\x80', '\xff', '!'})
                EXPECT_TRUE(is_field_value(with(good))) << size << ' ' << at;
            for (const char bad : {'\0', '\r', '\n', '\x1f', '\x7f', '\x01'})
                EXPECT_FALSE(is_field_value(with(bad))) << size << ' ' << at;
        }
    }
}

TEST(message, authorities_and_paths) {
    for (auto good : {"localhost", "example.org:443", "[::1]:80", "a-b.c"}) EXPECT_TRUE(is_authority(good)) << good;
    for (auto bad : {"", "a b", "user@host", "host/path", "a?b", "a#b", "a\r\n", "a,b"}) EXPECT_FALSE(is_authority(bad)) << bad;
    for (auto good : {"/", "/a?b=c", "*", "//"}) EXPECT_TRUE(is_path(good)) << good;
    for (auto bad : {"", "a", "/a b", "/a#b", "/\n", "http://a/"}) EXPECT_FALSE(is_path(bad)) << bad;
}

TEST(message, says_what_cannot_be_sent) {
    request good{.authority = "a"};
    EXPECT_EQ(invalid_reason(good), "");
    auto check = [&](auto change) {
        request bad = good;
        change(bad);
        EXPECT_NE(invalid_reason(bad), "");
    };
    check([](request& r) { r.method = "GET /"; });
    check([](request& r) { r.method = "CONNECT"; });
    check([](request& r) { r.authority = ""; });
    check([](request& r) { r.path = "/a b"; });
    check([](request& r) { r.path = "*"; });
    check([](request& r) { r.scheme = "ftp"; });
    check([](request& r) { r.fields.append("x", "a\r\ny: b"); });  // header injection
    check([](request& r) { r.fields.append("x y", "a"); });
    check([](request& r) { r.fields.append("transfer-encoding", "chunked"); });
    check([](request& r) { r.fields.append("host", "b"); });
    EXPECT_EQ(invalid_reason(response{}), "");
    EXPECT_NE(invalid_reason(response{.status = 100}), "");
    EXPECT_NE(invalid_reason(response{.status = 600}), "");
    EXPECT_NE(invalid_reason(response{200, {{"connection", "close"}}}), "");
}

TEST(message, which_responses_have_bodies) {
    EXPECT_TRUE(response_has_body("GET", 200));
    EXPECT_TRUE(response_has_body("GET", 404));
    EXPECT_FALSE(response_has_body("HEAD", 200));
    EXPECT_FALSE(response_has_body("GET", 204));
    EXPECT_FALSE(response_has_body("GET", 304));
    EXPECT_FALSE(response_has_body("GET", 100));
}

TEST(message, content_lengths) {
    EXPECT_EQ(parse_content_length("0"), 0u);
    EXPECT_EQ(parse_content_length("12"), 12u);
    EXPECT_EQ(parse_content_length("5, 5"), 5u);
    EXPECT_EQ(parse_content_length("9223372036854775807"), 9223372036854775807u);
    for (auto bad : {"", "+5", "-1", "5 5", "5,6", "0x5", "5,", "9223372036854775808", "18446744073709551617"}) {
        EXPECT_FALSE(parse_content_length(bad)) << bad;
    }
}

TEST(error, names) {
    EXPECT_EQ(h3_error_name(0x10c), "H3_REQUEST_CANCELLED");
    EXPECT_EQ(h3_error_name(0x202), "QPACK_DECODER_STREAM_ERROR");
    EXPECT_EQ(h3_error_name(0x4242), "0x4242");
}

}  // namespace
}  // namespace tandem::http
