// TCP segments in UDP datagrams: our TCP between two of our programs, across any network and NAT, without privileges.
//
// A datagram's payload is one whole TCP segment, without an IP header. Its ports are those of UDP: what the TCP header says of
// them is not looked at, so a NAT translates these connections as any others, and who the peer is, is as hard to forge as over
// TCP. The checksum is UDP's, of which a NAT knows; TCP's own field is zero.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include <tandem/net/packet_carrier.hpp>
#include <tandem/net/udp_socket.hpp>

namespace tandem::net {

struct udp_encapsulation_options {
    // Bytes of the largest IP packet on the path, UDP header included. Where the system learns of less, TCP is told.
    std::uint16_t mtu = 1500;
    udp_options udp;
};

// Every listener has a socket of its own, and every connection made from here: their ports are the socket's.
class udp_encapsulation final : public packet_carrier {
public:
    static constexpr std::uint16_t udp_header_size = 8;
    // What a path is taken to carry when the system only says that a packet was too big (RFC 8200 5).
    static constexpr std::uint16_t fallback_mtu = 1280;

    udp_encapsulation(boost::asio::any_io_executor executor, udp_encapsulation_options options = {});
    ~udp_encapsulation() override;

    void start(carrier_hooks hooks) override;
    void close() override;
    std::size_t receive(tcp::endpoint& to, time_point now) override;
    send_result send(const train& t, std::size_t& progress) override;
    std::uint16_t mtu(bool) const override { return options_.mtu - udp_header_size; }
    bool completes_checksums() const override { return true; }
    boost::system::error_code open_local(const ip_endpoint& remote, ip_endpoint& local) override;
    boost::system::error_code open_listener(ip_endpoint& local) override;
    void close_local(const ip_endpoint& local) override;
    const carrier_statistics& statistics() const override { return statistics_; }
    std::string_view name() const override { return "udp"; }

    std::size_t sockets() const { return ports_.size(); }

private:
    struct shared;
    struct port {
        explicit port(const boost::asio::any_io_executor& executor) : socket(executor) {}
        udp_socket socket;
        bool closed = false;
        bool waiting_writable = false;
    };

    boost::system::error_code open(const ip_endpoint& local, ip_endpoint& bound);
    void wait_readable(const std::shared_ptr<port>& p);
    void wait_writable(const std::shared_ptr<port>& p);
    void receive(port& p, tcp::endpoint& to, time_point now);
    void report_errors(port& p);
    port* find(const ip_endpoint& local);
    void encapsulate(const train& t);

    boost::asio::any_io_executor executor_;
    udp_encapsulation_options options_;
    std::shared_ptr<shared> shared_;  // what handlers that wait may look at when we are gone
    std::map<ip_endpoint, std::shared_ptr<port>> ports_;
    std::vector<std::uint8_t> buffer_;
    train outgoing_;  // the train in work without its IP headers
    std::size_t outgoing_progress_ = 0;
    carrier_statistics statistics_;
};

}  // namespace tandem::net
