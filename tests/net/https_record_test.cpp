// HTTPS records from a name server on loopback to the connection they lead to.
#include <tandem/http/race_plan.hpp>
#include <tandem/net/https_lookup.hpp>

#include "net/http_fixture.hpp"
#include "net/name_server.hpp"

namespace tandem::net {
namespace {

using namespace std::chrono_literals;
using test::bytes;
using test::dns_answer;
using test::name_server;

const std::string h3 = "0001 00 0001 0003 02 6833";  // priority 1, alpn=h3

class Lookup : public testing::Test {
protected:
    https_lookup::found find(const std::vector<ip_endpoint>& servers, const std::string& host = "example.org",
                             std::uint16_t port = 443) {
        std::optional<https_lookup::found> out;
        auto lookup = std::make_shared<https_lookup>(io.get_executor());
        lookup->start(host, port, servers, [&](https_lookup::found f) { out = std::move(f); });
        EXPECT_FALSE(out);  // not from within
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (!out && std::chrono::steady_clock::now() < deadline) io.run_one_until(deadline);
        EXPECT_TRUE(out);
        return out.value_or(https_lookup::found{});
    }
    asio::io_context io{1};
};

TEST_F(Lookup, ReadsRecords) {
    name_server server(io, [](const bytes& q) { return std::vector<bytes>{dns_answer(q, {h3})}; });
    const auto found = find({server.where()});
    ASSERT_EQ(found.records.size(), 1u);
    EXPECT_TRUE(found.records[0].offers("h3"));
    EXPECT_FALSE(found.aliased);
    EXPECT_EQ(found.trouble, "");
    find({server.where()}, "example.org", 8443);
    EXPECT_EQ(server.asked, (std::vector<std::string>{"example.org", "_8443._https.example.org"}));
}

TEST_F(Lookup, NoRecordsAreAnAnswer) {
    name_server server(io, [](const bytes& q) { return std::vector<bytes>{dns_answer(q, {}, 0x8183)}; });
    const auto found = find({server.where()});
    EXPECT_TRUE(found.records.empty());
    EXPECT_EQ(found.trouble, "");
    EXPECT_EQ(server.asked.size(), 1u);
}

TEST_F(Lookup, ALongAnswerComesOverTcp) {
    name_server server(
        io, [](const bytes& q) { return std::vector<bytes>{dns_answer(q, {}, 0x8380)}; },
        [](const bytes& q) {
            return std::vector<bytes>{dns_answer(q, {h3, h3})};
        });
    EXPECT_EQ(find({server.where()}).records.size(), 2u);
    name_server cut(
        io, [](const bytes& q) { return std::vector<bytes>{dns_answer(q, {}, 0x8380)}; },
        [](const bytes& q) { return std::vector<bytes>{bytes(q.begin(), q.begin() + 5)}; });
    EXPECT_EQ(find({cut.where()}).trouble, "no answer over TCP");
}

TEST_F(Lookup, TheNextServerIsAskedWhereOneFails) {
    name_server failing(io, [](const bytes& q) { return std::vector<bytes>{dns_answer(q, {}, 0x8182)}; });
    name_server good(io, [](const bytes& q) { return std::vector<bytes>{dns_answer(q, {h3})}; });
    EXPECT_EQ(find({failing.where(), good.where()}).records.size(), 1u);
    EXPECT_EQ(find({failing.where()}).trouble, "the name server cannot tell");
    EXPECT_EQ(failing.asked.size(), 3u);  // once, and in two rounds
    ip_endpoint nobody = good.where();
    {
        name_server gone(io, {});
        nobody = gone.where();
    }
    EXPECT_EQ(find({nobody, good.where()}).records.size(), 1u);  // refused: at once
    EXPECT_NE(find({}).trouble, "");
}

TEST_F(Lookup, SilenceIsNotWaitedForLong) {
    name_server silent(io, [](const bytes&) { return std::vector<bytes>{}; });
    name_server good(io, [](const bytes& q) { return std::vector<bytes>{dns_answer(q, {h3})}; });
    EXPECT_EQ(find({silent.where(), good.where()}).records.size(), 1u);
    EXPECT_EQ(silent.asked.size(), 1u);
}

// Whoever does not know the ID and the question is not heard; whoever floods us is left.
TEST_F(Lookup, ForeignAnswersAreNotBelieved) {
    auto forged = [](const bytes& q, int i) {
        auto out = dns_answer(q, {"0001 04 6576696c 00"});
        out[0] = static_cast<std::uint8_t>(out[0] + 1 + i % 7);
        if (i % 3 == 1) out[13] = 'f';
        if (i % 3 == 2) out.resize(out.size() / 2);
        return out;
    };
    name_server server(io, [&](const bytes& q) {
        std::vector<bytes> out;
        for (int i = 0; i < 20; ++i) out.push_back(forged(q, i));
        out.push_back({});
        out.push_back(dns_answer(q, {h3}));
        return out;
    });
    const auto found = find({server.where()});
    ASSERT_EQ(found.records.size(), 1u);
    EXPECT_EQ(found.records[0].target, "");
    name_server flood(io, [&](const bytes& q) {
        std::vector<bytes> out;
        for (int i = 0; i < 100; ++i) out.push_back(forged(q, i));
        return out;
    });
    EXPECT_EQ(find({flood.where()}).trouble, "answers that nobody asked for");
}

TEST_F(Lookup, AliasesAreFollowedAndCounted) {
    name_server server(io, [](const bytes& q) {
        if (test::dns_name(q) == "example.org") return std::vector<bytes>{dns_answer(q, {"0000 03 63646e 03 6e6574 00"})};
        return std::vector<bytes>{dns_answer(q, {h3})};
    });
    auto found = find({server.where()});
    EXPECT_EQ(found.name, "cdn.net");
    EXPECT_TRUE(found.aliased);
    EXPECT_EQ(found.records.size(), 1u);
    name_server circle(io, [](const bytes& q) { return std::vector<bytes>{dns_answer(q, {"0000 01 61 00"})}; });
    found = find({circle.where()});
    EXPECT_EQ(found.trouble, "too many aliases");
    EXPECT_EQ(circle.asked.size(), http::max_aliases + 1);
    name_server nothing(io, [](const bytes& q) { return std::vector<bytes>{dns_answer(q, {"0000 00", h3})}; });
    EXPECT_TRUE(find({nothing.where()}).records.empty());
}

TEST_F(Lookup, CanBeStopped) {
    name_server silent(io, [](const bytes&) { return std::vector<bytes>{}; });
    auto lookup = std::make_shared<https_lookup>(io.get_executor());
    lookup->start("example.org", 443, {silent.where()}, [](https_lookup::found) { FAIL(); });
    io.run_for(10ms);
    lookup->stop();
    io.run_for(20ms);
    auto second = std::make_shared<https_lookup>(io.get_executor());
    second->start("example.org", 443, {silent.where()}, [](https_lookup::found) { FAIL(); });
    second->stop();  // before it has begun
    io.run_for(20ms);
    EXPECT_EQ(second.use_count(), 1);
}

TEST(is_public_name, names_that_are_nobody_elses_business) {
    for (const auto* name : {"localhost", "a.localhost", "printer", "printer.local.", "x.onion", "192.0.2.1", "2001:db8::1", ""})
        EXPECT_FALSE(is_public_name(name)) << name;
    for (const auto* name : {"example.org", "example.org.", "www.example.org"}) EXPECT_TRUE(is_public_name(name)) << name;
}

// A whole client: what it is told decides where it goes.
class Records : public Http {
protected:
    void begin(name_server::handler answer) {
        root.write("file", "text");
        serve();
        dns.emplace(io, std::move(answer));
        client_options.known = std::make_shared<http::alt_svc_cache>();
        auto& c = client_options.connection;
        c.name_servers = {dns->where()};
        c.overrides = {{"localhost", server->port(), {loopback}},
                       {"localhost", nowhere, {loopback}},
                       {"elsewhere.test", server->port(), {loopback}}};
        c.decided = [this](const http::race& race) {
            knowledge = race.knowledge();
            candidates.clear();
            for (const auto& candidate : race.candidates()) candidates.push_back(to_string(candidate));
        };
        use({http_protocol::http3, http_protocol::http2});
    }
    // hexadecimal SvcParam "port"
    std::string port_of_server() const {
        const auto p = server->port();
        return "0003 0002" + tandem::test::to_hex(bytes{static_cast<std::uint8_t>(p >> 8), static_cast<std::uint8_t>(p)});
    }
    static constexpr std::uint16_t nowhere = 9;
    std::optional<name_server> dns;
    http::quic_knowledge knowledge{};
    std::vector<std::string> candidates;
};

TEST_F(Records, LeadToAnotherPort) {
    begin([this](const bytes& q) { return std::vector<bytes>{dns_answer(q, {h3 + port_of_server()})}; });
    auto got = fetch(request("/file", nowhere, "localhost"));
    EXPECT_FALSE(got->error);
    EXPECT_EQ(got->body, "text");
    EXPECT_EQ(got->info.protocol, http_protocol::http3);
    EXPECT_EQ(got->info.remote.port, server->port());
    EXPECT_EQ(knowledge, http::quic_knowledge::https_record);
    EXPECT_EQ(dns->asked, std::vector<std::string>{"_9._https.localhost"});
}

TEST_F(Records, LeadToAnotherHostWhoseAddressIsLookedUp) {
    begin([this](const bytes& q) {
        return std::vector<bytes>{
            dns_answer(q, {"0001 09 656c73657768657265 04 74657374 00 0001 0003 02 6833" + port_of_server()})};
    });
    client_options.connection.overrides.erase(client_options.connection.overrides.begin() + 1);
    client_options.connection.overrides.push_back({"localhost", nowhere, {ip_address::v4(127, 0, 0, 9)}});
    use({http_protocol::http3, http_protocol::http2});
    auto got = fetch(request("/file", nowhere, "localhost"));
    EXPECT_FALSE(got->error);
    EXPECT_EQ(got->info.remote, (ip_endpoint{loopback, server->port()}));
}

TEST_F(Records, WithoutQuicItIsNotTried) {
    begin([](const bytes& q) { return std::vector<bytes>{dns_answer(q, {"0001 00 0001 0003 02 6832"})}; });
    auto got = fetch(request("/file", 0, "localhost"));
    EXPECT_EQ(got->info.protocol, http_protocol::http2);
    EXPECT_EQ(candidates, std::vector<std::string>{"TCP to 127.0.0.1"});
}

TEST_F(Records, SilenceOrNonsenseCostsNoMoreThanTheResolutionDelay) {
    for (const bool silent : {true, false}) {
        begin([silent](const bytes& q) {
            return silent ? std::vector<bytes>{} : std::vector<bytes>{dns_answer(q, {"0001 00 0003 0001 35"})};
        });
        const auto begun = std::chrono::steady_clock::now();
        auto got = fetch(request("/file", 0, "localhost"));
        EXPECT_EQ(got->info.protocol, http_protocol::http3);
        EXPECT_EQ(knowledge, http::quic_knowledge::none);
        const auto& times = got->info.connection;
        const auto waited = *times.resolved - times.started;
        if (silent) {
            EXPECT_GE(waited, http::resolution::resolution_delay);
        }
        EXPECT_LT(std::chrono::steady_clock::now() - begun, 1s);
    }
}

TEST_F(Records, CanBeSwitchedOff) {
    begin([](const bytes& q) { return std::vector<bytes>{dns_answer(q, {h3})}; });
    client_options.connection.https_records = false;
    use({http_protocol::http3, http_protocol::http2});
    EXPECT_EQ(fetch(request("/file", 0, "localhost"))->info.protocol, http_protocol::http3);
    EXPECT_TRUE(dns->asked.empty());
    client_options.connection.https_records = true;
    use({http_protocol::http2});
    EXPECT_EQ(fetch(request("/file", 0, "localhost"))->info.protocol, http_protocol::http2);
    EXPECT_TRUE(dns->asked.empty());  // nobody wanted QUIC
}

// What the first connection showed decides the second one's race.
TEST_F(Records, WhatWasLearntIsUsed) {
    begin([](const bytes& q) { return std::vector<bytes>{dns_answer(q, {})}; });
    std::optional<duration> round_trip;
    client_options.connection.decided = [&](const http::race& race) {
        knowledge = race.knowledge();
        round_trip = race.round_trip();
    };
    use({http_protocol::http3, http_protocol::http2});
    fetch(request("/file", 0, "localhost"));
    EXPECT_EQ(knowledge, http::quic_knowledge::none);
    EXPECT_FALSE(round_trip);
    use({http_protocol::http3, http_protocol::http2});
    fetch(request("/file", 0, "localhost"));
    EXPECT_EQ(knowledge, http::quic_knowledge::earlier);
    ASSERT_TRUE(round_trip);
    EXPECT_LT(*round_trip, 1s);
    const auto origin = "https://localhost:" + std::to_string(server->port());
    const auto port = std::to_string(server->port());
    client_options.known->learn(origin, "127.0.0.0/24", "h3=\":" + port + "\"", 0, std::time(nullptr));
    use({http_protocol::http3, http_protocol::http2});
    fetch(request("/file", 0, "localhost"));
    EXPECT_EQ(knowledge, http::quic_knowledge::alt_svc);
}

}  // namespace
}  // namespace tandem::net
