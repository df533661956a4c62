#include <gtest/gtest.h>

#include <tandem/bytes/random.hpp>
#include <tandem/http/service_binding.hpp>

#include "../hex.hpp"
#include "../seed.hpp"

namespace tandem::http {
namespace {

using test::from_hex;

const ip_address four = ip_address::v4(192, 0, 2, 1), six = *ip_address::parse("2001:db8::1");
const std::string foo = "03666f6f076578616d706c6503636f6d00";  // foo.example.com

std::optional<service_binding> parsed(const std::string& hex) { return parse_service_binding(from_hex(hex)); }

// RFC 9460 appendix D: the vectors for the wire format.
TEST(service_binding, vectors_of_the_standard) {
    EXPECT_EQ(parsed("0000" + foo), (service_binding{.priority = 0, .target = "foo.example.com"}));
    EXPECT_EQ(parsed("0001 00"), (service_binding{.priority = 1}));
    EXPECT_EQ(parsed("0010" + foo + "0003 0002 0035"),
              (service_binding{.priority = 16, .target = "foo.example.com", .port = 53}));
    EXPECT_EQ(parsed("0001" + foo + "029b 0005 68656c6c6f"),
              (service_binding{.priority = 1, .target = "foo.example.com"}));  // key667
    EXPECT_EQ(parsed("0001" + foo + "0006 0020 20010db8000000000000000000000001 20010db8000000000000000000530001")->hints,
              (std::vector<ip_address>{six, *ip_address::parse("2001:db8::53:1")}));
    EXPECT_EQ(
        parsed("0010 03666f6f076578616d706c65036f726700 0000 0004 0001 0004 0001 0009 02 6832 05 68332d3139 0004 0004 c0000201"),
        (service_binding{.priority = 16, .target = "foo.example.org", .alpn = {"h2", "h3-19"}, .hints = {four}}));
    const auto escaped = parsed("0010 03666f6f076578616d706c65036f726700 0001 000c 08 665c6f6f2c626172 02 6832");
    EXPECT_EQ(escaped->alpn, (std::vector<std::string>{"f\\oo,bar", "h2"}));
}

TEST(service_binding, what_is_offered) {
    const auto both = *parsed("0001 00 0001 0006 02 6833 02 6832");
    EXPECT_TRUE(both.offers("h3") && both.offers_tcp() && both.usable);
    const auto alone = *parsed("0001 00 0001 0003 02 6833 0002 0000");
    EXPECT_TRUE(alone.offers("h3") && alone.usable);
    EXPECT_FALSE(alone.offers_tcp());
    EXPECT_TRUE(parsed("0001 00 0001 0003 02 6833")->offers_tcp());  // HTTP/1.1 is there by default
    EXPECT_FALSE(parsed("0001 00 0002 0000")->usable);               // 7.1.1: contradicts itself
    EXPECT_FALSE(parsed("0001 00 0003 0002 0000")->usable);
}

// RFC 9460 8: what must be understood and is not makes the record useless, but not wrong.
TEST(service_binding, mandatory_keys) {
    EXPECT_TRUE(parsed("0001 00 0000 0002 0003 0003 0002 01bb")->usable);
    EXPECT_FALSE(parsed("0001 00 0000 0002 0005 0005 0001 aa")->usable);  // ech
    EXPECT_FALSE(parsed("0001 00 0000 0002 029b 029b 0000")->usable);
    EXPECT_FALSE(parsed("0001 00 0000 0002 0003"));                                       // is not there
    EXPECT_FALSE(parsed("0001 00 0000 0002 0000"));                                       // itself
    EXPECT_FALSE(parsed("0001 00 0000 0000"));                                            // none
    EXPECT_FALSE(parsed("0001 00 0000 0004 0003 0001 0001 0003 026832 0003 0002 0035"));  // not in order
    EXPECT_FALSE(parsed("0001 00 0000 0003 0003 00 0003 0002 0035"));
}

TEST(service_binding, malformed) {
    for (const auto* wrong : {
             "",
             "00",
             "0001",
             "0001 03666f",                              // the name ends too early
             "0001 c00c",                                // compressed
             "0001 03 66 2e 66 00",                      // a dot in a label
             "0001 00 0003",                             // the key alone
             "0001 00 0003 0002 00",                     // ends within a value
             "0001 00 0003 0001 35",                     // a port of one byte
             "0001 00 0003 0003 000035",                 //
             "0001 00 0001 0000",                        // no protocol
             "0001 00 0001 0001 00",                     // an empty one
             "0001 00 0001 0003 03 6832",                // longer than there is
             "0001 00 0001 0003 026833 0002 0001 00",    // no-default-alpn with a value
             "0001 00 0004 0000",                        // no address
             "0001 00 0004 0003 c00002",                 // three quarters of one
             "0001 00 0006 0004 c0000201",               // the other family's
             "0001 00 0003 0002 0035 0001 0003 026833",  // not in order
             "0001 00 0003 0002 0035 0003 0002 0035",    // twice
         }) {
        EXPECT_FALSE(parsed(wrong)) << wrong;
    }
    EXPECT_TRUE(parsed("0000 00 0003 0001 35"));  // 2.4.2: an alias has no parameters to be wrong about
    std::string label = "3f" + std::string(126, '6');
    EXPECT_FALSE(parsed("0001" + label + label + label + label + "00"));
    EXPECT_TRUE(parsed("0001" + label + label + label + "00"));
}

TEST(service_binding, lists_have_a_bound) {
    std::string protocols, hints;
    for (int i = 0; i < 85; ++i) protocols += "026832";
    for (int i = 0; i < 64; ++i) hints += "c0000201";
    const auto many = parsed("0001 00 0001 00ff" + protocols + "0004 0100" + hints);
    ASSERT_TRUE(many);
    EXPECT_EQ(many->alpn.size(), max_service_protocols);
    EXPECT_EQ(many->hints.size(), max_service_hints);
}

TEST(service_binding, survives_any_bytes) {
    random_source random(test::seed());
    const auto good = from_hex(
        "0010 03666f6f076578616d706c65036f726700 0000 0004 0001 0004 0001 0009 02 6832 05 68332d3139 0003 0002 01bb 0004 0004 "
        "c0000201");
    std::size_t accepted = 0;
    for (int i = 0; i < 20'000; ++i) {
        auto bytes = good;
        for (auto n = random.below(4); n > 0; --n) bytes[random.below(bytes.size())] = static_cast<std::uint8_t>(random());
        bytes.resize(random.below(8) == 0 ? random.below(bytes.size()) : bytes.size());
        const auto record = parse_service_binding(bytes);
        if (!record) continue;
        ++accepted;
        EXPECT_LE(record->target.size(), 253u);
        EXPECT_LE(record->hints.size(), 2 * max_service_hints);
    }
    EXPECT_GT(accepted, 1000u);
}

}  // namespace
}  // namespace tandem::http
