// The file format: records, times, strings, the cap on its size.
#include <gtest/gtest.h>

#include <tandem/bytes/json_text.hpp>

#include "allocation_counter.hpp"
#include "log_reader.hpp"

namespace tandem::qlog::test {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{5s};

log_header header() {
    return {.title = "a test", .vantage_point = "client", .group_id = "0102", .event_schema = "urn:x", .wall_clock = {}};
}

TEST(json_text, writes_what_was_told) {
    json_text t;
    t.begin_object().field("n", std::uint64_t{18446744073709551615U}).field("b", true).field("s", "x");
    t.begin_array("list").element(std::uint64_t{1}).element("two").begin_object().end_object().end_array();
    t.milliseconds("ms", 1500us).milliseconds("whole", 3s).milliseconds("small", duration(1)).milliseconds("back", -1ms);
    t.hex("h", std::vector<std::uint8_t>{0, 0xab}).end_object();
    EXPECT_EQ(t.text(),
              "{\"n\":18446744073709551615,\"b\":true,\"s\":\"x\",\"list\":[1,\"two\",{}],"
              "\"ms\":1.5,\"whole\":3000,\"small\":0.000001,\"back\":-1,\"h\":\"00ab\"}");
}

TEST(json_text, whatever_a_peer_sent_is_valid_json) {
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    for (const std::string& text :
         {all, std::string("gr\xc3\xbc\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x98\x80"), std::string("\xed\xa0\x80"),
          std::string("\xc0\x80"), std::string("\xf4\x90\x80\x80"), std::string("\xe2\x82")}) {
        json_text t;
        t.begin_object().field("s", text).end_object();
        boost::json::error_code error;
        const auto value = boost::json::parse(t.text(), error);
        EXPECT_FALSE(error) << t.text();
    }
    json_text t;
    t.begin_object().field("s", "gr\xc3\xbc\xc3\x9f\x65").end_object();
    EXPECT_EQ(t.text(), "{\"s\":\"gr\xc3\xbc\xc3\x9f\x65\"}");
}

TEST(qlog, is_a_sequence_of_records_with_times_since_the_start) {
    memory_store store;
    {
        log l(store.open("x_client"), header(), start);
        l.begin(start + 1500us, "loglevel:warning").field("message", "hm");
        l.end();
        EXPECT_EQ(l.size(), store.logs["x_client"].size());
    }
    const auto read_back = read(store.of("_client"));
    ASSERT_EQ(read_back.events.size(), 1u);
    EXPECT_EQ(read_back.events[0].time, 1.5);
    const auto& trace = read_back.header.at("trace").as_object();
    EXPECT_EQ(trace.at("common_fields").at("group_id"), "0102");
    EXPECT_EQ(trace.at("vantage_point").at("type"), "client");
    // The first 256 bytes say what the file is (main schema 3).
    EXPECT_LT(store.of("_client").find("application/qlog+json-seq"), 256u);
}

TEST(qlog, ends_at_its_largest_size_and_says_so) {
    memory_store store;
    constexpr std::uint64_t limit = 20'000;
    log l(store.open("x_client"), header(), start, limit);
    for (int i = 0; i < 1000; ++i) {
        l.begin(start + i * 1ms, "loglevel:warning").field("message", "something that takes room, again and again");
        l.end();
    }
    EXPECT_FALSE(l.open());
    EXPECT_LE(l.size(), limit);
    EXPECT_GT(l.size(), limit - 1000);
    EXPECT_EQ(l.size(), store.of("_client").size());
    const auto read_back = read(store.of("_client"));
    EXPECT_EQ(read_back.events.back().data.at("message"), "the log ends here: it has reached its largest size");
    EXPECT_GT(read_back.events.size(), 100u);
}

class counting_sink final : public sink {
public:
    explicit counting_sink(std::size_t& bytes) : bytes_(bytes) {}
    void write(std::string_view records) override { bytes_ += records.size(); }

private:
    std::size_t& bytes_;
};

TEST(qlog, records_after_the_first_allocate_nothing) {
    std::size_t bytes = 0;
    log l(std::make_unique<counting_sink>(bytes), header(), start);
    const auto tell = [&] {
        l.begin(start, "loglevel:warning").field("message", "a record of some length").field("code", 12U);
        l.end();
    };
    tell();
    const auto before = tandem::test::allocations();
    for (int i = 0; i < 100; ++i) tell();
    EXPECT_EQ(tandem::test::allocations(), before);
}

}  // namespace
}  // namespace tandem::qlog::test
