#include <gtest/gtest.h>

#include <tandem/bytes/random.hpp>
#include <tandem/http/https_query.hpp>

#include "../hex.hpp"
#include "../seed.hpp"

namespace tandem::http {
namespace {

using test::from_hex;

constexpr std::uint16_t id = 0x1234;
const std::string question = "07 6578616d706c65 03 636f6d 00 0041 0001";  // example.com HTTPS IN, at 12; "com" at 20
const std::string service = "0001 00 0001 0003 02 6833";                  // 1 . alpn=h3

std::string number(std::size_t n) {
    return test::to_hex(std::vector<std::uint8_t>{static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)});
}
std::string record(const std::string& owner, const std::string& type, const std::string& data) {
    return owner + type + "0001 0000003c" + number(from_hex(data).size()) + data;
}
std::string message(const std::vector<std::string>& records, const std::string& flags = "8180") {
    auto text = "1234" + flags + "0001" + number(records.size()) + "0000 0000" + question;
    for (const auto& r : records) text += r;
    return text;
}
https_answer answer(const std::string& hex) { return parse_https_answer(from_hex(hex), id, "example.com"); }

TEST(https_query, is_a_question_with_edns) {
    EXPECT_EQ(make_https_query(id, "example.com"),
              from_hex("1234 0100 0001 0000 0000 0001" + question + "00 0029 04d0 00000000 0000"));
    EXPECT_EQ(https_record_name("Example.COM.", 443), "example.com");
    EXPECT_EQ(https_record_name("example.com", 8443), "_8443._https.example.com");
    for (const auto& wrong : {std::string(), std::string("a..b"), std::string(".a"), std::string(64, 'a'),
                              std::string("a.") + std::string(64, 'b')}) {
        EXPECT_TRUE(make_https_query(id, wrong).empty()) << wrong;
    }
    std::string longest =
        std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." + std::string(61, 'd');
    EXPECT_FALSE(make_https_query(id, longest).empty());
    EXPECT_TRUE(make_https_query(id, longest + "d").empty());
}

TEST(https_query, records_of_the_name) {
    const auto got = answer(message({record("c00c", "0041", service), record("c00c", "0041",
                                                                             "0002"
                                                                             "03616c7400")}));
    EXPECT_EQ(got.kind, answer_kind::answered);
    EXPECT_EQ(got.owner, "example.com");
    ASSERT_EQ(got.records.size(), 2u);
    EXPECT_TRUE(got.records[0].offers("h3"));
    EXPECT_EQ(got.records[1].target, "alt");
    EXPECT_TRUE(answer(message({})).records.empty());
    EXPECT_EQ(answer(message({}, "8183")).kind, answer_kind::answered);                // no such name
    EXPECT_EQ(answer(message({record("c014", "0041", service)})).records.size(), 0u);  // of "com"
}

TEST(https_query, aliases_are_followed_in_any_order) {
    const std::string cdn = "03 63646e c014";  // cdn.com
    auto got =
        answer(message({record("03636e64 00", "0041", service), record(cdn, "0041", service), record("c00c", "0005", cdn)}));
    EXPECT_EQ(got.owner, "cdn.com");
    EXPECT_EQ(got.records.size(), 1u);
    got = answer(message({record("c00c", "0005", cdn)}));
    EXPECT_EQ(got.owner, "cdn.com");
    EXPECT_EQ(answer(message({record("c00c", "0005", cdn), record(cdn, "0005", "c00c")})).kind,
              answer_kind::refused);  // a circle
    std::vector<std::string> chain;
    std::string from = "c00c";
    for (char c = 'a'; c < 'a' + 9; ++c) {
        const auto to = "01" + test::to_hex(std::vector<std::uint8_t>{static_cast<std::uint8_t>(c)}) + "00";
        chain.push_back(record(from, "0005", to));
        from = to;
    }
    EXPECT_EQ(answer(message(chain)).kind, answer_kind::refused);
    chain.pop_back();
    EXPECT_EQ(answer(message(chain)).owner, "h");
}

TEST(https_query, one_malformed_record_spoils_them_all) {  // RFC 9460 2.2
    const auto got = answer(message({record("c00c", "0041", service), record("c00c", "0041", "0001 00 0003 0001 35")}));
    EXPECT_EQ(got.kind, answer_kind::answered);
    EXPECT_TRUE(got.records.empty());
}

TEST(https_query, what_a_server_cannot_do) {
    for (const auto* code : {"8181", "8182", "8184", "8185"})
        EXPECT_EQ(answer(message({}, code)).kind, answer_kind::refused) << code;
    EXPECT_EQ(answer(message({record("c00c", "0041", service)}, "8380")).kind, answer_kind::truncated);
    EXPECT_EQ(answer(message({record("c00c", "0041", service)}).substr(0, 90)).kind, answer_kind::refused);  // ends too early
}

// An answer that somebody else made up must show that he saw the question.
TEST(https_query, answers_to_other_questions) {
    const auto good = message({record("c00c", "0041", service)});
    ASSERT_EQ(answer(good).kind, answer_kind::answered);
    auto with = [&](std::size_t at, const std::string& hex) {
        auto bytes = from_hex(good);
        const auto change = from_hex(hex);
        std::copy(change.begin(), change.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
        return parse_https_answer(bytes, id, "example.com").kind;
    };
    EXPECT_EQ(with(0, "1235"), answer_kind::foreign);  // another ID
    EXPECT_EQ(with(2, "0180"), answer_kind::foreign);  // a question
    EXPECT_EQ(with(2, "8980"), answer_kind::foreign);  // another operation
    EXPECT_EQ(with(4, "0000"), answer_kind::foreign);  // without the question
    EXPECT_EQ(with(4, "0002"), answer_kind::foreign);
    EXPECT_EQ(with(13, "66"), answer_kind::foreign);    // another name
    EXPECT_EQ(with(13, "45"), answer_kind::answered);   // "Example.com"
    EXPECT_EQ(with(25, "0001"), answer_kind::foreign);  // another type
    EXPECT_EQ(with(27, "0003"), answer_kind::foreign);  // another class
    const auto whole = from_hex(good);
    for (std::size_t size = 0; size < 29; ++size) {
        EXPECT_EQ(parse_https_answer(std::span(whole).first(size), id, "example.com").kind, answer_kind::foreign);
    }
}

TEST(https_query, names_that_point_at_themselves) {
    for (const auto* owner : {"c01d", "c01e", "c0ff", "ffff", "03 616263 c01d", "40", "80"}) {  // 29 is where the answer begins
        EXPECT_EQ(answer(message({record(owner, "0041", service)})).kind, answer_kind::refused) << owner;
    }
}

TEST(https_query, many_records_cost_little) {
    std::vector<std::string> many(1000, record("c00c", "0041", service));
    EXPECT_EQ(answer(message(many)).records.size(), max_answer_records);
}

TEST(https_query, survives_any_bytes) {
    random_source random(test::seed());
    const std::string cdn = "03 63646e c014";
    const auto good = from_hex(message(
        {record("c00c", "0005", cdn), record(cdn, "0041", service), record(cdn, "0041", "0002 03616c7400 0003 0002 01bb")}));
    std::size_t accepted = 0;
    for (int i = 0; i < 20'000; ++i) {
        auto bytes = good;
        for (auto n = random.below(4); n > 0; --n)
            bytes[29 + random.below(bytes.size() - 29)] = static_cast<std::uint8_t>(random());
        bytes.resize(random.below(8) == 0 ? random.below(bytes.size()) : bytes.size());
        const auto got = parse_https_answer(bytes, id, "example.com");
        accepted += got.records.size();
        EXPECT_LE(got.owner.size(), 253u);
    }
    EXPECT_GT(accepted, 1000u);
}

}  // namespace
}  // namespace tandem::http
