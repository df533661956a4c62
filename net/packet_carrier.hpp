// What carries the IP packets of our own TCP: a TUN device, or UDP datagrams. (In the simulator it is the simulated network.)
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include <boost/system/error_code.hpp>

#include <tandem/bytes/datagram.hpp>
#include <tandem/tcp/endpoint.hpp>

namespace tandem::net {

struct carrier_statistics {
    std::uint64_t packets_sent = 0;      // segments of super-segments count one by one
    std::uint64_t packets_received = 0;  // as they came: a super-segment is one
    std::uint64_t bytes_sent = 0;        // of IP packets
    std::uint64_t bytes_received = 0;
    std::uint64_t sends = 0;        // system calls
    std::uint64_t receives = 0;     // system calls
    std::uint64_t send_errors = 0;  // packets the system refused: lost, as on any network
};

// How a carrier calls its owner back, on the executor; `error` also from within receive() and send().
struct carrier_hooks {
    std::function<void()> readable;  // receive() has something to do
    std::function<void()> writable;  // after send() said would_block
    // tcp::endpoint::on_carrier_error.
    std::function<void(const ip_path& path, tcp::icmp_error::kind what, std::uint16_t mtu)> error;
};

class packet_carrier {
public:
    enum class send_result : std::uint8_t { done, would_block };

    virtual ~packet_carrier() = default;

    virtual void start(carrier_hooks hooks) = 0;
    // Nothing is called any more.
    virtual void close() = 0;

    // Hands what arrived to the endpoint, one batch at a time; returns how many packets there were.
    virtual std::size_t receive(tcp::endpoint& to, time_point now) = 0;
    // Sends [progress, t.size) of a train and advances progress.
    virtual send_result send(const train& t, std::size_t& progress) = 0;

    // Bytes of the largest IP packet, as tcp::config::mtu counts them, that goes through whole.
    virtual std::uint16_t mtu(bool v6) const = 0;
    // tcp::endpoint_config::addresses.
    virtual std::vector<ip_address> addresses() const { return {}; }
    // tcp::endpoint_config::checksum_offload.
    virtual bool completes_checksums() const = 0;

    // The local end for a connection to `remote`; a port of 0 lets TCP choose one.
    virtual boost::system::error_code open_local(const ip_endpoint& remote, ip_endpoint& local) = 0;
    // The local end of a listener; a port of 0 is made into a free one where the carrier has ports of its own.
    virtual boost::system::error_code open_listener(ip_endpoint& local) = 0;
    // Neither a connection nor a listener uses this local end any more.
    virtual void close_local(const ip_endpoint& local) = 0;

    virtual const carrier_statistics& statistics() const = 0;
    virtual std::string_view name() const = 0;  // "tun", "udp"
};

}  // namespace tandem::net
