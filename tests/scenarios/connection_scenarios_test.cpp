// A QUIC connection's own adversities, as path_scenarios_test.cpp has those of any path.
#include <gtest/gtest.h>

#include "quic_scenario.hpp"
#include "seed.hpp"

namespace tandem::quic::test {

using namespace tandem::test;

namespace {

void play(const scenario& s) {
    over_all_links([&](const link_kind& kind, std::uint64_t seed) { play_once(s, kind, seed); });
}

TEST(ConnectionScenario, Migration) {
    int moves = 0;
    play({.begin = [&](auto&) { moves = 0; },
          .step =
              [&](pipe& p, bad_path&, double progress) {
                  if (progress < 0.2 * (moves + 1) || moves == 4) return;
                  auto local = pipe::client_address;
                  local.port = static_cast<std::uint16_t>(local.port + 1000 * (moves + 1));
                  if (moves % 2 == 1) local.address.bytes[3] ^= 0x10;
                  // Without an ID to spare there is nothing to move with yet; it is tried again with the next step.
                  if (p.client_connection()->migrate(local, p.now)) ++moves;
              }});
}

TEST(ConnectionScenario, RebindingEvery100Milliseconds) {
    time_point next;
    int count = 0;
    play({.prepare = [&](pipe::options& o) { o.client.keep_alive = 50ms; },
          .begin = [&](auto&) { next = {}, count = 0; },
          .step =
              [&](pipe& p, bad_path& path, double) {
                  if (next == time_point{}) next = p.now + 100ms;
                  // A NAT that forgets faster than a packet comes and goes leaves nothing to be done: on slow links it waits that
                  // long.
                  const auto interval = std::max<duration>(100ms, 3 * p.client_connection()->statistics().smoothed_rtt);
                  if (p.now < next) return;
                  next = p.now + interval;
                  path.rebind(++count % 2 == 0);
              }});
}

TEST(ConnectionScenario, KeyUpdateEvery10Packets) {
    play({.prepare = [](pipe::options& o) { o.client.packets_per_key = o.server.accepted.packets_per_key = 10; }});
}

// 30 % of each would lose every other flight: timeouts grow, and round trips are measured in timeouts, until some handshakes take
// days.
TEST(ConnectionScenario, LossAndDamageInTheHandshakeWithRetry) {
    play({.prepare = [](pipe::options& o) { o.server.retry = retry_policy::always; },
          .begin = [](bad_path& path) { path.lost = path.damaged = 0.2; },
          .step = [](pipe&, bad_path& path, double) { path.lost = path.damaged = 0; }});
}

// --- 0-RTT ---

// A request in the client's first flight and its answer, both with bytes that tell their place.
class early_exchange {
public:
    static constexpr std::size_t size = 8'000;

    explicit early_exchange(pipe& p) : pipe_(p) {}
    bool step() {
        if (auto* c = pipe_.client_connection()) {
            if (!id_) id_ = c->open(direction::bidirectional);
            if (id_) {
                sent_ += write(*c, sent_, 0);
                read(*c, answered_, answer_ended_, 1);
            }
        }
        if (auto* s = pipe_.server_connection(); s != nullptr && id_) {
            read(*s, received_, ended_, 0);
            if (ended_) returned_ += write(*s, returned_, 1);
        }
        return answer_ended_;
    }
    std::size_t received() const { return received_; }
    std::size_t answered() const { return answered_; }

private:
    std::size_t write(connection& c, std::size_t from, std::uint64_t salt) {
        std::vector<std::uint8_t> bytes(size - from);
        for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = pattern(salt, from + i);
        return bytes.empty() ? 0 : c.write(*id_, bytes, true, pipe_.now);
    }
    void read(connection& c, std::size_t& at, bool& end, std::uint64_t salt) {
        std::array<std::uint8_t, 2000> buffer;
        while (!end) {
            const auto got = c.read(*id_, buffer, pipe_.now);
            for (std::size_t i = 0; i < got.n; ++i) ASSERT_EQ(buffer[i], pattern(salt, at + i)) << "at " << at + i;
            at += got.n;
            end = got.end;
            if (got.n == 0) break;
        }
        if (end) {
            EXPECT_EQ(at, size);
        }
    }

    pipe& pipe_;
    std::optional<stream_id> id_;
    std::size_t sent_ = 0, received_ = 0, returned_ = 0, answered_ = 0;
    bool ended_ = false, answer_ended_ = false;
};

// Over a clean path, to its end.
void finish_connection(pipe& p) {
    p.run_for(100ms);
    p.client_connection()->close(0, "", p.now);
    p.run_for(5s);
    p.client_handle = p.server_handle = 0;
}

void play_early(const link_kind& kind, std::uint64_t seed, bool used_before) {
    auto o = pipe::defaults();
    o.seed = seed;
    o.client.handshake_timeout = o.server.accepted.handshake_timeout = handshake_limit;
    o.client.max_idle_timeout = o.server.accepted.max_idle_timeout = 60s;
    o.client.early_data = o.server.accepted.early_data = true;
    pipe p(o);
    ASSERT_TRUE(p.handshake());
    finish_connection(p);
    const auto ticket = first_of<ticket_received>(p.client_events);
    ASSERT_TRUE(ticket);
    auto to = p.connect_to_server();
    to.ticket = ticket->ticket;
    const auto confirmed = [&] { return p.client_connection() != nullptr && p.client_connection()->handshake_confirmed(); };
    if (used_before) {
        p.connect(to);
        ASSERT_TRUE(p.run_for(10s, confirmed));
        finish_connection(p);
    }
    p.client_events.clear();

    bad_path path(p, kind.link, seed);
    p.connect(to);
    early_exchange e(p);
    const auto done = [&] {
        path.deliver_copies();
        return e.step() && confirmed();
    };
    ASSERT_TRUE(p.run_for(transfer_limit, done))
        << "stalls after " << e.received() << " bytes up and " << e.answered() << " down";
    const auto completed = first_of<handshake_completed>(p.client_events);
    ASSERT_TRUE(completed);
    EXPECT_EQ(completed->early_data, used_before ? tls::early_data_state::rejected : tls::early_data_state::accepted);
    EXPECT_LE(path.packets, max_packets);
}

void play_early(bool used_before) {
    over_all_links([&](const link_kind& kind, std::uint64_t seed) { play_early(kind, seed, used_before); });
}

TEST(ConnectionScenario, EarlyDataThatIsAccepted) { play_early(false); }
TEST(ConnectionScenario, EarlyDataThatIsRejected) { play_early(true); }

}  // namespace
}  // namespace tandem::quic::test
