#include <tandem/net/detail/super_segment.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <tandem/net/detail/tun_setup.hpp>
#include <tandem/net/tun_device.hpp>
#include <tandem/tcp/segment.hpp>

namespace tandem::net::detail {
namespace {

using tcp::packet;

// A train of segments of one stream.
class SuperSegment : public testing::Test {
protected:
    packet make(std::uint32_t sequence, std::size_t size, bool v6 = false, std::uint8_t flags = tcp::flag::ack) {
        packet p;
        p.source = v6 ? *ip_address::parse("2001:db8::1") : ip_address::v4(10, 0, 0, 1);
        p.destination = v6 ? *ip_address::parse("2001:db8::2") : ip_address::v4(10, 0, 0, 2);
        p.tcp.source_port = 1;
        p.tcp.destination_port = 2;
        p.tcp.sequence = sequence;
        p.tcp.acknowledgment = 77;
        p.tcp.window = 1000;
        p.tcp.flags = flags;
        p.tcp.options.timestamps = tcp::timestamp_option{1, 2};
        for (std::size_t i = 0; i < size; ++i) bytes_[i] = static_cast<std::uint8_t>(sequence + i);
        p.tcp.payload = {bytes_.data(), size};
        return p;
    }
    void add(const packet& p, bool pending = true) {
        const auto n = tcp::write_packet(p, std::span(memory_).subspan(t_.size), {.checksum_pending = pending});
        ASSERT_GT(n, 0U);
        if (t_.segment_size == 0) t_.segment_size = n;
        t_.size += n;
    }
    // What the kernel would read, without the virtio header.
    std::vector<std::uint8_t> written() const {
        std::vector<std::uint8_t> out;
        for (const auto& p : made_.pieces()) {
            const auto* b = static_cast<const std::uint8_t*>(p.iov_base);
            out.insert(out.end(), b, b + p.iov_len);
        }
        return out;
    }
    packet parsed() {
        whole_ = written();
        packet out;
        EXPECT_EQ(tcp::parse_packet(std::span(whole_).subspan(virtio_header_size), out, {.checksum_pending = true}),
                  tcp::drop_reason::none);
        return out;
    }
    std::uint16_t field(std::size_t at) const {
        std::uint16_t v;
        std::memcpy(&v, static_cast<const std::uint8_t*>(made_.pieces()[0].iov_base) + at, 2);
        return v;
    }

