#include "quic_scenario.hpp"

namespace tandem::quic::test {

using namespace tandem::test;

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
    quic::test::transfer down(p, false, bytes_down), up(p, true, bytes_up);
    const auto done = [&] {
        path.deliver_copies();
        if (!path.asleep) {
            down.step();
            up.step();
        }
        s.step(p, path, static_cast<double>(down.received() + up.received()) / (bytes_down + bytes_up));
        return down.done() && up.done();
    };
    // Applications that sleep are not woken by events alone.
    const auto end = p.now + transfer_limit;
    while (p.now < end && !p.run_for(1s, done)) {
    }
    ASSERT_TRUE(done()) << "the transfer stalls after " << down.received() << " bytes down and " << up.received() << " up";
    EXPECT_LE(path.packets, max_packets);
}

void play_once(const path_scenario& s, const link_kind& kind, std::uint64_t seed) {
    path_scenario::story story;
    play_once(scenario{.prepare =
                           [&](pipe::options& o) {
                               for (auto* c : {&o.client, &o.server.accepted}) {
                                   if (s.find_mtu) c->mtu_discovery = true;
                                   if (!s.small_window) continue;
                                   c->initial_stream_window = c->max_stream_window = window_size;
                                   c->initial_connection_window = c->max_connection_window = window_size;
                               }
                           },
                       .begin = [&](bad_path& path) { story = s.begin(path); },
                       .step = [&](pipe& p, bad_path& path, double progress) { story(path, p.now, progress); }},
              kind, seed);
}

}  // namespace tandem::quic::test
