// Many connections on one endpoint: demultiplexing, listeners and their caps, ports, handles, ICMP, keep-alive.
#include <gtest/gtest.h>

#include <set>

#include <tandem/tcp/checksum.hpp>
#include <tandem/tcp/icmp.hpp>

#include "hex.hpp"
#include "tcp/hosts.hpp"
#include "tcp/script.hpp"

namespace tandem::tcp::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using tandem::test::from_hex;

const ip_endpoint service{server_address, 80};

std::vector<std::uint8_t> bytes_of(const packet& p) {
    std::vector<std::uint8_t> out(packet_size(p));
    EXPECT_EQ(write_packet(p, out), out.size());
    return out;
}

packet syn_from(std::uint32_t n) {
    packet p;
    p.source = ip_address::v4(172, 16, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n));
    p.destination = server_address;
    p.tcp.source_port = static_cast<std::uint16_t>(1024 + (n >> 16));
    p.tcp.destination_port = 80;
    p.tcp.sequence = n;
    p.tcp.flags = flag::syn;
    p.tcp.window = 65535;
    return p;
}

void give(endpoint& host, const packet& p, time_point now) {
    auto bytes = bytes_of(p);
    received_datagram in{.payload = bytes};
    host.receive(in, now);
}

std::vector<packet> take_all(endpoint& host, time_point now) {
    static std::vector<std::uint8_t> buffer(65536);
    std::vector<packet> out;
    train t;
    t.buffer = buffer;
    while (host.transmit(now, t)) {
        for (std::size_t i = 0; i < t.count(); ++i) {
            EXPECT_EQ(parse_packet(t.datagram(i), out.emplace_back()), drop_reason::none);
            out.back().tcp.payload = {};
        }
    }
    return out;
}

TEST(endpoint, many_connections_between_two_hosts) {
    hosts net(5);
    ASSERT_TRUE(net.server.listen(service, {}));
    std::vector<connection_handle> handles;
    for (int i = 0; i < 100; ++i) {
        handles.push_back(net.client.connect({client_address, 0}, service, {}, net.now));
        ASSERT_TRUE(handles.back());
    }
    std::size_t accepted = 0;
    std::size_t connected = 0;
    net.application = [&] {
        while (const auto e = net.server.poll_event()) {
            if (e->what == event::accepted) {
                ++accepted;
                EXPECT_EQ(e->listener, service);
            }
            if (e->what == event::readable) {
                std::uint8_t byte;
                net.server.find(e->connection)->read({&byte, 1}, net.now);
                net.server.find(e->connection)->write({&byte, 1});
            }
        }
        while (const auto e = net.client.poll_event()) {
            if (e->what != event::connected) continue;
            const auto mine = static_cast<std::uint8_t>(connected++);
            net.client.find(e->connection)->write({&mine, 1});
        }
    };
    net.run_for(seconds(2));
    EXPECT_EQ(accepted, 100u);
    std::set<std::uint8_t> echoed;
    for (const auto h : handles) {
        std::uint8_t byte = 0;
        ASSERT_EQ(net.client.find(h)->read({&byte, 1}, net.now), 1u);
        echoed.insert(byte);
        net.client.release(h, net.now);
    }
    EXPECT_EQ(echoed.size(), 100u);
    net.run_for(seconds(2));
    EXPECT_EQ(net.client.find(handles[0])->state(), state::fin_wait_2);
}

TEST(endpoint, version_6) {
    hosts net(5);
    const ip_endpoint local{*ip_address::parse("fd00::1"), 0};
    const ip_endpoint remote{*ip_address::parse("fd00::2"), 443};
    ASSERT_TRUE(net.server.listen({ip_address{{}, true}, 443}, {}));
    const auto h = net.client.connect(local, remote, {}, net.now);
    net.run_for(seconds(1));
    ASSERT_EQ(net.client.find(h)->state(), state::established);
    EXPECT_EQ(net.client.find(h)->send_mss(), 1428);                               // 1500 - 40 - 20 - 12
    EXPECT_EQ(net.client.find(h)->congestion(net.now).congestion_window, 14520u);  // ten times 1500 - 40 - 8
}

