// The library under test, loaded as packetdrill loads it, and its clock.
#pragma once

#include <packetdrill/interface.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tandem::packetdrill {

class live_stack {
public:
    live_stack(const std::string& library, const std::string& flags);  // throws std::runtime_error
    ~live_stack();
    live_stack(const live_stack&) = delete;
    live_stack& operator=(const live_stack&) = delete;

    packetdrill_interface& calls() { return interface_; }
    void* user() { return interface_.userdata; }

    std::int64_t now();                   // microseconds; takes one
    void wait_until(std::int64_t usecs);  // as packetdrill does: sleeps nearly so long, then looks at the clock again and again
    void send(const std::vector<std::uint8_t>& packet);
    struct received {
        std::vector<std::uint8_t> bytes;
        std::int64_t at = 0;
    };
    received receive();  // empty bytes: none will come
    std::size_t pending();

private:
    void* handle_ = nullptr;
    packetdrill_interface interface_{};
    std::size_t (*pending_)(void*) = nullptr;
};

}  // namespace tandem::packetdrill
