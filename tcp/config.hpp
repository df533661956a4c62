// What an application may choose for a TCP connection, a listener and an endpoint. Every default is the one most programs want.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/recovery/congestion_controller.hpp>
#include <tandem/recovery/reordering.hpp>

namespace tandem::tcp {

class connection_tracer;

struct keepalive_config {                          // RFC 9293 3.8.4
    duration idle = std::chrono::hours(2);         // silence before the first probe
    duration interval = std::chrono::seconds(75);  // between probes
    unsigned probes = 9;                           // unanswered probes before the connection times out
};

// How the path's MTU is found, beside ICMP messages, which are believed as far as they can be checked (RFC 1191, RFC 8201, RFC
// 5927).
enum class mtu_probing : std::uint8_t {
    never,
    after_black_hole,  // full segments until timeouts in a row show that they vanish; then from the floor upward by probes
    always,            // from 1280 bytes upward by probes, without trust in anybody (RFC 4821)
};

enum class ecn_use : std::uint8_t {
    never,
    when_asked,  // agreed to if the peer asks, as most servers do
    always,      // and asked for
};

struct config {
    // Bytes of the largest IP packet sent, and what the announced MSS is made of (RFC 9293 3.7.1). At least min_mtu.
    std::uint16_t mtu = 1500;

    // Bytes of payload in a segment, at most, both ways (TCP_MAXSEG): announced to the peer, and kept to. 0: what the MTU allows.
    std::uint16_t mss_limit = 0;

    // So many segments with data are acknowledged at once when the connection is young and the peer's window still opens, unless
    // data of ours answers them. 0: every second segment from the start.
    std::uint16_t quick_acks = 0;

    mtu_probing probing = mtu_probing::after_black_hole;

    std::uint8_t hop_limit = 64;  // of packets sent (RFC 9293 MUST-49)
    std::uint8_t dscp = 0;        // Differentiated Services codepoint, 0 to 63 (RFC 9293 MUST-48)

    // max_datagram_size is set by the connection: the UDP payload that a QUIC datagram of the same wire size would have.
    recovery::controller_config controller;
    recovery::reordering_kind reordering = recovery::reordering_kind::adaptive;
    bool pacing = true;
    bool push_trains = false;  // PSH on the last of several segments that leave together, not only where a write ends
    duration initial_rtt = std::chrono::milliseconds(333);  // makes the first RTO 1 s (RFC 6298 2.1)

    std::size_t send_buffer = 512 * 1024;              // bytes written and not sent yet, at most; those in flight have the window
    std::size_t unsent_low_water = 16 * 1024;          // what writable_without_queueing() keeps unsent beyond the window
    std::size_t receive_window = 256 * 1024;           // bytes; the first window (64 KiB at most until the peer scales)
    std::size_t max_receive_window = 8 * 1024 * 1024;  // bytes; where auto-tuning stops, and what the window scale is made for

    std::shared_ptr<connection_tracer> tracer;  // observes each connection (tcp/trace.hpp, tcp/qlog.hpp); none: nothing is told

    bool timestamps = true;             // RFC 7323
    bool sack = true;                   // RFC 2018, RFC 2883
    bool window_scale = true;           // RFC 7323 2
    ecn_use ecn = ecn_use::when_asked;  // RFC 3168

    bool nagle = true;                                        // RFC 9293 3.7.4 (Minshall's variant); false: TCP_NODELAY
    duration ack_delay = std::chrono::milliseconds(25);       // longest delay of an acknowledgment; QUIC's default max_ack_delay
    duration peer_ack_delay = std::chrono::milliseconds(25);  // what a tail loss probe allows the peer (RFC 8985 7.2 WCDelAckT)
    duration min_rto = std::chrono::milliseconds(200);
    duration min_rto_variation{};  // the RTO is this much above the smoothed RTT at least (RFC 6298 2.3's G); 0: 1 ms
    duration max_rto = std::chrono::seconds(60);  // RFC 6298 2.5: at least 60 s
    // How long data, a SYN or a FIN may go unacknowledged (R2 of RFC 9293 3.8.3; RFC 5482). A peer that answers zero-window
    // probes is alive for as long as it answers.
    duration user_timeout = std::chrono::seconds(180);
    // RFC 5482: tell the peer our user timeout, and make ours as long as the peer's, within min_user_timeout and the maximum.
    bool user_timeout_option = false;
    duration max_user_timeout = std::chrono::hours(1);
    duration handshake_timeout = std::chrono::seconds(180);
    duration time_wait = std::chrono::seconds(60);           // 2 MSL (RFC 9293 3.4.2 says MSL = 2 min and lets one choose)
    duration fin_wait_2_timeout = std::chrono::seconds(60);  // only after endpoint::release: nobody waits for the peer's data
    std::optional<keepalive_config> keepalive;               // off by default (RFC 9293 MUST-25)
    bool checksum_offload = false;                           // see endpoint_config, which sets it
};

// RFC 4987 3.6: whether SYNs are answered without remembering them.
enum class cookie_use : std::uint8_t {
    never,      // a SYN that finds the SYN queue full is dropped
    when_full,  // it is answered with a cookie
    always,     // all are: no connection is ever half open
};

struct listen_config {
    config connection;
    std::size_t max_half_open = 256;  // the SYN queue: connections in SYN-RECEIVED
    cookie_use syn_cookies = cookie_use::when_full;
    std::size_t backlog = 128;  // the accept queue: established, `accepted` not polled yet; a SYN beyond it is dropped
};

struct endpoint_config {
    std::uint16_t first_ephemeral_port = 49152;  // RFC 6335 6
    std::uint16_t last_ephemeral_port = 65535;
    std::size_t max_time_wait = 65536;    // connections in TIME-WAIT, 64 bytes each; more end without it
    std::size_t max_orphans = 8192;       // released but not closed; more are reset at release (their peers may never answer)
    std::size_t max_connections = 65536;  // in any state but TIME-WAIT; a SYN beyond it is dropped
    unsigned resets_per_second = 200;     // RSTs in answer to segments of no connection; the rest is ignored
    // This host's addresses: packets to others are dropped, and echo requests (ping) to these are answered. None: whatever comes
    // is for us, and echo requests are not answered.
    std::vector<ip_address> addresses;
    // The carrier completes TCP's checksums of what is sent (a TUN device with offloads), or something else protects the
    // segments (UDP's checksum): only the pseudo header is summed. For all connections, whatever their own config says.
    bool checksum_offload = false;
};

constexpr duration min_user_timeout = std::chrono::seconds(100);  // RFC 5482 3.1: what the peer's option cannot go below

// Floors that defend against a peer (or a forged ICMP message) that asks for tiny segments to burn our CPU and memory:
// CVE-2019-11479.
constexpr std::uint16_t min_peer_mss = 216;  // the smallest segment we can be made to send, headers not counted
constexpr std::uint16_t min_mtu_v4 = 552;    // path MTUs below it are not believed
constexpr std::uint16_t min_mtu_v6 = 1280;   // RFC 8200 5

}  // namespace tandem::tcp
