// Every reason for which a datagram, a packet or a segment is dropped: counted, and told in the log in qlog's own words.
#include <gtest/gtest.h>

#include <tandem/quic/qlog.hpp>
#include <tandem/quic/retry.hpp>
#include <tandem/tcp/qlog.hpp>

#include "log_reader.hpp"
#include "quic/pipe.hpp"
#include "tcp/hosts.hpp"

namespace tandem::qlog::test {
namespace {

using namespace std::chrono_literals;
using quic::drop_reason;
using quic::test::flying;
using quic::test::pipe;

struct logged_pipe {
    logged_pipe() : p(options()) {
        p.on_wire = [this](flying& f) {
            if (first.empty() && f.to_server) first = f.bytes;
            if (f.to_server) latest = f.bytes;
            return true;
        };
    }
    pipe::options options() {
        auto o = pipe::defaults();
        o.client.tracer = o.server.accepted.tracer = quic::make_qlog_tracer(store);
        return o;
    }
    void to_client(std::vector<std::uint8_t> bytes, ip_path path = {pipe::client_address, pipe::server_address}) {
        p.deliver({.bytes = std::move(bytes), .path = path});
    }
    void to_server(std::vector<std::uint8_t> bytes) {
        p.deliver({.to_server = true, .bytes = std::move(bytes), .path = {pipe::server_address, pipe::client_address}});
    }
    // A datagram to the client's own connection ID with nothing true behind it.
    std::vector<std::uint8_t> garbage_for_client() const {
        const auto id = quic::parse_packet(first, 8).header.source;
        std::vector<std::uint8_t> d(60, 0x55);
        d[0] = 0x40;
        std::copy(id.bytes().begin(), id.bytes().end(), d.begin() + 1);
        return d;
    }
    // The trigger and the reason of the one packet_dropped in the log of this end.
    std::pair<std::string, std::string> told(std::string_view ending) const {
        const auto log = read(store->of(ending));
        const auto dropped = log.all("quic:packet_dropped");
        if (dropped.empty()) return {};
        const auto& data = dropped.back()->data;
        return {std::string(data.at("trigger").as_string()), std::string(data.at("details").at("reason").as_string())};
    }
    std::uint64_t at_client(drop_reason why) { return p.client_connection()->statistics().dropped[why]; }
    std::uint64_t at_server(drop_reason why) { return p.server_connection()->statistics().dropped[why]; }

