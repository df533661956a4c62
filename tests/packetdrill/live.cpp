#include "live.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <stdexcept>

namespace tandem::packetdrill {

live_stack::live_stack(const std::string& library, const std::string& flags) {
    handle_ = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle_) throw std::runtime_error(dlerror());
    const auto init = reinterpret_cast<decltype(&packetdrill_interface_init)>(dlsym(handle_, "packetdrill_interface_init"));
    pending_ = reinterpret_cast<decltype(&tandem_packetdrill_pending)>(dlsym(handle_, "tandem_packetdrill_pending"));
    if (!init || !pending_) throw std::runtime_error(library + " lacks a symbol");
    init(flags.empty() ? nullptr : flags.c_str(), &interface_);
}

live_stack::~live_stack() {
    if (interface_.free) interface_.free(interface_.userdata);
}

std::int64_t live_stack::now() {
    timeval t{};
    interface_.gettimeofday(user(), &t, nullptr);
    return std::int64_t{t.tv_sec} * 1'000'000 + t.tv_usec;
}

void live_stack::wait_until(std::int64_t usecs) {
    constexpr std::int64_t spin = 20;
    auto at = now();
    constexpr std::int64_t most = 1'000'000'000;  // useconds_t has 32 bits
    while (usecs - at > spin) {
        interface_.usleep(user(), static_cast<useconds_t>(std::min(usecs - at - spin, most)));
        at = now();
    }
    while (at < usecs) at = now();
}

void live_stack::send(const std::vector<std::uint8_t>& packet) {
    if (interface_.netdev_send(user(), packet.data(), packet.size()) != 0) throw std::runtime_error("netdev_send");
}

live_stack::received live_stack::receive() {
    received out;
    out.bytes.resize(65536);
    auto size = out.bytes.size();
    long long at = 0;
    if (interface_.netdev_receive(user(), out.bytes.data(), &size, &at) != 0) throw std::runtime_error("netdev_receive");
    out.bytes.resize(size);
    out.at = at;
    return out;
}

std::size_t live_stack::pending() { return pending_(user()); }

}  // namespace tandem::packetdrill