TEST(endpoint, a_handle_does_not_outlive_its_connection) {
    hosts net(5);
    const auto h = net.client.connect({client_address, 0}, service, {}, net.now);  // nobody listens
    net.run_for(seconds(1));
    EXPECT_EQ(net.client.poll_event()->what, event::refused);
    EXPECT_FALSE(net.client.poll_event());
    EXPECT_EQ(net.client.find(h), nullptr);
    const auto again = net.client.connect({client_address, 0}, service, {}, net.now);
    EXPECT_EQ(again.slot, h.slot);
    EXPECT_EQ(net.client.find(h), nullptr);
    EXPECT_NE(net.client.find(again), nullptr);
    net.client.release(h, net.now);  // names nothing
    EXPECT_EQ(net.client.find(again)->state(), state::syn_sent);
}

TEST(endpoint, ports) {
    endpoint host({.first_ephemeral_port = 60000, .last_ephemeral_port = 60002}, random_source(1));
    connect_error error{};
    const auto connect = [&](std::uint16_t port, ip_endpoint to = service) {
        return host.connect({client_address, port}, to, {}, start_time, &error);
    };
    std::set<std::uint16_t> used;
    for (int i = 0; i < 3; ++i) used.insert(host.find(connect(0))->path().local.port);
    EXPECT_EQ(used, (std::set<std::uint16_t>{60000, 60001, 60002}));
    EXPECT_FALSE(connect(0));
    EXPECT_EQ(error, connect_error::no_free_port);
    EXPECT_TRUE(connect(0, {server_address, 81})) << "the port is free towards another service";
    EXPECT_FALSE(connect(60001));
    EXPECT_EQ(error, connect_error::port_in_use);
    EXPECT_FALSE(connect(0, {server_address, 0}));
    EXPECT_EQ(error, connect_error::bad_address);
    EXPECT_FALSE(connect(0, {ip_address::v4(0, 0, 0, 0), 80}));
    EXPECT_FALSE(connect(0, {*ip_address::parse("::1"), 80}));
}

TEST(endpoint, listeners) {
    endpoint host({}, random_source(1));
    EXPECT_TRUE(host.listen(service, {}));
    EXPECT_FALSE(host.listen(service, {}));
    host.close_listener(service);
    give(host, syn_from(1), start_time);
    EXPECT_EQ(take_all(host, start_time).at(0).tcp.flags, flag::rst | flag::ack);
    EXPECT_TRUE(host.listen(service, {}));
}

