// Logs of whole TCP connections: the same demands as on those of QUIC.
#include <gtest/gtest.h>

#include <tandem/tcp/qlog.hpp>

#include "log_reader.hpp"
#include "tcp/hosts.hpp"

namespace tandem::qlog::test {
namespace {

using namespace std::chrono_literals;
using tcp::test::client_address;
using tcp::test::hosts;
using tcp::test::server_address;

struct observed {
    explicit observed(tcp::test::link_config link = {}, std::uint64_t seed = 1) : net(seed, link) {
        config.tracer = tcp::make_qlog_tracer(store);
    }

    // The client sends so many bytes and both sides close. False if that does not end.
    bool transfer(std::size_t bytes) {
        net.server.listen(service, {.connection = config});
        client = net.client.connect({client_address, 0}, service, config, net.now);
        net.application = [&, bytes] { step(bytes); };
        return net.run_until([&] { return client_over && server_over; }, 600s);
    }
    void step(std::size_t bytes) {
        while (const auto e = net.client.poll_event()) client_over = client_over || is_final(e->what);
        while (const auto e = net.server.poll_event()) {
            if (e->what == tcp::event::accepted) server = e->connection;
            server_over = server_over || is_final(e->what);
        }
        if (auto* c = net.client.find(client)) {
            const std::vector<std::uint8_t> data(10'000);
            while (written < bytes && c->send_room() > 0)
                written += c->write(std::span(data).first(std::min(data.size(), bytes - written)));
            if (written == bytes) c->shutdown_send();
            at_client = c->stats();
            limits = c->summary(net.now);
        }
        if (auto* c = net.server.find(server)) {
            while (c->readable() > 0) c->consume(c->front().size(), net.now);
            if (c->at_end()) c->shutdown_send();
            at_server = c->stats();
        }
    }
    read_log client_log() const { return read(store->of("_client")); }
    read_log server_log() const { return read(store->of("_server")); }

    const ip_endpoint service{server_address, 80};
    std::shared_ptr<memory_store> store = std::make_shared<memory_store>();
    tcp::config config;
    hosts net;
    tcp::connection_handle client, server;
    bool client_over = false, server_over = false;
    std::size_t written = 0;
    tcp::statistics at_client, at_server;
    recovery::connection_statistics limits;
};

TEST(tcp_log, tells_a_connection_from_begin_to_end) {
    observed o;
    ASSERT_TRUE(o.transfer(300'000));
    o.net.run_for(120s);  // TIME-WAIT passes
    EXPECT_EQ(o.store->logs.size(), 2u);
    const auto client = o.client_log(), server = o.server_log();
    EXPECT_EQ(client.header.at("trace").at("common_fields").at("group_id"),
              server.header.at("trace").at("common_fields").at("group_id"));
    for (const auto* log : {&client, &server}) {
        EXPECT_EQ(log->events.front().name, "tcp:connection_started");
        ASSERT_EQ(log->count("tcp:parameters_set"), 2u);
        for (const auto* e : log->all("tcp:parameters_set")) {
            EXPECT_EQ(e->data.at("mss"), 1460);
            EXPECT_TRUE(e->data.at("sack_permitted").as_bool());
            EXPECT_TRUE(e->data.at("timestamps").as_bool());
            EXPECT_TRUE(e->data.contains("window_scale"));
        }
        ASSERT_EQ(log->count("tcp:connection_closed"), 1u);
        EXPECT_EQ(log->first("tcp:connection_closed")->data.at("trigger"), "closed");
    }
    const auto states = client.all("tcp:connection_state_updated");
    std::string path = "SYN-SENT";
    for (const auto* e : states) {
        EXPECT_EQ(std::string(e->data.at("old").as_string()),
                  path.substr(path.rfind(' ') == std::string::npos ? 0 : path.rfind(' ') + 1));
        path += " " + std::string(e->data.at("new").as_string());
    }
    // Everything was written before it was connected. TIME-WAIT is the last state: an entry of a table waits, and logs nothing.
    EXPECT_EQ(path, "SYN-SENT FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT");
    EXPECT_EQ(client.count("tcp:data_lost"), 0u);
    EXPECT_EQ(client.count("tcp:segment_dropped"), 0u);
    std::uint64_t payload = 0;
    for (const auto* e : server.all("tcp:segment_received"))
        payload += e->data.at("raw").at("payload_length").to_number<std::uint64_t>();
    EXPECT_EQ(payload, 300'000u);
    const auto& syn = client.first("tcp:segment_sent")->data.at("header");
    EXPECT_EQ(syn.at("flags").as_array().front(), "SYN");
    EXPECT_EQ(syn.at("sequence_number"), client.first("tcp:connection_started")->data.at("initial_sequence_number"));
    EXPECT_EQ(syn.at("options").at("mss"), 1460);
}

TEST(tcp_log, every_loss_and_retransmission_is_there) {
    observed o({.loss = 0.03}, 5);
    ASSERT_TRUE(o.transfer(600'000));
    const auto client = o.client_log();
    EXPECT_GT(o.at_client.losses, 3u);
    EXPECT_GE(client.count("tcp:data_lost"), o.at_client.losses - 1);  // a lost SYN or FIN is no data
    std::uint64_t again = 0;
    for (const auto* e : client.all("tcp:segment_sent")) again += e->data.contains("is_retransmission");
    EXPECT_EQ(again, o.at_client.retransmissions);
    EXPECT_GT(client.count("tcp:congestion_state_updated"), 2u);
    std::uint64_t sacks = 0;
    for (const auto* e : client.all("tcp:segment_received")) {
        const auto& header = e->data.at("header").as_object();
        sacks += header.contains("options") && header.at("options").as_object().contains("sack_blocks");
    }
    EXPECT_GT(sacks, 3u);
}

TEST(tcp_log, a_refused_connection_and_syns_of_strangers) {
    observed o;
    o.client = o.net.client.connect({client_address, 0}, o.service, o.config, o.net.now);  // nobody listens
    o.net.application = [&] { o.step(0); };
    ASSERT_TRUE(o.net.run_until([&] { return o.client_over; }, 10s));
    EXPECT_EQ(o.client_log().first("tcp:connection_closed")->data.at("trigger"), "refused");
    EXPECT_EQ(o.store->logs.size(), 1u);
}

}  // namespace
}  // namespace tandem::qlog::test
