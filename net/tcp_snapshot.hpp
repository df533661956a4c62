// What a tcp_stack has open and has counted, as values: for `tandem sockets` and for programs that watch themselves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/net/packet_carrier.hpp>
#include <tandem/tcp/connection.hpp>
#include <tandem/tcp/endpoint.hpp>

namespace tandem::net {

struct tcp_socket_info {
    tcp::state state{};
    ip_path path;
    std::size_t receive_queue = 0;  // bytes received in order, not read
    std::uint64_t send_queue = 0;   // bytes written, not acknowledged
    std::uint64_t unsent = 0;       // of these, never sent
    std::uint16_t mss = 0;
    tcp::congestion_sample congestion;
    duration rtt_variation{};
    duration min_rtt{};
    bool has_rtt = false;
    std::optional<std::uint64_t>
        reordering;                 // packets that may overtake another before it counts as lost; none: only time counts
    duration reordering_time{};     // the same as time
    std::string controller;         // its name
    std::uint64_t pacing_rate = 0;  // bytes per second, of controllers that set one
    std::size_t memory = 0;         // bytes of heap held for data
    bool owned = false;             // the program has not closed it
    std::optional<duration> peer_closed_for;  // since the peer's FIN, while the program has not closed it
    recovery::limited_by limited = recovery::limited_by::application;  // what holds sending back now
    recovery::limit_times limits;                                      // the time spent in each
    tcp::statistics statistics;
};

struct tcp_listener_info {
    ip_endpoint local;
    std::size_t waiting = 0;  // established, not accepted
    std::size_t backlog = 0;
    std::size_t half_open = 0;
};

struct tcp_snapshot {
    std::string carrier;  // "tun", "udp"
    std::vector<tcp_listener_info> listeners;
    std::vector<tcp_socket_info> sockets;
    tcp::statistics totals;  // of all connections there were and are
    tcp::endpoint_statistics endpoint;
    carrier_statistics packets;
    std::uint64_t no_port_failures = 0;  // connect() calls that found no free port
    std::size_t ephemeral_ports = 0;     // how many there are, towards one peer
};

}  // namespace tandem::net