    std::vector<std::uint8_t> memory_ = std::vector<std::uint8_t>(65536), bytes_ = std::vector<std::uint8_t>(2000), whole_;
    train t_{.buffer = memory_};
    super_segment made_;
};

TEST_F(SuperSegment, JoinsWhatIsContiguous) {
    for (const bool v6 : {false, true}) {
        t_.size = t_.segment_size = 0;
        for (std::uint32_t i = 0; i < 3; ++i) add(make(1000 + i * 500, 500, v6));
        add(make(2500, 200, v6, tcp::flag::ack | tcp::flag::psh));
        EXPECT_EQ(made_.gather(t_, 0, true, true), t_.size);
        EXPECT_EQ(made_.packets(), 4U);
        const auto p = parsed();
        EXPECT_EQ(p.tcp.sequence, 1000U);
        ASSERT_EQ(p.tcp.payload.size(), 1700U);
        for (std::size_t i = 0; i < 1700; ++i) ASSERT_EQ(p.tcp.payload[i], static_cast<std::uint8_t>(1000 + i));
        EXPECT_TRUE(p.tcp.has(tcp::flag::psh));
        EXPECT_EQ(field(4), 500);           // gso_size
        EXPECT_EQ(field(6), v6 ? 40 : 20);  // csum_start
    }
}

TEST_F(SuperSegment, StopsWhereSegmentsDoNotBelongTogether) {
    add(make(1000, 500));
    add(make(1500, 500));
    add(make(3000, 500));  // a retransmission elsewhere
    const auto first = made_.gather(t_, 0, true, true);
    EXPECT_EQ(made_.packets(), 2U);
    EXPECT_EQ(made_.gather(t_, first, true, true), t_.size - first);
    EXPECT_EQ(made_.packets(), 1U);
    EXPECT_EQ(parsed().tcp.sequence, 3000U);
    EXPECT_EQ(field(4), 0);
}

TEST_F(SuperSegment, AnotherAcknowledgmentWindowOptionOrMarkIsAnotherPacket) {
    for (int what = 0; what < 4; ++what) {
        t_.size = t_.segment_size = 0;
        add(make(1000, 500));
        auto p = make(1500, 500);
        if (what == 0) p.tcp.acknowledgment++;
        if (what == 1) p.tcp.window++;
        if (what == 2) p.tcp.options.timestamps->value++;
        if (what == 3) p.mark = ecn::ect0;
        add(p);
        made_.gather(t_, 0, true, true);
        EXPECT_EQ(made_.packets(), 1U) << what;
    }
}

TEST_F(SuperSegment, FlagsOfTheConnectionsEndsStayApart) {
    add(make(1000, 500, false, tcp::flag::ack | tcp::flag::psh));
    add(make(1500, 500));
    made_.gather(t_, 0, true, true);
    EXPECT_EQ(made_.packets(), 1U);  // PSH ends a super-segment
    t_.size = t_.segment_size = 0;
    add(make(1000, 500));
    add(make(1500, 500, false, tcp::flag::ack | tcp::flag::rst));
    made_.gather(t_, 0, true, true);
    EXPECT_EQ(made_.packets(), 1U);
}

TEST_F(SuperSegment, WithoutOffloadsPacketsGoAsTheyAre) {
    add(make(1000, 500), false);
    add(make(1500, 500), false);
    EXPECT_EQ(made_.gather(t_, 0, false, false), t_.segment_size);
    const auto out = written();
    EXPECT_EQ(std::vector<std::uint8_t>(out.begin(), out.begin() + virtio_header_size),
              std::vector<std::uint8_t>(virtio_header_size));
    packet p;
    EXPECT_EQ(tcp::parse_packet(std::span(out).subspan(virtio_header_size), p), tcp::drop_reason::none);  // its checksum is right
}

TEST_F(SuperSegment, WhatIsNotTcpGoesAsItIs) {
    std::vector<std::uint8_t> ping(28);
    ip_address a = ip_address::v4(10, 0, 0, 1), b = ip_address::v4(10, 0, 0, 2);
    tcp::write_ip_header({a, b, tcp::protocol::icmp}, 8, ping.data());
    train t{.buffer = ping};
    t.size = t.segment_size = ping.size();
    EXPECT_EQ(made_.gather(t, 0, true, true), ping.size());
    EXPECT_EQ(static_cast<const std::uint8_t*>(made_.pieces()[0].iov_base)[0], 0);  // no checksum is pending
}

TEST_F(SuperSegment, NeverLongerThanAnIpPacket) {
    std::vector<std::uint8_t> memory(90'000);
    t_.buffer = memory;
    for (std::uint32_t i = 0; i < 50; ++i) {
        const auto n = tcp::write_packet(make(i * 1448, 1448), std::span(memory).subspan(t_.size), {.checksum_pending = true});
        t_.segment_size = n;
        t_.size += n;
    }
    const auto covered = made_.gather(t_, 0, true, true);
    EXPECT_EQ(made_.packets(), 45U);  // 45 * 1448 + 52 <= 65535
    EXPECT_EQ(parsed().tcp.payload.size(), 45U * 1448);
    made_.gather(t_, covered, true, true);
    EXPECT_EQ(made_.packets(), 5U);
}

TEST(TunAddress, IsOursAndMaybeTheKernels) {
    const auto plain = parse_tun_address("10.7.0.2/24");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->prefix, 24U);
    EXPECT_EQ(kernel_address(*plain), ip_address::v4(10, 7, 0, 1));
    EXPECT_EQ(kernel_address(*parse_tun_address("10.7.0.1/24")), ip_address::v4(10, 7, 0, 2));
    EXPECT_EQ(kernel_address(*parse_tun_address("10.7.0.9/30")), ip_address::v4(10, 7, 0, 10));
    EXPECT_EQ(kernel_address(*parse_tun_address("fd00::2")), *ip_address::parse("fd00::1"));
    EXPECT_EQ(kernel_address(*parse_tun_address("10.7.0.2/24,10.7.0.9")), ip_address::v4(10, 7, 0, 9));
    for (const char* bad : {"", "10.7.0", "10.7.0.2/", "10.7.0.2/33", "10.7.0.2/31", "10.7.0.2/0", "10.7.0.2/24,",
                            "10.7.0.2/24,fd00::1", "10.7.0.2/24,10.7.0.2", "10.7.0.2/x"}) {
        EXPECT_FALSE(parse_tun_address(bad)) << bad;
    }
}

TEST(TunDevice, SaysWhatIsWrongWithItsOptions) {
    boost::asio::io_context io;
    const auto why = [&](const tun_options& o) {
        tun_error e;
        EXPECT_EQ(tun_device::open(io.get_executor(), o, e), nullptr);
        EXPECT_TRUE(e);
        return e.what;
    };
    tun_options o;
    EXPECT_EQ(why(o), "a TUN device needs the address of our end");
    o.addresses = {*parse_tun_address("10.7.0.2"), *parse_tun_address("10.8.0.2")};
    EXPECT_EQ(why(o), "a TUN device takes one address of a family");
    o.addresses.pop_back();
    o.mtu = 100;
    EXPECT_EQ(why(o), "an MTU of 100 is too small");
    o.mtu = 1500;
    o.name = "a-name-that-is-too-long";
    EXPECT_NE(why(o).find("is no name for a network device"), std::string::npos);
}

}  // namespace
}  // namespace tandem::net::detail
