// What a path may do to packets, whatever protocol they are of: a simulated link each way, and further evils that come and go
// while a connection lives.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <tandem/bytes/datagram.hpp>
#include <tandem/bytes/random.hpp>
#include <tandem/sim/link.hpp>

namespace tandem::test {

struct link_kind {
    const char* name;
    sim::link_config link;
};
// Those that every scenario is played over.
const std::vector<link_kind>& all_links();

class weather {
public:
    weather(const sim::link_config& link, std::uint64_t seed);

    std::size_t largest = 65535;  // bytes of the largest IP packet that gets through; nobody is told
    bool hole_up = false;         // nothing gets through to the server,
    bool hole_down = false;       // to the client
    duration outage_every{};      // for `outage` at the beginning of each such period nothing gets through
    duration outage{};
    double marked = 0;  // share of ECT packets that arrive with CE
    double lost = 0;    // further loss, damage and duplication beside the link's
    double damaged = 0;
    double doubled = 0;
    bool asleep = false;  // the applications neither read nor write

    std::uint64_t packets = 0;  // that were put on the links

    struct fate {
        duration delay{};
        std::optional<duration> copy;             // a duplicate, as it was sent
        std::optional<std::uint64_t> turned_bit;  // modulo the packet's bits
        bool congested = false;                   // CE
    };
    // What becomes of a packet; nothing: it does not arrive. `size`: of the IP packet.
    std::optional<fate> carry(bool up, std::size_t size, ecn mark, time_point now);

private:
    sim::link up_;
    sim::link down_;
    random_source random_;
};

void turn_bit(std::span<std::uint8_t> bytes, std::uint64_t bit);

}  // namespace tandem::test
