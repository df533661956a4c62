// packetdrill's script language, as much of it as our own scripts use: packets, system calls, assertions on TCP_INFO, times.
//
//     --so_flags=profile=rfc                         options of the run, before anything else
//      0   socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
//     +0.1 < S 0:0(0) win 65535 <mss 1000,sackOK>    + is after the line before; a...b: a call blocks so long; * any time
//     +0   > S. 0:0(0) ack 1 <...>                   <...>: any options; an option list that is not written: none
//     +0   < [1:1001(1000)] icmp unreachable frag_needed mtu 600
//     +0   %{ assert tcpi_snd_cwnd == 10, tcpi_unacked == 0 }%
//
// Comments: // and # to the end of the line, and /* */ blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include <tandem/tcp/segment.hpp>

namespace tandem::packetdrill {

struct script_error : std::runtime_error {
    script_error(int line, const std::string& what) : runtime_error("line " + std::to_string(line) + ": " + what) {}
};

struct script_packet {
    bool outbound = false;
    tcp::segment segment;   // numbers as in the script
    std::size_t bytes = 0;  // of payload
    bool has_ack = false;
    bool has_window = false;
    bool any_options = false;
    std::optional<ecn> mark;  // [ect0] and so on; not written: not checked, and not-ECT inbound
    struct {
        bool is = false;
        std::uint8_t type = 0;  // of ICMPv4; translated for IPv6
        std::uint8_t code = 0;
        std::uint16_t mtu = 0;
    } icmp;
};

struct system_call {
    std::string name;
    std::vector<std::string> arguments;
    std::string result;                     // "0", "-1", "0x2", "..."
    std::string error;                      // "EAGAIN" if the result is -1
    std::optional<std::int64_t> end_usecs;  // it blocks until then (absolute, once times are resolved)
};

struct assertion {
    std::string text;
};

struct script_event {
    int line = 0;
    bool any_time = false;
    std::int64_t at = 0;                 // microseconds since the first event
    std::optional<std::int64_t> latest;  // a packet may leave between `at` and this
    std::variant<script_packet, system_call, assertion> what;
};

struct script {
    std::vector<std::pair<std::string, std::string>> options;  // --name=value
    std::vector<script_event> events;
};

script parse_script(const std::string& text);  // throws script_error

}  // namespace tandem::packetdrill