TEST(endpoint, half_open_connections_are_capped) {  // a SYN flood costs max_half_open connections, no more
    endpoint host({}, random_source(1));
    ASSERT_TRUE(host.listen(
        service, {.connection = {.handshake_timeout = seconds(10)}, .max_half_open = 50, .syn_cookies = cookie_use::never}));
    for (std::uint32_t i = 0; i < 100'000; ++i) give(host, syn_from(i), start_time);
    EXPECT_EQ(host.half_open_count(), 50u);
    EXPECT_EQ(host.connection_count(), 50u);
    EXPECT_EQ(host.stats().half_open_overflows, 99'950u);
    EXPECT_EQ(take_all(host, start_time).size(), 50u);
    // They go away by themselves, and then others can connect.
    auto now = start_time;
    while (const auto next = host.next_timeout()) {
        now = *next;
        host.on_timeout(now);
        take_all(host, now);
        while (host.poll_event()) ADD_FAILURE() << "nobody was told of them";
    }
    EXPECT_EQ(host.half_open_count(), 0u);
    EXPECT_EQ(host.connection_count(), 0u);
    give(host, syn_from(7), now);
    EXPECT_EQ(host.half_open_count(), 1u);
}

TEST(endpoint, connections_that_nobody_accepts_are_capped) {
    endpoint host({}, random_source(1));
    ASSERT_TRUE(host.listen(service, {.backlog = 3}));
    for (std::uint32_t i = 0; i < 5; ++i) {
        give(host, syn_from(i), start_time);
        for (const auto& answer : take_all(host, start_time)) {
            auto ack = syn_from(i);
            ack.tcp.flags = flag::ack;
            ++ack.tcp.sequence;
            ack.tcp.acknowledgment = answer.tcp.sequence + 1;
            give(host, ack, start_time);
        }
    }
    EXPECT_EQ(host.connection_count(), 3u);
    EXPECT_EQ(host.stats().backlog_overflows, 2u);
    EXPECT_EQ(host.poll_event()->what, event::accepted);
    give(host, syn_from(9), start_time);
    EXPECT_EQ(host.half_open_count(), 1u);
}

TEST(endpoint, all_connections_are_capped) {
    endpoint host({.max_connections = 10}, random_source(1));
    ASSERT_TRUE(host.listen(service, {}));
    for (std::uint32_t i = 0; i < 20; ++i) give(host, syn_from(i), start_time);
    EXPECT_EQ(host.connection_count(), 10u);
    connect_error error{};
    EXPECT_FALSE(host.connect({server_address, 0}, {client_address, 1}, {}, start_time, &error));
}

TEST(endpoint, resets_to_strangers_are_capped) {
    endpoint host({.resets_per_second = 100}, random_source(1));
    std::size_t sent = 0;
    for (std::uint32_t i = 0; i < 10'000; ++i) {
        give(host, syn_from(i), start_time + std::chrono::microseconds(i));
        if (i % 10 == 0) sent += take_all(host, start_time).size();
    }
    sent += take_all(host, start_time).size();
    EXPECT_EQ(sent, 100u);
    EXPECT_EQ(host.stats().resets_suppressed, 9'900u);
    for (std::uint32_t i = 0; i < 1000; ++i) give(host, syn_from(i), start_time + seconds(2));
    EXPECT_EQ(take_all(host, start_time + seconds(2)).size(), endpoint::max_queued_resets);
}

TEST(endpoint, malformed_packets_are_counted_and_forgotten) {
    endpoint host({}, random_source(1));
    ASSERT_TRUE(host.listen(service, {}));
    auto bytes = bytes_of(syn_from(1));
    bytes.back() ^= 1;
    received_datagram in{.payload = bytes};
    host.receive(in, start_time);
    in.payload = in.payload.first(10);
    host.receive(in, start_time);
    EXPECT_EQ(host.stats().packets_dropped, 2u);
    EXPECT_EQ(host.stats().bad_checksums, 1u);
    EXPECT_EQ(host.connection_count(), 0u);
}

// Nothing is kept of a fragment, so that nobody can fill memory with first halves, and the rest of a segment cannot be forged.
TEST(endpoint, fragments_are_counted_and_forgotten) {
    endpoint host({}, random_source(1));
    ASSERT_TRUE(host.listen(service, {}));
    for (unsigned offset = 0; offset < 1000; ++offset) {
        auto bytes = bytes_of(syn_from(offset));
        bytes[6] = static_cast<std::uint8_t>(0x20 | offset >> 8);  // more fragments follow
        bytes[7] = static_cast<std::uint8_t>(offset);
        bytes[10] = bytes[11] = 0;
        checksum sum;
        sum.add(std::span(bytes).first(20));
        sum.store(bytes.data() + 10);
        received_datagram in{.payload = bytes};
        host.receive(in, start_time);
    }
    EXPECT_EQ(host.stats().fragments_dropped, 1000u);
    EXPECT_EQ(host.stats().packets_dropped, 1000u);
    EXPECT_EQ(host.connection_count(), 0u);
    EXPECT_TRUE(take_all(host, start_time).empty());
}

// ICMP around a segment of ours, as a router sends it.
std::vector<std::uint8_t> icmp(std::uint8_t type, std::uint8_t code, std::uint16_t mtu, std::span<const std::uint8_t> about) {
    const auto quoted = about.first(28);
    std::vector<std::uint8_t> out(28 + quoted.size());
    write_ip_header({ip_address::v4(10, 9, 9, 9), client_address, protocol::icmp, 64, 0, ecn::not_ect, {}}, 8 + quoted.size(),
                    out.data());
    out[20] = type;
    out[21] = code;
    out[26] = static_cast<std::uint8_t>(mtu >> 8);
    out[27] = static_cast<std::uint8_t>(mtu);
    std::copy(quoted.begin(), quoted.end(), out.begin() + 28);
    checksum sum;
    sum.add(std::span(out).subspan(20));
    sum.store(out.data() + 22);
    return out;
}

struct connecting {
    endpoint host{{}, random_source(1)};
    connection_handle handle = host.connect({client_address, 0}, service, {}, start_time);
    std::vector<std::uint8_t> syn = std::vector<std::uint8_t>(2000);
    connecting() {
        train t;
        t.buffer = syn;
        EXPECT_TRUE(host.transmit(start_time, t));
        syn.resize(t.size);
    }
    std::optional<event> after(std::vector<std::uint8_t> bytes) {
        received_datagram in{.payload = bytes};
        host.receive(in, start_time);
        const auto e = host.poll_event();
        return e ? std::optional(e->what) : std::nullopt;
    }
};

TEST(icmp, errors_while_connecting) {  // RFC 9293 3.9.2.2, RFC 5927
    EXPECT_EQ(connecting().after({}), std::nullopt);
    {
        connecting c;
        EXPECT_EQ(c.after(icmp(3, 3, 0, c.syn)), event::refused);
    }
    {
        connecting c;
        EXPECT_EQ(c.after(icmp(3, 2, 0, c.syn)), event::refused);
    }
    {
        connecting c;
        EXPECT_EQ(c.after(icmp(3, 1, 0, c.syn)), event::unreachable);
    }
    {
        connecting c;
        EXPECT_EQ(c.after(icmp(3, 13, 0, c.syn)), event::unreachable);
    }
    {
        connecting c;
        EXPECT_EQ(c.after(icmp(4, 0, 0, c.syn)), std::nullopt);
    }  // source quench: RFC 9293 MUST-55
    {
        connecting c;
        EXPECT_EQ(c.after(icmp(11, 0, 0, c.syn)), std::nullopt);
    }  // time exceeded
    connecting c;
    auto forged = c.syn;
    forged[24] ^= 1;  // another sequence number
    EXPECT_EQ(c.after(icmp(3, 3, 0, forged)), std::nullopt);
    auto bad = icmp(3, 3, 0, c.syn);
    bad[22] ^= 1;
    EXPECT_EQ(c.after(bad), std::nullopt);
    EXPECT_EQ(c.host.find(c.handle)->state(), state::syn_sent);
}

TEST(icmp, version_6) {
    const auto quote =
        from_hex("60000000001406402001 0db8000000000000000000000001 20010db8000000000000000000000002 1f90005001020304");
    std::vector<std::uint8_t> bytes(48 + quote.size());
    const auto router = *ip_address::parse("fe80::1");
    const auto us = *ip_address::parse("2001:db8::1");
    write_ip_header({router, us, protocol::icmp_v6, 64, 0, ecn::not_ect, {}}, 8 + quote.size(), bytes.data());
    bytes[40] = 2;
    bytes[46] = 0x05;
    bytes[47] = 0x00;
    std::copy(quote.begin(), quote.end(), bytes.begin() + 48);
    checksum sum;
    sum.add_pseudo_header(router, us, protocol::icmp_v6, 8 + quote.size());
    sum.add(std::span(bytes).subspan(40));
    sum.store(bytes.data() + 42);
    const auto e = parse_icmp_error(bytes);
    ASSERT_TRUE(e);
    EXPECT_EQ(e->what, icmp_error::kind::packet_too_big);
    EXPECT_EQ(e->mtu, 1280);
    EXPECT_EQ(e->path.local, (ip_endpoint{us, 8080}));
    EXPECT_EQ(e->path.remote.port, 80);
    EXPECT_EQ(e->sequence, 0x01020304u);
}

TEST(icmp, smaller_path_mtu) {  // RFC 1191
    hosts net(5);
    ASSERT_TRUE(net.server.listen(service, {}));
    const auto h = net.client.connect({client_address, 0}, service, {}, net.now);
    net.run_for(milliseconds(100));
    std::size_t largest_seen = 0;
    std::size_t refused = 0;
    net.filter = [&](bool from_client, packet& p) {
        if (!from_client) return true;
        if (packet_size(p) <= 1000) {
            largest_seen = std::max(largest_seen, packet_size(p));
            return true;
        }
        ++refused;
        net.inject(true, icmp(3, 4, 1000, bytes_of(p)));
        return false;
    };
    auto* c = net.client.find(h);
    const auto window = c->congestion(net.now).congestion_window;
    c->write(std::vector<std::uint8_t>(10'000));
    net.run_for(seconds(2));
    EXPECT_EQ(c->unacknowledged(), 0u);
    EXPECT_EQ(c->send_mss(), 1000 - 40 - 12);
    EXPECT_EQ(largest_seen, 1000u);
    EXPECT_LE(refused, 10u);
    EXPECT_EQ(c->stats().timeouts, 0u);
    EXPECT_GE(c->congestion(net.now).congestion_window, window) << "it was no congestion";
}

TEST(icmp, a_tiny_path_mtu_is_not_believed) {
    hosts net(5);
    ASSERT_TRUE(net.server.listen(service, {}));
    const auto h = net.client.connect({client_address, 0}, service, {}, net.now);
    net.run_for(milliseconds(100));
    bool once = true;
    net.filter = [&](bool from_client, packet& p) {
        if (from_client && once && !p.tcp.payload.empty()) {
            once = false;
            net.inject(true, icmp(3, 4, 68, bytes_of(p)));
        }
        return true;
    };
    net.client.find(h)->write(std::vector<std::uint8_t>(10'000));
    net.run_for(seconds(2));
    EXPECT_EQ(net.client.find(h)->send_mss(), min_mtu_v4 - 40 - 12);
    EXPECT_EQ(net.client.find(h)->unacknowledged(), 0u);
}

TEST(endpoint, hop_limit_and_differentiated_services_are_the_application_s) {  // RFC 9293 MUST-48, MUST-49
    endpoint host({}, random_source(1));
    for (const auto& [local, remote] :
         {std::pair{client_address, server_address}, std::pair{*ip_address::parse("fd00::1"), *ip_address::parse("fd00::2")}}) {
        host.connect({local, 0}, {remote, 80}, {.hop_limit = 7, .dscp = 46}, start_time);
        const auto sent = take_all(host, start_time);
        ASSERT_EQ(sent.size(), 1u);
        EXPECT_EQ(sent[0].hop_limit, 7);
        EXPECT_EQ(sent[0].dscp, 46);
        EXPECT_EQ(sent[0].mark, ecn::not_ect);
    }
}

TEST(keepalive, is_off_unless_asked_for) {  // RFC 9293 MUST-25
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run("1000000 state ESTABLISHED");
}

TEST(keepalive, probes_and_gives_up) {  // RFC 9293 3.8.4
    auto c = script::no_timestamps();
    c.keepalive = keepalive_config{.idle = seconds(10), .interval = seconds(1), .probes = 3};
    script s(c);
    s.run(script::connected);
    s.run(R"(
        10.100 > . 0:0(0) ack 1
        10.200 < . 1:1(0) ack 1 win 65535
        20.200 > . 0:0(0) ack 1
        21.200 > . 0:0(0) ack 1
        22.200 > . 0:0(0) ack 1
        23.200 > R. 1:1(0) ack 1
        23.200 event timed_out
        23.200 gone
    )");
}

TEST(keepalive, of_the_peer_is_answered) {
    script s(script::no_timestamps());
    s.run(script::connected);
    s.run(R"(
        10.0 < . 0:0(0) ack 1 win 65535
        10.0 > . 1:1(0) ack 1
        20.0 < . 0:1(1) ack 1 win 65535
        20.0 > . 1:1(0) ack 1
    )");
}

}  // namespace
}  // namespace tandem::tcp::test
