// Everything at once: loss, disorder, copies, marks, NATs that forget, moves and probes of the client, key updates. What was
// written arrives, and nobody is sent more than three times what came from him (see pipe).
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include <tandem/bytes/random.hpp>

#include "../seed.hpp"
#include "pipe.hpp"

namespace tandem::quic::test {
namespace {

class weather {
public:
    explicit weather(std::uint64_t seed) : random_(seed), pipe_(options()) {
        loss_ = random_.uniform() * 0.1;
        disorder_ = random_.uniform() * 0.2;
        copies_ = random_.uniform() * 0.05;
        marks_ = random_.uniform() * 0.02;
        bleached_ = chance(0.2);
        pipe_.on_wire = [this](flying& f) { return carry(f); };
    }

    void run() {
        ASSERT_TRUE(pipe_.handshake(60s));
        transfer up(pipe_, true, 200'000), down(pipe_, false, 400'000), more(pipe_, false, 100'000, direction::bidirectional);
        const std::vector<transfer*> all{&up, &down, &more};
        auto next = pipe_.now + 150ms;
        ASSERT_TRUE(pipe_.run_for(300s,
                                  [&] {
                                      for (auto* t : all) t->step();
                                      if (pipe_.now >= next) {
                                          next = pipe_.now + std::chrono::milliseconds(50 + random_.below(1500));
                                          happen();
                                      }
                                      return std::all_of(all.begin(), all.end(), [](auto* t) { return t->done(); });
                                  }))
            << "up " << up.received() << " down " << down.received() << " more " << more.received();
        quiet_ = true;
        pipe_.client_connection()->ping();
        pipe_.run_for(10s);
        ASSERT_NE(pipe_.server_connection(), nullptr);
        EXPECT_TRUE(pipe_.server_connection()->path_validated());
        EXPECT_EQ(pipe_.server_connection()->path().remote, outside_[pipe_.client_connection()->path().local]);
        EXPECT_FALSE(first_of<connection_closed>(pipe_.client_events));
        EXPECT_FALSE(first_of<connection_closed>(pipe_.server_events));
    }

private:
    bool chance(double p) { return random_.uniform() < p; }

    pipe::options options() {
        const auto& who = chance(0.3) ? large_localhost() : localhost();
        auto o = pipe::defaults(who);
        o.seed = random_();
        o.delay = std::chrono::milliseconds(1 + random_.below(60));
        if (chance(0.3)) o.server.retry = retry_policy::always;
        for (auto* c : {&o.client, &o.server.accepted}) {
            c->packets_per_key = chance(0.5) ? 20 + random_.below(300) : 0;
            c->mtu_discovery = chance(0.5);
            c->grease = chance(0.5);
            c->ack_frequency = chance(0.5);
            c->active_connection_id_limit = 2 + random_.below(6);
            c->controller = chance(0.5) ? recovery::controller_kind::cubic : recovery::controller_kind::bbr;
            c->keep_alive = 200ms;  // who only receives must show now and then where he is
            c->handshake_timeout = 60s;
        }
        return o;
    }

    // A NAT before each address of the client's. What is sent to one that it has forgotten is lost.
    bool carry(flying& f) {
        if (f.to_server) {
            auto& out = outside_[f.path.remote];
            if (out.port == 0) out = f.path.remote;
            f.path.remote = out;
        } else {
            const auto inside =
                std::find_if(outside_.begin(), outside_.end(), [&](const auto& m) { return m.second == f.path.local; });
            if (inside == outside_.end()) return false;
            f.path.local = inside->first;
        }
        if (quiet_) return true;
        if (bleached_) f.mark = ecn::not_ect;
        if (f.mark == ecn::ect0 && chance(marks_)) f.mark = ecn::ce;
        if (chance(disorder_)) f.delay += std::chrono::microseconds(random_.below(20'000));
        f.twice = chance(copies_);
        return !chance(loss_);
    }

    void happen() {
        auto* client = pipe_.client_connection();
        const auto here = client->path().local;
        const ip_endpoint there{ip_address::v4(203, 0, 113, static_cast<std::uint8_t>(1 + random_.below(3))),
                                static_cast<std::uint16_t>(6000 + random_.below(3))};
        switch (random_.below(6)) {
            case 0:
                ++outside_[here].port;
                break;
            case 1:
                ++outside_[here].address.bytes[2];
                break;
            case 2:
                if (there != here) client->migrate(there, pipe_.now);
                break;
            case 3:
                if (there != here) client->probe(there, pipe_.now);
                break;
            case 4:
                pipe_.server_connection()->ping();
                break;
            default:
                client->ping();
                break;
        }
    }

    random_source random_;
    double loss_ = 0, disorder_ = 0, copies_ = 0, marks_ = 0;
    bool bleached_ = false;
    bool quiet_ = false;
    std::map<ip_endpoint, ip_endpoint> outside_;  // what the server sees, by the address of the client
    pipe pipe_;
};

TEST(Weather, EverythingArrives) {
    const auto first = tandem::test::seed();
    for (std::uint64_t n = 0; n < 8; ++n) {
        SCOPED_TRACE("run " + std::to_string(n));
        weather(first + n).run();
        if (HasFatalFailure()) return;
    }
}

}  // namespace
}  // namespace tandem::quic::test
