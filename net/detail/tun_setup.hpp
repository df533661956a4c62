// Makes and sets up TUN devices.
#pragma once

#include <string>

#include <tandem/net/tun_device.hpp>

namespace tandem::net::detail {

// Attaches to the device, or makes it; `name` becomes the real one. A descriptor, or -1.
int attach_tun(std::string& name, bool& made, tun_error& why);
// Gives it its MTU and the kernel's addresses, and brings it up.
bool set_up_tun(const std::string& name, const tun_options& options, tun_error& why);
// The kernel's end: as given, or chosen from the network.
ip_address kernel_address(const tun_options::address& a);

}  // namespace tandem::net::detail
