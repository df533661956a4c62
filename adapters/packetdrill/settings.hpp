// What the stack is like: from the flags of the command line and, where they do not say, from the sysctls of the kernel.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <tandem/bytes/address.hpp>
#include <tandem/tcp/config.hpp>

namespace tandem::packetdrill {

// Flags: comma-separated name=value.
//   profile=linux|rfc   linux (default): what scripts written for Linux expect: acknowledgments at once when a connection is
//   young,
//                       200 ms at least between the smoothed RTT and the RTO, buffers and features by the tcp_* sysctls.
//                       rfc: every second segment is acknowledged, window 65535 with scale 6, RTO of 1 s at least.
//   local=ADDRESS       source of connections that were not bound (default: packetdrill's own default addresses)
//   mtu=BYTES           of the interface (1500)
//   tcp_NAME=VALUE      instead of the sysctl net.ipv4.tcp_NAME; the three numbers of tcp_rmem and tcp_wmem with / between them
//   sysctl=off          reads no sysctls: Linux's defaults
class settings {
public:
    explicit settings(const char* flags);

    bool is_linux() const { return linux_; }
    const ip_address& local(bool v6) const { return v6 ? local_v6_ : local_v4_; }
    // What a socket made now gets.
    tcp::config connection() const;
    std::size_t default_receive_buffer() const { return memory("tcp_rmem", {4096, 131072, 6291456})[1]; }
    // Linux's grows with what is under way; here there is room for that from the start, unless the sysctl was changed.
    std::size_t default_send_buffer() const {
        constexpr std::uint64_t unchanged = 16384, roomy = 262144;
        const auto first = memory("tcp_wmem", {4096, unchanged, 4194304})[1];
        return first == unchanged ? roomy : first;
    }
    std::uint64_t number(const std::string& sysctl, std::uint64_t fallback) const;

private:
    std::optional<std::string> sysctl(const std::string& name) const;
    std::array<std::uint64_t, 3> memory(const std::string& name, std::array<std::uint64_t, 3> fallback) const;
    void apply_linux(tcp::config& c) const;
    void apply_rfc(tcp::config& c) const;

    std::map<std::string, std::string> given_;
    bool linux_ = true;
    bool read_sysctls_ = true;
    std::uint16_t mtu_ = 1500;
    ip_address local_v4_ = ip_address::v4(192, 168, 0, 1);
    ip_address local_v6_ = *ip_address::parse("fd3d:0a0b:17d6::1");
};

}  // namespace tandem::packetdrill
