#include <gtest/gtest.h>

#include <tandem/http/race_plan.hpp>

namespace tandem::http {
namespace {

using namespace std::chrono_literals;

constexpr auto quic = race_protocol::quic;
constexpr auto tcp = race_protocol::tcp;
const ip_address four = ip_address::v4(192, 0, 2, 1), elsewhere = ip_address::v4(198, 51, 100, 1);
const ip_address six = *ip_address::parse("2001:db8::1");

std::string order(const race_plan& plan) {
    std::string out;
    for (const auto& c : plan.candidates) out += (out.empty() ? "" : ", ") + to_string(c);
    return out;
}

TEST(race_plan, nothing_is_known) {
    const auto plan = plan_race({quic, tcp}, {.addresses = {six, four}});
    EXPECT_EQ(order(plan), "QUIC to 2001:db8::1, TCP to 2001:db8::1, QUIC to 192.0.2.1, TCP to 192.0.2.1");
    EXPECT_EQ(plan.knowledge, quic_knowledge::none);
    EXPECT_EQ(plan_race({quic, tcp}, {.addresses = {four}, .quic_worked = true}).knowledge, quic_knowledge::earlier);
}

TEST(race_plan, alt_svc_names_a_port_for_quic) {
    const auto plan = plan_race({quic, tcp}, {.addresses = {four}, .alt_svc = 8443, .quic_worked = true});
    EXPECT_EQ(order(plan), "QUIC to 192.0.2.1 port 8443, TCP to 192.0.2.1");
    EXPECT_EQ(plan.knowledge, quic_knowledge::alt_svc);
}

TEST(race_plan, an_https_record_says_where_and_how) {
    origin_knowledge known{.addresses = {four}, .places = {{{elsewhere}, 8443, true, true}}, .alt_svc = 1234};
    auto plan = plan_race({quic, tcp}, known);
    EXPECT_EQ(order(plan), "QUIC to 198.51.100.1 port 8443, TCP to 198.51.100.1 port 8443, TCP to 192.0.2.1");
    EXPECT_EQ(plan.knowledge, quic_knowledge::https_record);
    known.places = {{{four}, 0, true, true}};
    EXPECT_EQ(order(plan_race({quic, tcp}, known)), "QUIC to 192.0.2.1, TCP to 192.0.2.1");
    EXPECT_EQ(order(plan_race({tcp}, known)), "TCP to 192.0.2.1");
}

// no-default-alpn: TCP is not offered, but a path without UDP must not be the end.
TEST(race_plan, tcp_that_is_not_offered_is_the_last_resort) {
    origin_knowledge known{.addresses = {four, six}, .places = {{{elsewhere, four}, 0, true, false}}};
    EXPECT_EQ(order(plan_race({quic, tcp}, known)),
              "QUIC to 198.51.100.1, QUIC to 192.0.2.1, TCP to 192.0.2.1, TCP to 2001:db8::1");
    EXPECT_EQ(order(plan_race({quic}, known)), "QUIC to 198.51.100.1, QUIC to 192.0.2.1, QUIC to 2001:db8::1");
}

TEST(race_plan, quic_that_is_not_offered_is_not_tried) {
    origin_knowledge known{.addresses = {four}, .places = {{{four}, 0, false, true}}, .alt_svc = 443};
    EXPECT_EQ(order(plan_race({quic, tcp}, known)), "TCP to 192.0.2.1");
    EXPECT_EQ(order(plan_race({quic}, known)), "QUIC to 192.0.2.1");  // nothing else is permitted
}

TEST(race_plan, several_places_in_their_order) {
    origin_knowledge known{.addresses = {four}, .places = {{{elsewhere}, 0, false, true}, {{six}, 8443, true, true}}};
    EXPECT_EQ(order(plan_race({quic, tcp}, known)),
              "TCP to 198.51.100.1, QUIC to 2001:db8::1 port 8443, TCP to 2001:db8::1 port 8443, TCP to 192.0.2.1");
}

TEST(race_plan, broken_quic_goes_last) {
    origin_knowledge known{.addresses = {six, four}, .quic_broken = true};
    EXPECT_EQ(order(plan_race({quic, tcp}, known)),
              "TCP to 2001:db8::1, TCP to 192.0.2.1, QUIC to 2001:db8::1, QUIC to 192.0.2.1");
    EXPECT_EQ(order(plan_race({quic}, known)), "QUIC to 2001:db8::1, QUIC to 192.0.2.1");
    known.places = {{{six}, 0, true, true}};
    EXPECT_EQ(order(plan_race({quic, tcp}, known)), "TCP to 2001:db8::1, TCP to 192.0.2.1, QUIC to 2001:db8::1");
}

TEST(race_plan, services_that_can_be_used) {
    const service_binding alias{.priority = 0, .target = "a"}, strange{.priority = 1, .alpn = {"h3"}, .usable = false},
        other{.priority = 1, .alpn = {"dot"}, .no_default_alpn = true}, second{.priority = 2, .alpn = {"h3"}},
        first{.priority = 1, .alpn = {"h2"}};
    EXPECT_EQ(usable_services({alias, strange, second, other, first}), (std::vector<service_binding>{first, second}));
    EXPECT_EQ(usable_services(std::vector<service_binding>(100, first)).size(), max_service_places);
}

time_point at(duration d) { return time_point(100s + d); }

TEST(resolution, records_that_are_there_cost_nothing) {
    resolution early;
    EXPECT_FALSE(early.next_timeout());
    early.on_records(at(5ms));
    EXPECT_FALSE(early.ready(at(1s)));  // no address yet
    early.on_addresses(true, at(20ms));
    EXPECT_TRUE(early.ready(at(20ms)));
}

TEST(resolution, records_may_come_50_ms_later) {
    resolution late;
    late.on_addresses(true, at(20ms));
    EXPECT_FALSE(late.ready(at(69ms)));
    EXPECT_EQ(late.next_timeout(), at(70ms));
    EXPECT_TRUE(late.ready(at(70ms)));  // not waited for
    resolution within;
    within.on_addresses(true, at(20ms));
    within.on_records(at(40ms));
    EXPECT_TRUE(within.ready(at(40ms)));
}

TEST(resolution, a_name_without_address_hopes_for_an_alias) {
    resolution hope;
    hope.on_addresses(false, at(20ms));
    EXPECT_EQ(hope.next_timeout(), at(1020ms));
    hope.on_records(at(500ms));
    EXPECT_TRUE(hope.ready(at(500ms)));
}

}  // namespace
}  // namespace tandem::http
