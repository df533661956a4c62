#include "tcp_scenario.hpp"

#include <gtest/gtest.h>

#include <array>

#include "allocation_counter.hpp"
#include "segment_referee.hpp"
#include "tcp/hosts.hpp"

namespace tandem::tcp::test {

using namespace std::chrono_literals;
using namespace tandem::test;

namespace {

// What the whole program may hold at one time for a pair of connections and the segments between them, in bytes.
constexpr std::uint64_t memory_limit = 4 * 1024 * 1024;
const ip_endpoint client_end{client_address, 50000}, server_end{server_address, 80};

std::uint8_t pattern(bool from_client, std::uint64_t offset) {
    return static_cast<std::uint8_t>(offset * 31 + (offset >> 8) * 7 + (from_client ? 13 : 0));
}

// One side's application: writes its bytes and ends its half, reads and checks the other's.
class application {
public:
    application(endpoint& host, bool client) : host_(host), client_(client) {}

    void poll() {
        while (const auto e = host_.poll_event()) {
            handle = e->connection;
            ready_ |= e->what == event::accepted || e->what == event::connected;
            EXPECT_TRUE(!is_final(e->what) || e->what == event::closed) << to_string(e->what);
        }
    }
    bool ready() const { return ready_; }
    void step(time_point now) {
        auto* c = host_.find(handle);
        if (c == nullptr || !ready_) return;
        std::array<std::uint8_t, 16384> chunk;
        while (written_ < size()) {
            const auto n = std::min<std::uint64_t>(chunk.size(), size() - written_);
            for (std::size_t i = 0; i < n; ++i) chunk[i] = pattern(client_, written_ + i);
            const auto taken = c->write(std::span(chunk).first(n));
            written_ += taken;
            if (taken < n) break;
        }
        if (written_ == size()) c->shutdown_send();
        while (const auto n = c->read(chunk, now)) {
            for (std::size_t i = 0; i < n; ++i) {
                ASSERT_EQ(chunk[i], pattern(!client_, received_ + i)) << "at " << received_ + i;
            }
            received_ += n;
        }
        if (c->at_end()) ended_ = true;
    }
    std::uint64_t received() const { return received_; }
    bool done() const { return ended_; }

    connection_handle handle;

private:
    std::uint64_t size() const { return client_ ? bytes_up : bytes_down; }

    endpoint& host_;
    bool client_;
    bool ready_ = false, ended_ = false;
    std::uint64_t written_ = 0, received_ = 0;
};

config config_for(const path_scenario& s) {
    config c;
    c.handshake_timeout = c.user_timeout = handshake_limit;
    if (s.find_mtu) c.probing = mtu_probing::always;
    if (s.ask_ecn) c.ecn = ecn_use::always;
    if (s.small_window) c.receive_window = c.max_receive_window = window_size;
    return c;
}

// What a damaged packet may cost is itself: it counts as one that was dropped, and nobody hears of it.
void check_damage(const hosts& net, std::uint64_t damaged) {
    EXPECT_LE(net.client.stats().packets_dropped + net.server.stats().packets_dropped, damaged);
}

}  // namespace

void play_once(const path_scenario& s, const link_kind& kind, std::uint64_t seed) {
    const auto memory_before = live_bytes();
    hosts net(seed);
    weather sky(kind.link, seed);
    segment_referee referee(pattern);
    std::uint64_t damaged = 0;
    bool fair = false;  // nothing happens to packets any more
    net.carry = [&](bool from_client, std::span<const std::uint8_t> bytes) {
        ASSERT_LE(live_bytes(), memory_before + memory_limit) << "after " << sky.packets << " packets";
        packet p;
        ASSERT_EQ(parse_packet(bytes, p), drop_reason::none);
        referee.look(from_client, p.tcp);
        if (fair) return net.deliver(!from_client, {bytes.begin(), bytes.end()}, kind.link.delay);
        const auto fate = sky.carry(from_client, bytes.size(), p.mark, net.now);
        if (!fate) return;
        std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
        if (fate->congested) {
            p.mark = ecn::ce;
            write_packet(p, copy);
        }
        if (fate->copy) net.deliver(!from_client, copy, *fate->copy);
        if (fate->turned_bit) turn_bit(copy, *fate->turned_bit), ++damaged;
        net.deliver(!from_client, std::move(copy), fate->delay);
    };
    auto story = s.begin(sky);
    const auto c = config_for(s);
    net.server.listen(server_end, {.connection = c});
    application client(net.client, true), server(net.server, false);
    client.handle = net.client.connect(client_end, server_end, c, net.now);
    net.application = [&] {
        client.poll();
        server.poll();
    };
    ASSERT_TRUE(net.run_until([&] { return client.ready() && server.ready(); }, handshake_limit)) << "the handshake stalls";

    const auto done = [&] {
        if (!sky.asleep) {
            client.step(net.now);
            server.step(net.now);
        }
        story(sky, net.now, static_cast<double>(client.received() + server.received()) / (bytes_down + bytes_up));
        return client.done() && server.done();
    };
    // Applications that sleep are not woken by events alone.
    const auto end = net.now + transfer_limit;
    while (net.now < end && !net.run_until(done, 1s)) {
    }
    ASSERT_TRUE(done()) << "the transfer stalls after " << client.received() << " bytes down and " << server.received() << " up";
    EXPECT_EQ(client.received(), bytes_down);
    EXPECT_EQ(server.received(), bytes_up);
    EXPECT_LE(sky.packets, max_packets);

    // Both let go; what is left is TIME-WAIT, then nothing. Who lost more than TIME-WAIT is long would rightly be reset: no more
    // is lost.
    fair = true;
    net.client.release(client.handle, net.now);
    net.server.release(server.handle, net.now);
    const auto living = [&] {
        return net.client.connection_count() + net.server.connection_count() - net.client.time_wait_count() -
               net.server.time_wait_count();
    };
    EXPECT_TRUE(net.run_until([&] { return living() == 0; }, transfer_limit)) << "a connection does not end";
    net.run_for(3 * c.time_wait);
    EXPECT_EQ(net.client.connection_count() + net.server.connection_count(), 0u);
    check_damage(net, damaged);
}

}  // namespace tandem::tcp::test
