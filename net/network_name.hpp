// Which network this machine is in, as far as its addresses tell: for what is remembered of servers per network.
#pragma once

#include <string>

#include <tandem/bytes/address.hpp>

namespace tandem::net {

// The prefix of the address from which packets to `remote` leave: "192.0.2.0/24", "2001:db8::/64". Empty without a route. Two
// networks that give out the same private addresses look alike: what was learnt in one is then tried in the other, which costs
// time but breaks nothing.
std::string network_name(const ip_address& remote);

}  // namespace tandem::net