    std::shared_ptr<memory_store> store = std::make_shared<memory_store>();
    std::vector<std::uint8_t> first, latest;
    pipe p;
};

using pair = std::pair<std::string, std::string>;

TEST(drop_reasons, undecryptable) {
    logged_pipe l;
    ASSERT_TRUE(l.p.handshake());
    l.to_client(l.garbage_for_client());
    EXPECT_EQ(l.at_client(drop_reason::undecryptable), 1u);
    EXPECT_EQ(l.told("_client"), pair("decryption_failure", "undecryptable"));
}

TEST(drop_reasons, duplicate) {
    logged_pipe l;
    ASSERT_TRUE(l.p.handshake());
    l.p.client_connection()->ping();
    l.p.run_for(1s);
    l.to_server(l.latest);
    EXPECT_EQ(l.at_server(drop_reason::duplicate), 1u);
    EXPECT_EQ(l.told("_server"), pair("duplicate", "duplicate"));
}

TEST(drop_reasons, malformed_and_too_short) {
    logged_pipe l;
    ASSERT_TRUE(l.p.handshake());
    auto d = l.garbage_for_client();
    d.resize(12);
    l.to_client(d);
    EXPECT_EQ(l.at_client(drop_reason::malformed), 1u);
    EXPECT_EQ(l.told("_client"), pair("invalid", "malformed"));
}

TEST(drop_reasons, unknown_path) {
    logged_pipe l;
    ASSERT_TRUE(l.p.handshake());
    auto elsewhere = pipe::server_address;
    ++elsewhere.port;
    l.to_client(l.garbage_for_client(), {pipe::client_address, elsewhere});
    EXPECT_EQ(l.at_client(drop_reason::unknown_path), 1u);
    EXPECT_EQ(l.told("_client"), pair("rejected", "unknown path"));
}

TEST(drop_reasons, no_keys) {
    logged_pipe l;
    ASSERT_TRUE(l.p.handshake());
    l.to_server(l.first);  // an Initial, when their keys are gone
    EXPECT_EQ(l.at_server(drop_reason::no_keys), 1u);
    EXPECT_EQ(l.told("_server"), pair("key_unavailable", "no keys"));
}

TEST(drop_reasons, unexpected_version_and_packet) {
    logged_pipe l;
    ASSERT_TRUE(l.p.handshake());
    const auto hello = quic::parse_packet(l.first, 8).header;
    std::vector<std::uint8_t> d(300);
    writer w(d);
    const std::vector<std::uint8_t> none;
    const auto h =
        quic::write_long_header(w, quic::packet_type::handshake, quic::version::v2, hello.source, hello.destination, none, 0, 1);
    quic::set_packet_length(d, *h);
    l.to_client(d);
    EXPECT_EQ(l.at_client(drop_reason::unexpected_version), 1u) << "first";
    EXPECT_EQ(l.told("_client"), pair("unsupported", "unexpected version"));

    std::vector<std::uint8_t> negotiation(200);
    writer v(negotiation);
    quic::write_version_negotiation(v, hello.source.bytes(), hello.destination.bytes(), std::vector<std::uint32_t>{2}, 5);
    negotiation.resize(v.size());
    l.to_client(negotiation);
    EXPECT_EQ(l.at_client(drop_reason::unexpected_packet), 1u);
    EXPECT_EQ(l.told("_client"), pair("general", "unexpected packet"));
}

TEST(drop_reasons, integrity) {
    logged_pipe l;
    l.p.connect();
    l.p.run_for(1ms);
    const auto hello = quic::parse_packet(l.first, 8).header;
    const quic::connection_id source(std::vector<std::uint8_t>(8, 9));
    std::vector<std::uint8_t> d(200);
    writer w(d);
    quic::write_retry(w, quic::version::v1, source, hello.source, source, std::vector<std::uint8_t>(20), 0);
    d.resize(w.size());
    l.to_client(d);
    EXPECT_EQ(l.at_client(drop_reason::integrity), 1u);
    EXPECT_EQ(l.told("_client"), pair("invalid", "integrity"));
}

TEST(drop_reasons, wrong_connection_id) {
    logged_pipe l;
    ASSERT_TRUE(l.p.handshake());
    l.p.client_connection()->ping();
    l.p.run_for(1s);
    // A packet of the handshake whose source is not the one that the handshake established.
    const auto hello = quic::parse_packet(l.first, 8).header;
    std::vector<std::uint8_t> d(300);
    writer w(d);
    const quic::connection_id other(std::vector<std::uint8_t>(8, 9));
    const std::vector<std::uint8_t> none;
    const auto h = quic::write_long_header(w, quic::packet_type::handshake, quic::version::v1, hello.source, other, none, 0, 1);
    quic::set_packet_length(d, *h);
    l.to_client(d);
    EXPECT_EQ(l.at_client(drop_reason::wrong_connection_id), 1u);
    EXPECT_EQ(l.told("_client"), pair("connection_unknown", "wrong connection ID"));
}

TEST(drop_reasons, too_small) {
    logged_pipe l;
    ASSERT_TRUE(l.p.handshake());
    auto d = l.first;
    d.resize(quic::parse_packet(l.first, 8).header.size);
    // The same Initial with a Length that ends before 1200 bytes.
    const auto h = quic::parse_packet(d, 8).header;
    const auto length_at = h.number_offset - 2;
    d[length_at] = 0x44;
    d[length_at + 1] = 0;
    d.resize(h.number_offset + 0x400);
    ASSERT_LT(d.size(), 1200u);
    l.to_server(d);
    EXPECT_EQ(l.at_server(drop_reason::too_small), 1u);
    EXPECT_EQ(l.told("_server"), pair("invalid", "too small"));
}

TEST(drop_reasons, closed) {
    logged_pipe l;
    ASSERT_TRUE(l.p.handshake());
    l.p.client_connection()->ping();
    l.p.transmit_all();
    l.p.server_connection()->close(0, "", l.p.now);
    // The PING makes the server say once more that it closes; by then the client has heard.
    l.p.run_for(40ms);
    ASSERT_EQ(l.p.client_connection()->state(), quic::connection_state::draining);
    EXPECT_EQ(l.at_client(drop_reason::closed), 1u);
    EXPECT_EQ(l.told("_client"), pair("general", "closed"));
}

TEST(drop_reasons, of_datagrams_for_no_connection) {
    quic::endpoint server(pipe::defaults().server, 3);
    const auto give = [&](std::vector<std::uint8_t> bytes) {
        received_datagram in;
        in.path = {pipe::server_address, pipe::client_address};
        in.payload = bytes;
        server.receive(in, time_point{1h});
    };
    std::vector<std::uint8_t> d(100, 0x40);
    give(d);  // a short header, to nobody
    EXPECT_EQ(server.statistics().dropped[drop_reason::unknown_connection], 1u);
    give({});
    EXPECT_EQ(server.statistics().dropped[drop_reason::malformed], 1u);
    std::vector<std::uint8_t> handshake(300);
    writer w(handshake);
    const quic::connection_id id(std::vector<std::uint8_t>(8, 9));
    const std::vector<std::uint8_t> none;
    const auto h = quic::write_long_header(w, quic::packet_type::handshake, quic::version::v1, id, id, none, 0, 1);
    quic::set_packet_length(handshake, *h);
    give(handshake);
    EXPECT_EQ(server.statistics().dropped[drop_reason::unknown_connection], 2u);
    EXPECT_EQ(server.statistics().dropped.total(), 3u);
}

TEST(drop_reasons, all_have_names) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(drop_reason::count_); ++i) {
        EXPECT_NE(to_string(static_cast<drop_reason>(i)), "unknown") << i;
    }
    for (std::size_t i = 0; i < tcp::segment_drop_count; ++i)
        EXPECT_NE(to_string(static_cast<tcp::segment_drop>(i)), "unknown") << i;
}

