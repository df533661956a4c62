// What the kernel knows of the way to an address, as its routes are now. Sends nothing.
#pragma once

#include <cstddef>
#include <optional>

#include <tandem/bytes/address.hpp>

namespace tandem::net {

// The address from which it would send to `remote`; nothing if there is no route.
std::optional<ip_address> source_address(const ip_endpoint& remote);

// The UDP payload in bytes that fits into one packet of the interface, or of the path where a router said how much that takes;
// 0 if there is no route.
std::size_t largest_udp_payload(const ip_endpoint& remote);

}  // namespace tandem::net
