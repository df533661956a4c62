// A connection's adversities, each over every kind of link and many seeds: what is sent arrives unchanged, nothing stalls, and
// neither memory nor the number of datagrams runs away. TANDEM_SEEDS says how many seeds; 100 in optimised builds, a few in
// others.
#include <gtest/gtest.h>

#include <cstdlib>

#include "bad_path.hpp"
#include "seed.hpp"

namespace tandem::quic::test {
namespace {

constexpr std::uint64_t bytes_down = 60'000, bytes_up = 20'000;
constexpr duration limit = 300s;  // of virtual time
// Each timeout is twice as long as the one before: where half of the flights are lost, one handshake in a hundred thousand takes so long.
constexpr duration handshake_limit = 24h;
// What the datagrams of the transfer, acknowledgments, probes and all repetitions may come to on the worst link.
constexpr std::uint64_t max_datagrams = 4'000;

std::uint64_t seeds() {
#ifdef NDEBUG
    constexpr std::uint64_t usual = 100;
#else
    constexpr std::uint64_t usual = 2;
#endif
    const char* given = std::getenv("TANDEM_SEEDS");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : usual;
}

struct scenario {
    std::function<void(pipe::options&)> prepare = [](auto&) {};
    std::function<void(bad_path&)> begin = [](auto&) {};
    // After each step; `progress` goes from 0 to 1 with the bytes that arrived.
    std::function<void(pipe&, bad_path&, double progress)> step = [](auto&, auto&, double) {};
};

void play_once(const scenario& s, const link_kind& kind, std::uint64_t seed) {
    auto o = pipe::defaults();
    o.seed = seed;
    o.client.handshake_timeout = o.server.accepted.handshake_timeout = handshake_limit;
    o.client.max_idle_timeout = o.server.accepted.max_idle_timeout = handshake_limit;
    s.prepare(o);
    pipe p(o);
    bad_path path(p, kind.link, seed);
    s.begin(path);
    p.connect();
    const auto established = [&] {
        path.deliver_copies();
        return p.client_connection() != nullptr && p.client_connection()->handshake_confirmed() &&
               p.server_connection() != nullptr && p.server_connection()->handshake_confirmed();
    };
    ASSERT_TRUE(p.run_for(handshake_limit, established)) << "the handshake stalls";
    transfer down(p, false, bytes_down), up(p, true, bytes_up);
    const auto done = [&] {
        path.deliver_copies();
        down.step();
        up.step();
        s.step(p, path, static_cast<double>(down.received() + up.received()) / (bytes_down + bytes_up));
        return down.done() && up.done();
    };
    ASSERT_TRUE(p.run_for(limit, done)) << "the transfer stalls after " << down.received() << " bytes down and " << up.received()
                                        << " up";
    EXPECT_LE(path.datagrams, max_datagrams);
}

void play(const scenario& s) {
    for (const auto& kind : all_links()) {
        for (std::uint64_t n = 0; n < seeds(); ++n) {
            SCOPED_TRACE(std::string(kind.name) + ", TANDEM_SEED=" + std::to_string(tandem::test::seed() + n));
            play_once(s, kind, tandem::test::seed() + n);
            if (testing::Test::HasFailure()) return;
        }
    }
}

TEST(ConnectionScenario, Plain) { play({}); }

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

TEST(ConnectionScenario, BlackHoleOf3Seconds) {
    std::optional<time_point> until;
    play({.begin = [&](auto&) { until.reset(); },
          .step =
              [&](pipe& p, bad_path& path, double progress) {
                  if (progress > 0.3 && !until) until = p.now + 3s;
                  path.hole = until && p.now < *until;
              }});
}

TEST(ConnectionScenario, PathThatBecomesNarrower) {
    play({.prepare = [](pipe::options& o) { o.client.mtu_discovery = o.server.accepted.mtu_discovery = true; },
          .begin = [](bad_path& path) { path.largest = 1452; },
          .step =
              [](pipe&, bad_path& path, double progress) {
                  if (progress > 0.4) path.largest = 1200;
              }});
}

TEST(ConnectionScenario, CongestionMarks) {
    play({.begin = [](bad_path& path) { path.marked = 0.1; }});
}

TEST(ConnectionScenario, EveryPacketMarked) {
    play({.begin = [](bad_path& path) { path.marked = 1; }});
}

TEST(ConnectionScenario, LossInTheHandshake) {
    play({.begin = [](bad_path& path) { path.lost = 0.3; }, .step = [](pipe&, bad_path& path, double) { path.lost = 0; }});
}

TEST(ConnectionScenario, DamageInTheHandshake) {
    play({.begin = [](bad_path& path) { path.damaged = 0.3; }, .step = [](pipe&, bad_path& path, double) { path.damaged = 0; }});
}

// 30 % of each would lose every other flight: timeouts grow, and round trips are measured in timeouts, until some handshakes take days.
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
    ASSERT_TRUE(p.run_for(limit, done)) << "stalls after " << e.received() << " bytes up and " << e.answered() << " down";
    const auto completed = first_of<handshake_completed>(p.client_events);
    ASSERT_TRUE(completed);
    EXPECT_EQ(completed->early_data, used_before ? tls::early_data_state::rejected : tls::early_data_state::accepted);
    EXPECT_LE(path.datagrams, max_datagrams);
}

void play_early(bool used_before) {
    for (const auto& kind : all_links()) {
        for (std::uint64_t n = 0; n < seeds(); ++n) {
            SCOPED_TRACE(std::string(kind.name) + ", TANDEM_SEED=" + std::to_string(tandem::test::seed() + n));
            play_early(kind, tandem::test::seed() + n, used_before);
            if (testing::Test::HasFailure()) return;
        }
    }
}

TEST(ConnectionScenario, EarlyDataThatIsAccepted) { play_early(false); }
TEST(ConnectionScenario, EarlyDataThatIsRejected) { play_early(true); }

// A link that does all of it to most packets.
TEST(ConnectionScenario, EverythingReorderedDuplicatedAndLate) {
    for (std::uint64_t n = 0; n < 8 * seeds(); ++n) {
        sim::link_config link{.delay = 30ms};
        link.jitter = std::chrono::milliseconds(10 + 20 * (n % 5));
        link.reorder = 0.5;
        link.reorder_delay = std::chrono::milliseconds(20 * (1 + n % 8));
        link.duplicate = 1;
        SCOPED_TRACE("TANDEM_SEED=" + std::to_string(tandem::test::seed() + n));
        play_once({}, {"bad", link}, tandem::test::seed() + n);
        if (HasFailure()) return;
    }
}

}  // namespace
}  // namespace tandem::quic::test
