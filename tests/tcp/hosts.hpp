// Two TCP endpoints and a link between them, in virtual time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include <tandem/bytes/random.hpp>
#include <tandem/tcp/endpoint.hpp>
#include <tandem/tcp/segment.hpp>

namespace tandem::tcp::test {

constexpr time_point start_time{std::chrono::seconds(1000)};
const ip_address client_address = ip_address::v4(10, 0, 0, 1);
const ip_address server_address = ip_address::v4(10, 0, 0, 2);

struct link_config {
    duration delay = std::chrono::milliseconds(10);  // one way
    duration jitter{};                               // added uniformly: reorders
    double loss = 0;
    double duplication = 0;
    double corruption = 0;
    std::uint64_t rate = 0;       // bytes per second; 0: no limit
    std::size_t queue = 1 << 20;  // bytes
};

class hosts {
public:
    explicit hosts(std::uint64_t seed, link_config link = {}, endpoint_config c = {})
        : random(seed), client(c, random_source(random())), server(c, random_source(random())), link_(link) {}

    random_source random;
    endpoint client;
    endpoint server;
    time_point now = start_time;
    // Sees every packet that is about to enter the link; false drops it. A changed
    // mark is put into it.
    std::function<bool(bool from_client, packet& p)> filter;
    // Takes the link's place: is given every packet, and calls deliver() for what arrives.
    std::function<void(bool from_client, std::span<const std::uint8_t> bytes)> carry;
    std::uint64_t packets = 0;

    link_config& link() { return link_; }

    // Lets both send what they have, then moves to the next thing that happens, at most to `until`. False: nothing before
    // `until`.
    bool step(time_point until);
    void run_for(duration d) {
        for (const auto end = now + d; step(end);) {
        }
    }
    // Runs until f() or the limit; returns whether f().
    template <class F>
    bool run_until(F f, duration limit) {
        const auto end = now + limit;
        while (!f()) {
            if (!step(end)) return f();
        }
        return true;
    }
    void flush();
    void inject(bool to_client, std::vector<std::uint8_t> bytes);
    void deliver(bool to_client, std::vector<std::uint8_t> bytes, duration delay);
    std::function<void()> application;  // called whenever something happened

private:
    struct in_flight {
        bool to_client;
        std::vector<std::uint8_t> bytes;
    };

    void settle();
    void flush_one(endpoint& from, bool from_client);
    void send(bool from_client, std::span<const std::uint8_t> bytes);

    link_config link_;
    std::multimap<time_point, in_flight> wire_;
    time_point busy_[2] = {start_time, start_time};
};

}  // namespace tandem::tcp::test