// --- TCP

struct logged_hosts {
    logged_hosts() : net(1) {
        config.tracer = tcp::make_qlog_tracer(store);
        const ip_endpoint service{tcp::test::server_address, 80};
        net.server.listen(service, {.connection = config});
        client = net.client.connect({tcp::test::client_address, 0}, service, config, net.now);
        net.filter = [this](bool from_client, tcp::packet& p) {
            if (!from_client) latest = p;
            return true;
        };
        net.run_for(1s);
        while (const auto e = net.server.poll_event()) server = e->connection;
        net.server.find(server)->write(std::vector<std::uint8_t>(100));
        net.run_for(1s);
        latest.tcp.payload = {};
    }
    // Gives the client a segment that the server could have sent next, but for what `change` does to it.
    template <class F>
    void give(F change) {
        auto p = latest;
        p.tcp.flags = tcp::flag::ack;
        p.tcp.sequence = next();
        p.tcp.options.timestamps->value += 100;
        change(p);
        net.client.receive(p, net.now);
    }
    std::uint32_t next() const { return latest.tcp.sequence + 100; }
    std::uint64_t dropped(tcp::segment_drop why) {
        return net.client.find(client)->stats().dropped[static_cast<std::size_t>(why)];
    }
    std::string told() const {
        const auto log = read(store->of("_client"));
        const auto* last = log.all("tcp:segment_dropped").empty() ? nullptr : log.all("tcp:segment_dropped").back();
        return last == nullptr ? std::string() : std::string(last->data.at("trigger").as_string());
    }

    std::shared_ptr<memory_store> store = std::make_shared<memory_store>();
    tcp::config config;
    tcp::test::hosts net;
    tcp::connection_handle client, server;
    tcp::packet latest;
};

TEST(segment_drops, each_is_counted_and_told) {
    using tcp::segment_drop;
    const std::vector<std::uint8_t> byte(1);
    const auto check = [](segment_drop why, std::string_view trigger,
                          const std::function<void(logged_hosts&, tcp::packet&)>& change) {
        logged_hosts h;
        ASSERT_EQ(h.told(), "");
        h.give([&](tcp::packet& p) { change(h, p); });
        EXPECT_EQ(h.dropped(why), 1u) << trigger;
        EXPECT_EQ(h.told(), trigger);
    };
    check(segment_drop::old_timestamp, "old_timestamp", [&](auto&, auto& p) {
        p.tcp.payload = byte;
        p.tcp.options.timestamps->value -= 100'000;
    });
    check(segment_drop::out_of_window, "out_of_window", [&](auto&, auto& p) {
        p.tcp.payload = byte;
        p.tcp.sequence += 0x10000000;
    });
    check(segment_drop::bad_acknowledgment, "bad_acknowledgment", [](auto&, auto& p) { p.tcp.acknowledgment += 1000; });
    check(segment_drop::bad_reset, "bad_reset", [](auto&, auto& p) {
        p.tcp.flags = tcp::flag::rst | tcp::flag::ack;
        p.tcp.sequence += 5;
    });
    check(segment_drop::unexpected_syn, "unexpected_SYN", [](auto&, auto& p) { p.tcp.flags = tcp::flag::syn; });
    check(segment_drop::no_acknowledgment, "no_acknowledgment", [](auto&, auto& p) { p.tcp.flags = 0; });
}

TEST(segment_drops, too_many_holes) {
    logged_hosts h;
    const std::vector<std::uint8_t> byte(1);
    for (std::uint32_t i = 0; i <= receive_buffer::max_gaps; ++i) {
        h.give([&](tcp::packet& p) {
            p.tcp.payload = byte;
            p.tcp.sequence += 2 + 2 * i;
        });
    }
    EXPECT_GE(h.dropped(tcp::segment_drop::too_many_holes), 1u);
    EXPECT_EQ(h.told(), "too_many_holes");
}

}  // namespace
}  // namespace tandem::qlog::test
