// The path of a QUIC connection with everything that a real one may do to it: a simulated link each way, a NAT that changes its
// mind, a limit on sizes, CE marks, holes. After every datagram it checks what must hold whatever happens.
#pragma once

#include <cstdint>
#include <map>
#include <queue>
#include <vector>

#include <tandem/bytes/random.hpp>
#include <tandem/sim/link.hpp>

#include "quic/pipe.hpp"

namespace tandem::quic::test {

struct link_kind {
    const char* name;
    sim::link_config link;
};
// Those that every scenario is played over.
const std::vector<link_kind>& all_links();

class bad_path {
public:
    // What the whole program may hold at one time for a connection pair and the datagrams between them, in bytes.
    static constexpr std::uint64_t memory_limit = 4 * 1024 * 1024;

    bad_path(pipe& p, const sim::link_config& link, std::uint64_t seed);

    void rebind(bool address_too);  // what was sent to the former address is lost
    void deliver_copies();          // duplicates that are due by now

    std::size_t largest = 65535;  // bytes of UDP payload that get through
    bool hole = false;            // nothing gets through
    double marked = 0;            // share of ECT packets that arrive with CE
    double lost = 0;              // further loss and damage beside the link's
    double damaged = 0;

    std::uint64_t datagrams = 0;

private:
    bool carry(flying& f);
    bool translate(flying& f);
    void check() const;

    struct copy {
        time_point at;
        flying what;
        bool operator>(const copy& o) const { return at > o.at; }
    };
    pipe& pipe_;
    sim::link up_;
    sim::link down_;
    random_source random_;
    std::uint8_t address_shift_ = 0;
    std::uint16_t port_shift_ = 0;
    std::map<ip_endpoint, ip_endpoint> inside_of_;
    std::priority_queue<copy, std::vector<copy>, std::greater<>> copies_;
    std::uint64_t memory_before_;
};

}  // namespace tandem::quic::test
