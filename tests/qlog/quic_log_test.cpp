// Logs of whole QUIC connections: every record is as described, and what they tell is what happened.
#include <gtest/gtest.h>

#include <numeric>

#include <tandem/bytes/random.hpp>
#include <tandem/quic/qlog.hpp>

#include "log_reader.hpp"
#include "quic/pipe.hpp"

namespace tandem::qlog::test {
namespace {

using namespace quic::test;
using namespace std::chrono_literals;

struct observed {
    explicit observed(pipe::options o = pipe::defaults()) : p(prepared(std::move(o))) {}

    pipe::options prepared(pipe::options o) {
        o.client.tracer = o.server.accepted.tracer = quic::make_qlog_tracer(store);
        return o;
    }
    read_log client() const { return read(store->of("_client")); }
    read_log server() const { return read(store->of("_server")); }

    std::shared_ptr<memory_store> store = std::make_shared<memory_store>();
    pipe p;
};

std::uint64_t number(const event& e, std::string_view key) { return e.data.at(key).to_number<std::uint64_t>(); }

std::string_view text(const boost::json::value& value) { return {value.as_string().data(), value.as_string().size()}; }

std::vector<std::uint64_t> packets(const read_log& log, std::string_view event_name, std::string_view type) {
    std::vector<std::uint64_t> numbers;
    for (const auto* e : log.all(event_name)) {
        const auto& header = e->data.at("header").as_object();
        if (text(header.at("packet_type")) == type) numbers.push_back(header.at("packet_number").to_number<std::uint64_t>());
    }
    return numbers;
}

std::size_t frames(const read_log& log, std::string_view event_name, std::string_view type) {
    std::size_t count = 0;
    for (const auto* e : log.all(event_name)) {
        if (!e->data.contains("frames")) continue;
        for (const auto& f : e->data.at("frames").as_array()) count += text(f.at("frame_type")) == type;
    }
    return count;
}

TEST(quic_log, tells_a_handshake_and_a_transfer) {
    observed o;
    ASSERT_TRUE(o.p.handshake());
    transfer t(o.p, true, 200'000);
    ASSERT_TRUE(run_transfers(o.p, {&t}, 20s));
    o.p.run_for(1s);
    o.p.client_connection()->close(7, "gr\xc3\xbc\xc3\x9f\x65", o.p.now);
    o.p.run_for(5s);
    EXPECT_EQ(o.store->logs.size(), 2u);
    const auto client = o.client(), server = o.server();

    // Both ends name the connection alike.
    EXPECT_EQ(client.header.at("trace").at("common_fields").at("group_id"),
              server.header.at("trace").at("common_fields").at("group_id"));
    EXPECT_EQ(client.events.front().name, "quic:connection_started");
    for (const auto* log : {&client, &server}) {
        EXPECT_EQ(log->count("quic:version_information"), 1u);
        EXPECT_EQ(log->count("quic:alpn_information"), 2u);
        EXPECT_EQ(log->count("quic:recovery_parameters_set"), 1u);
        ASSERT_EQ(log->count("quic:parameters_set"), 2u);
        EXPECT_EQ(log->all("quic:parameters_set")[0]->data.at("initiator"), "local");
        EXPECT_EQ(log->all("quic:parameters_set")[1]->data.at("initiator"), "remote");
        // Six keys come (three levels, two directions) and those of two levels go.
        EXPECT_EQ(log->count("quic:key_updated"), 6u);
        EXPECT_EQ(log->count("quic:key_discarded"), 4u);
        ASSERT_EQ(log->count("quic:connection_closed"), 1u);
    }
    const auto& closed = client.first("quic:connection_closed")->data;
    EXPECT_EQ(closed.at("initiator"), "local");
    EXPECT_EQ(closed.at("application_error"), "unknown");
    EXPECT_EQ(closed.at("error_code"), 7);
    EXPECT_EQ(closed.at("reason"), "gr\xc3\xbc\xc3\x9f\x65");
    EXPECT_EQ(server.first("quic:connection_closed")->data.at("initiator"), "remote");

    // On a clean wire what one sends is what the other receives, packet by packet.
    for (const auto* type : {"initial", "handshake", "1RTT"}) {
        EXPECT_EQ(packets(client, "quic:packet_sent", type), packets(server, "quic:packet_received", type)) << type;
    }
    EXPECT_EQ(client.count("quic:packet_lost") + server.count("quic:packet_lost"), 0u);
    EXPECT_GT(frames(server, "quic:packet_received", "stream"), 100u);
    EXPECT_EQ(frames(client, "quic:packet_received", "handshake_done"), 1u);
    EXPECT_EQ(frames(server, "quic:packet_received", "connection_close"), 1u);

    std::uint64_t sent = 0;
    for (const auto* e : client.all("quic:udp_datagrams_sent")) {
        for (const auto& raw : e->data.at("raw").as_array()) sent += raw.at("length").to_number<std::uint64_t>();
    }
    EXPECT_EQ(sent, o.p.sent_bytes[true]);
    EXPECT_EQ(client.count("quic:stream_state_updated"), 2u);  // a one-way stream opens and closes
    EXPECT_GE(client.count("quic:mtu_updated"), 1u);
    EXPECT_GE(client.count("quic:recovery_metrics_updated"), 100u);
}

TEST(quic_log, every_loss_and_retransmission_is_there) {
    observed o;
    random_source random(7);
    o.p.on_wire = [&](flying&) { return random() % 20 != 0; };
    ASSERT_TRUE(o.p.handshake(30s));
    transfer up(o.p, true, 300'000), down(o.p, false, 300'000);
    ASSERT_TRUE(run_transfers(o.p, {&up, &down}, 60s));
    for (const bool is_client : {true, false}) {
        const auto log = is_client ? o.client() : o.server();
        auto* c = is_client ? o.p.client_connection() : o.p.server_connection();
        const auto s = c->statistics();
        EXPECT_EQ(log.count("quic:packet_lost"), s.packets_lost);
        EXPECT_GT(s.packets_lost, 3u);
        EXPECT_EQ(log.count("quic:packet_sent"), s.packets_sent);
        EXPECT_EQ(log.count("quic:packet_received"), s.packets_received);
        EXPECT_GT(log.count("quic:marked_for_retransmit"), 3u);
        EXPECT_GT(log.count("quic:congestion_state_updated"), 2u);
        EXPECT_EQ(log.count("quic:udp_datagrams_received"), s.datagrams_received);
        // The latest metrics are the connection's.
        const auto* last = log.all("quic:recovery_metrics_updated").back();
        EXPECT_EQ(number(*last, "bytes_in_flight"), s.bytes_in_flight);
        // What was lost had been sent.
        const auto all_sent = packets(log, "quic:packet_sent", "1RTT");
        for (const auto n : packets(log, "quic:packet_lost", "1RTT")) {
            EXPECT_TRUE(std::find(all_sent.begin(), all_sent.end(), n) != all_sent.end()) << n;
        }
    }
}

TEST(quic_log, retry_is_told_and_the_log_keeps_its_name) {
    auto options = pipe::defaults();
    options.server.retry = quic::retry_policy::always;
    observed o(options);
    ASSERT_TRUE(o.p.handshake());
    const auto client = o.client();
    const auto received = client.all("quic:packet_received");
    const auto is_retry = [](const event* e) { return e->data.at("header").at("packet_type") == "retry"; };
    EXPECT_EQ(std::count_if(received.begin(), received.end(), is_retry), 1);
    // The second Initial carries the token.
    std::size_t with_token = 0;
    for (const auto* e : client.all("quic:packet_sent")) with_token += e->data.at("header").as_object().contains("token");
    EXPECT_GE(with_token, 1u);
    EXPECT_EQ(o.store->logs.size(), 2u);
    EXPECT_EQ(client.header.at("trace").at("common_fields").at("group_id"),
              o.server().header.at("trace").at("common_fields").at("group_id"));
    EXPECT_TRUE(client.all("quic:parameters_set")[1]->data.contains("retry_source_connection_id"));
}

TEST(quic_log, migration_is_told) {
    observed o;
    ASSERT_TRUE(o.p.handshake());
    o.p.run_for(1s);
    auto elsewhere = pipe::client_address;
    elsewhere.address.bytes[3] ^= 3;
    ASSERT_TRUE(o.p.client_connection()->migrate(elsewhere, o.p.now));
    o.p.run_for(2s);
    for (const auto& log : {o.client(), o.server()}) {
        EXPECT_EQ(log.count("quic:tuple_assigned"), 2u);
        const auto told = log.all("quic:migration_state_updated");
        ASSERT_EQ(told.size(), 2u);
        EXPECT_EQ(told[0]->data.at("new"), "migration_started");
        EXPECT_EQ(told[1]->data.at("new"), "migration_complete");
        EXPECT_GE(frames(log, "quic:packet_sent", "path_challenge") + frames(log, "quic:packet_received", "path_challenge"), 1u);
    }
}

TEST(quic_log, migration_to_a_path_that_was_probed_is_complete_at_once) {
    observed o;
    ASSERT_TRUE(o.p.handshake());
    o.p.run_for(1s);
    auto elsewhere = pipe::client_address;
    elsewhere.address.bytes[3] ^= 3;
    ASSERT_TRUE(o.p.client_connection()->probe(elsewhere, o.p.now));
    o.p.run_for(1s);
    EXPECT_EQ(o.client().count("quic:migration_state_updated"), 0u);
    ASSERT_TRUE(o.p.client_connection()->migrate(elsewhere, o.p.now));
    o.p.run_for(1ms);
    const auto log = o.client();
    const auto told = log.all("quic:migration_state_updated");
    ASSERT_EQ(told.size(), 2u);
    EXPECT_EQ(told[0]->data.at("new"), "migration_started");
    EXPECT_EQ(told[1]->data.at("new"), "migration_complete");
    EXPECT_EQ(told[1]->time, told[0]->time);
    EXPECT_EQ(log.count("quic:tuple_assigned"), 2u);
}

TEST(quic_log, migration_to_a_path_that_does_not_work_is_abandoned) {
    observed o;
    ASSERT_TRUE(o.p.handshake());
    o.p.run_for(1s);
    auto elsewhere = pipe::client_address;
    elsewhere.address.bytes[3] ^= 3;
    o.p.on_wire = [&](flying& f) { return f.path.remote != elsewhere && f.path.local != elsewhere; };
    ASSERT_TRUE(o.p.client_connection()->migrate(elsewhere, o.p.now));
    o.p.run_for(10s);
    const auto log = o.client();
    const auto told = log.all("quic:migration_state_updated");
    ASSERT_EQ(told.size(), 2u);
    EXPECT_EQ(told[0]->data.at("new"), "migration_started");
    EXPECT_EQ(told[1]->data.at("new"), "migration_abandoned");
}

TEST(quic_log, key_updates_are_told_with_who_began) {
    auto options = pipe::defaults();
    options.client.packets_per_key = 50;
    observed o(options);
    ASSERT_TRUE(o.p.handshake());
    for (int i = 0; i < 3; ++i) {
        transfer t(o.p, true, 100'000);
        ASSERT_TRUE(run_transfers(o.p, {&t}, 20s));
        o.p.run_for(1s);
    }
    const auto updates = o.p.client_connection()->statistics().key_updates;
    ASSERT_GT(updates, 1u);
    const auto count = [](const read_log& log, std::string_view trigger) {
        std::size_t n = 0;
        for (const auto* e : log.all("quic:key_updated")) n += text(e->data.at("trigger")) == trigger;
        return n;
    };
    EXPECT_EQ(count(o.client(), "local_update"), 2 * updates);
    EXPECT_EQ(count(o.client(), "remote_update"), 0u);
    EXPECT_EQ(count(o.server(), "remote_update"), 2 * o.p.server_connection()->statistics().key_updates);
}

TEST(quic_log, streams_datagrams_and_resets) {
    auto options = pipe::defaults();
    options.client.max_datagram_frame_size = options.server.accepted.max_datagram_frame_size = 65535;
    observed o(options);
    ASSERT_TRUE(o.p.handshake());
    auto* c = o.p.client_connection();
    const auto id = *c->open(quic::direction::bidirectional);
    const std::vector<std::uint8_t> data(1000);
    c->write(id, data, false, o.p.now);
    c->send_datagram(data);
    o.p.run_for(100ms);
    c->reset(id, 5, o.p.now);
    c->stop_sending(id, 6, o.p.now);
    o.p.run_for(1s);
    const auto client = o.client();
    EXPECT_EQ(frames(client, "quic:packet_sent", "datagram"), 1u);
    EXPECT_EQ(frames(client, "quic:packet_sent", "reset_stream"), 1u);
    EXPECT_EQ(frames(client, "quic:packet_sent", "stop_sending"), 1u);
    const auto server = o.server();
    EXPECT_EQ(frames(server, "quic:packet_received", "datagram"), 1u);
    EXPECT_EQ(server.count("quic:stream_state_updated"), 3u);  // both parts opened; the sending one was reset
}

TEST(quic_log, early_data_goes_in_its_own_packets_with_what_was_remembered) {
    auto options = pipe::defaults();
    options.client.early_data = options.server.accepted.early_data = true;
    observed o(options);
    ASSERT_TRUE(o.p.handshake());
    o.p.run_for(100ms);
    const auto ticket = first_of<quic::ticket_received>(o.p.client_events);
    ASSERT_TRUE(ticket);
    auto again = o.p.connect_to_server();
    again.ticket = ticket->ticket;
    o.p.connect(again);
    auto* c = o.p.client_connection();
    const auto id = c->open(quic::direction::bidirectional);
    ASSERT_TRUE(id);
    c->write(*id, std::vector<std::uint8_t>(500), true, o.p.now);
    o.p.run_for(2s);
    std::size_t restored = 0, early_sent = 0, early_received = 0;
    for (const auto& [name, text] : o.store->logs) {
        const auto log = read(text);
        restored += log.count("quic:parameters_restored");
        early_sent += packets(log, "quic:packet_sent", "0RTT").size();
        early_received += packets(log, "quic:packet_received", "0RTT").size();
    }
    EXPECT_EQ(restored, 1u);
    EXPECT_GE(early_sent, 1u);
    EXPECT_EQ(early_received, early_sent);
}

TEST(quic_log, nothing_is_written_of_strangers) {
    observed o;
    // Authentic or not at all: a datagram of garbage, and one that was damaged on its way.
    o.p.on_wire = [](flying& f) {
        if (f.to_server) f.bytes[200] ^= 1;
        return true;
    };
    o.p.connect();
    o.p.run_for(2s);
    EXPECT_EQ(o.store->logs.count("_server"), 0u);
    for (const auto& [name, text] : o.store->logs) EXPECT_TRUE(name.ends_with("_client")) << name;
}

TEST(quic_log, an_observer_of_the_application_stands_beside_the_log) {
    struct counter final : quic::connection_trace {
        void on_packet_sent(const quic::traced_packet&) override { ++packets; }
        std::size_t packets = 0;
    } mine;
    observed o;
    ASSERT_TRUE(o.p.handshake());
    const auto before = o.p.client_connection()->statistics().packets_sent;
    o.p.client_connection()->set_trace(&mine);
    transfer t(o.p, true, 50'000);
    ASSERT_TRUE(run_transfers(o.p, {&t}, 20s));
    const auto after = o.p.client_connection()->statistics().packets_sent;
    EXPECT_EQ(mine.packets, after - before);
    o.p.client_connection()->set_trace(nullptr);
    o.p.client_connection()->ping();
    o.p.run_for(1s);
    EXPECT_EQ(mine.packets, after - before);
    EXPECT_EQ(o.client().count("quic:packet_sent"), o.p.client_connection()->statistics().packets_sent);
}

TEST(quic_log, logging_changes_nothing_on_the_wire) {
    const auto run = [](bool logged) {
        auto options = pipe::defaults();
        auto store = std::make_shared<memory_store>();
        if (logged) options.client.tracer = options.server.accepted.tracer = quic::make_qlog_tracer(store);
        pipe p(options);
        std::vector<std::size_t> sizes;
        p.on_wire = [&](flying& f) {
            sizes.push_back(f.bytes.size());
            return sizes.size() % 37 != 0;
        };
        EXPECT_TRUE(p.handshake(20s));
        transfer t(p, true, 100'000);
        EXPECT_TRUE(run_transfers(p, {&t}, 20s));
        return sizes;
    };
    EXPECT_EQ(run(false), run(true));
}

}  // namespace
}  // namespace tandem::qlog::test
