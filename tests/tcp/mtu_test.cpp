// The path's MTU: probes (RFC 4821, RFC 8899), black holes, and ICMP that may be forged (RFC 1191, RFC 5927).
#include <gtest/gtest.h>

#include "tcp/hosts.hpp"
#include "tcp/script.hpp"

namespace tandem::tcp::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const ip_endpoint service{server_address, 80};

// A transfer over a path that drops what is larger than `carried`, and says so or not.
struct narrow_path : hosts {
    narrow_path(std::size_t largest, const config& c, bool tells, std::size_t size = 400'000)
        : hosts(4, {.rate = 10'000'000}), data(size), carried(largest) {
        EXPECT_TRUE(server.listen(service, {}));
        handle = client.connect({client_address, 0}, service, c, now);
        filter = [this, tells](bool from_client, packet& p) {
            if (packet_size(p) <= this->carried) return true;
            if (from_client && tells) told.push_back(p.tcp.sequence);
            return false;
        };
        application = [this] {
            while (const auto e = server.poll_event()) {
                if (e->what == event::accepted) accepted = e->connection;
            }
            while (client.poll_event()) {
            }
            if (auto* s = client.find(handle)) {
                for (const auto sequence : std::exchange(told, {})) {
                    s->on_packet_too_big(sequence, static_cast<std::uint16_t>(this->carried), now);
                }
                written += s->write(std::span(data).subspan(written));
            }
            if (auto* s = server.find(accepted)) {
                received += s->readable();
                s->consume(s->readable(), now);
            }
        };
    }
    bool finishes(duration limit) {
        return run_until([this] { return received == data.size(); }, limit);
    }
    connection& sender() { return *client.find(handle); }

    std::vector<std::uint8_t> data;
    std::size_t carried;
    std::size_t written = 0;
    std::uint64_t received = 0;
    connection_handle handle, accepted;
    std::vector<std::uint32_t> told;
};

config with(mtu_probing how) {
    config c;
    c.probing = how;
    return c;
}

TEST(path_mtu, probes_find_it) {
    narrow_path h(1420, with(mtu_probing::always), false, 3'000'000);
    ASSERT_TRUE(h.finishes(seconds(20)));
    EXPECT_LE(h.sender().path_mtu(), 1420);
    EXPECT_GT(h.sender().path_mtu(), 1420 - 17);
    EXPECT_EQ(h.sender().stats().timeouts, 0u);
    EXPECT_EQ(h.sender().stats().losses, h.sender().stats().mtu_probes_lost) << "nothing else was lost";
}

TEST(path_mtu, one_probe_where_the_path_carries_everything) {
    narrow_path h(1500, with(mtu_probing::always), false);
    ASSERT_TRUE(h.finishes(seconds(5)));
    EXPECT_EQ(h.sender().path_mtu(), 1500);
    EXPECT_EQ(h.sender().stats().mtu_probes_sent, 1u);
    EXPECT_EQ(h.sender().stats().retransmissions, 0u);
}

TEST(path_mtu, a_lost_probe_is_no_congestion) {
    narrow_path h(1280, with(mtu_probing::always), false, 1'000'000);
    std::uint64_t before = 0;
    const auto inner = h.application;
    h.application = [&] {
        inner();
        if (auto* s = h.client.find(h.handle); s && s->state() == state::established) {
            const auto window = s->congestion(h.now).congestion_window;
            EXPECT_GE(window, before);
            before = window;
        }
    };
    ASSERT_TRUE(h.finishes(seconds(5)));
    EXPECT_GE(h.sender().stats().mtu_probes_lost, 3u);
}

TEST(path_mtu, a_black_hole_is_found_by_timeouts_and_left_by_probes) {
    narrow_path h(1400, with(mtu_probing::after_black_hole), false, 2'000'000);
    ASSERT_TRUE(h.finishes(seconds(200)));
    EXPECT_EQ(h.sender().stats().mtu_black_holes, 1u);
    EXPECT_LE(h.sender().path_mtu(), 1400);
}

TEST(path_mtu, the_search_goes_on_after_a_black_hole) {
    narrow_path h(1400, with(mtu_probing::after_black_hole), false, 200'000);
    ASSERT_TRUE(h.finishes(seconds(30)));
    EXPECT_EQ(h.sender().path_mtu(), 1280);
    h.run_for(seconds(61));  // mtu_discovery::black_hole_pause
    h.data.resize(2'000'000);
    ASSERT_TRUE(h.finishes(seconds(30)));
    EXPECT_LE(h.sender().path_mtu(), 1400);
    EXPECT_GT(h.sender().path_mtu(), 1400 - 17);
}

TEST(path_mtu, a_very_narrow_black_hole) {
    narrow_path h(900, with(mtu_probing::after_black_hole), false, 50'000);
    ASSERT_TRUE(h.finishes(seconds(100)));
    EXPECT_EQ(h.sender().stats().mtu_black_holes, 2u);
    EXPECT_EQ(h.sender().path_mtu(), min_mtu_v4);
}

TEST(path_mtu, nothing_gets_through_a_black_hole_without_it) {
    narrow_path h(1400, with(mtu_probing::never), false);
    EXPECT_FALSE(h.finishes(seconds(100)));
}

TEST(path_mtu, icmp_makes_segments_smaller_at_once) {
    narrow_path h(1300, with(mtu_probing::never), true);
    ASSERT_TRUE(h.finishes(seconds(5)));
    EXPECT_EQ(h.sender().path_mtu(), 1300);
    EXPECT_EQ(h.sender().stats().timeouts, 0u);
}

TEST(path_mtu, a_larger_one_is_tried_ten_minutes_after_icmp) {  // RFC 1191 6.3
    narrow_path h(1300, with(mtu_probing::after_black_hole), true);
    ASSERT_TRUE(h.finishes(seconds(5)));
    EXPECT_EQ(h.sender().path_mtu(), 1300);
    h.carried = 1500;
    h.run_for(seconds(605));
    h.data.resize(1'000'000);
    ASSERT_TRUE(h.finishes(seconds(10)));
    EXPECT_EQ(h.sender().path_mtu(), 1500);
}

TEST(path_mtu, icmp_is_believed_only_about_what_is_in_flight) {  // RFC 5927 7
    narrow_path h(1500, {}, false);
    h.run_for(milliseconds(35));
    auto& s = h.sender();
    const auto first = s.oldest_unacknowledged();
    s.on_packet_too_big(first - 1, 600, h.now);
    s.on_packet_too_big(first + 10'000'000, 600, h.now);
    EXPECT_EQ(s.path_mtu(), 1500);
    s.on_packet_too_big(first, 1500, h.now);
    s.on_packet_too_big(first, 9000, h.now);
    EXPECT_EQ(s.path_mtu(), 1500);
    s.on_packet_too_big(first, 0, h.now);  // an old router: RFC 1191 7.1
    EXPECT_EQ(s.path_mtu(), 1492);
    s.on_packet_too_big(first, 68, h.now);
    EXPECT_EQ(s.path_mtu(), min_mtu_v4);
}

TEST(path_mtu, the_peers_mss_is_the_limit) {
    auto c = with(mtu_probing::always);
    hosts h(4);
    config small;
    small.mtu = 1300;
    ASSERT_TRUE(h.server.listen(service, {.connection = small}));
    const auto handle = h.client.connect({client_address, 0}, service, c, h.now);
    h.run_for(milliseconds(100));
    h.client.find(handle)->write(std::vector<std::uint8_t>(400'000));
    h.run_for(seconds(1));
    EXPECT_EQ(h.client.find(handle)->path_mtu(), 1300);
    EXPECT_LE(h.client.find(handle)->stats().mtu_probes_sent, 1u);
}

}  // namespace
}  // namespace tandem::tcp::test
