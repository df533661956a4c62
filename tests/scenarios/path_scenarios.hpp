// What happens to the path of one connection while it carries data both ways: the table that QUIC and TCP are both played
// through.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "weather.hpp"

namespace tandem::test {

struct path_scenario {
    // After each step of the transfer; `progress` goes from 0 to 1 with the bytes that arrived.
    using story = std::function<void(weather&, time_point now, double progress)>;

    const char* name;
    bool small_window = false;  // receivers offer window_size bytes, never more
    bool find_mtu = false;      // both look for the path's MTU, without help from anybody
    bool ask_ecn = false;
    // Before the handshake.
    std::function<story(weather&)> begin;
};

constexpr std::uint64_t window_size = 3'000;
constexpr std::uint64_t bytes_down = 60'000, bytes_up = 20'000;
// Of virtual time. Bursts of loss last for packets, not for seconds: while one lasts, a segment that is alone on the way is lost
// twice in three times, and timeouts grow to a minute.
constexpr duration transfer_limit = std::chrono::hours(1);
// Each timeout is twice as long as the one before: where half of the flights are lost, one handshake in a hundred thousand takes
// so long.
constexpr duration handshake_limit = std::chrono::hours(24);
// What the packets of the transfer, acknowledgments, probes and all repetitions may come to on the worst link.
constexpr std::uint64_t max_packets = 4'000;

const std::vector<path_scenario>& path_scenarios();

// Seeds per link: 100 in optimised builds, a few in others, or TANDEM_SEEDS.
std::uint64_t seeds();
// f(link, seed) for every link and seed, until something fails.
void over_all_links(const std::function<void(const link_kind&, std::uint64_t seed)>& f);

}  // namespace tandem::test
