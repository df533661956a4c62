// The path of a QUIC connection with everything that a real one may do to it: the weather, and a NAT that changes its mind. After
// every datagram it checks what must hold whatever happens.
#pragma once

#include <cstdint>
#include <map>
#include <queue>
#include <vector>

#include "quic/pipe.hpp"
#include "weather.hpp"

namespace tandem::quic::test {

class bad_path : public tandem::test::weather {
public:
    // What the whole program may hold at one time for a connection pair and the datagrams between them, in bytes.
    static constexpr std::uint64_t memory_limit = 4 * 1024 * 1024;

    bad_path(pipe& p, const sim::link_config& link, std::uint64_t seed);

    void rebind(bool address_too);  // what was sent to the former address is lost
    void deliver_copies();          // duplicates that are due by now

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
    std::uint8_t address_shift_ = 0;
    std::uint16_t port_shift_ = 0;
    std::map<ip_endpoint, ip_endpoint> inside_of_;
    std::priority_queue<copy, std::vector<copy>, std::greater<>> copies_;
    std::uint64_t memory_before_;
};

}  // namespace tandem::quic::test
