// Requirements of RFC 9293 that no script of one connection can show (tests/conformance/rfc9293.txt).
#include <gtest/gtest.h>

#include <tandem/tcp/endpoint.hpp>

#include "hex.hpp"
#include "tcp/hosts.hpp"

namespace tandem::tcp::test {
namespace {

using tandem::test::from_hex;

const ip_endpoint service{server_address, 80};

connection_handle connect(hosts& h, ip_endpoint from, ip_endpoint to) {
    const auto handle = h.client.connect(from, to, {}, h.now);
    h.run_for(std::chrono::milliseconds(100));
    return handle;
}

// RFC 9293 3.2, MUST-64.
TEST(rfc9293, options_at_any_alignment) {
    // NOP, MSS 1000 at an odd place, NOP, NOP, SACK permitted at another, end.
    const auto bytes = from_hex("0fa0 1f90 00000001 00000000 8002 ffff 0000 0000 01 020403e8 0101 0402 00 0000");
    const auto parsed = parse_segment(bytes);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->options.mss, 1000);
    EXPECT_TRUE(parsed->options.sack_permitted);
}

// RFC 9293 3.9.1.1, MUST-41.
TEST(rfc9293, a_listener_does_not_disturb_a_connection_on_its_port) {
    hosts h(1);
    h.server.listen(service, {});
    const auto first = connect(h, {client_address, 0}, service);
    ASSERT_TRUE(h.client.find(first));
    h.server.close_listener(service);
    ASSERT_TRUE(h.server.listen(service, {}));
    const auto second = connect(h, {client_address, 0}, service);
    EXPECT_EQ(h.client.find(first)->state(), state::established);
    EXPECT_EQ(h.client.find(second)->state(), state::established);
}

// MUST-42.
TEST(rfc9293, two_addresses_listen_on_one_port) {
    hosts h(2);
    const ip_endpoint other{ip_address::v4(10, 0, 0, 3), service.port};
    EXPECT_TRUE(h.server.listen(service, {}));
    EXPECT_TRUE(h.server.listen(other, {}));
    EXPECT_FALSE(h.server.listen(other, {}));
    for (const auto& to : {service, other}) {
        const auto handle = connect(h, {client_address, 0}, to);
        EXPECT_EQ(h.client.find(handle)->state(), state::established);
        EXPECT_EQ(h.client.find(handle)->path().remote, to);
    }
}

// MUST-43, MUST-45.
TEST(rfc9293, the_local_address_is_the_caller_s) {
    hosts h(3);
    h.server.listen(service, {});
    const ip_endpoint local{ip_address::v4(10, 0, 0, 77), 4711};
    std::size_t seen = 0;
    h.filter = [&](bool from_client, packet& p) {
        seen += (from_client ? p.source : p.destination) == local.address;
        return true;
    };
    const auto handle = connect(h, local, service);
    EXPECT_EQ(h.client.find(handle)->state(), state::established);
    EXPECT_EQ(h.client.find(handle)->path().local, local);
    EXPECT_EQ(seen, h.packets);
}

// MUST-46.
TEST(rfc9293, no_connection_to_many) {
    hosts h(4);
    for (const char* text : {"224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "0.0.0.0"}) {
        connect_error why{};
        EXPECT_FALSE(h.client.connect({client_address, 0}, {*ip_address::parse(text), 80}, {}, h.now, &why)) << text;
        EXPECT_EQ(why, connect_error::bad_address);
    }
    connect_error why{};
    EXPECT_FALSE(h.client.connect({*ip_address::parse("2001:db8::1"), 0}, {*ip_address::parse("ff02::1"), 80}, {}, h.now, &why));
    EXPECT_EQ(why, connect_error::bad_address);
}

// RFC 9293 3.10.7.4, MUST-58, MUST-59: what was received together is acknowledged once, when all of it was looked at.
TEST(rfc9293, a_batch_is_acknowledged_once) {
    hosts h(5);
    h.server.listen(service, {});
    const auto handle = connect(h, {client_address, 0}, service);
    std::vector<std::uint8_t> data(8 * 1460);
    ASSERT_EQ(h.client.find(handle)->write(data), data.size());
    std::vector<std::uint8_t> buffer(65536);
    train out;
    out.buffer = buffer;
    std::size_t segments = 0;
    while (h.client.transmit(h.now, out)) {
        for (std::size_t i = 0; i < out.count(); ++i, ++segments) {
            received_datagram in{.payload = out.datagram(i)};
            h.server.receive(in, h.now);
        }
    }
    ASSERT_GE(segments, 8u);
    ASSERT_TRUE(h.server.transmit(h.now, out));
    EXPECT_EQ(out.count(), 1u);
    packet p;
    ASSERT_EQ(parse_packet(out.datagram(0), p), drop_reason::none);
    EXPECT_TRUE(p.tcp.payload.empty());
    EXPECT_FALSE(h.server.transmit(h.now, out));
}

}  // namespace
}  // namespace tandem::tcp::test
