// A TUN device: IP packets to and from the kernel's network stack, super-segments of up to 64 KiB per call where it can.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <tandem/net/packet_carrier.hpp>

namespace tandem::net {

struct tun_options {
    std::string name = "tandem%d";  // the kernel puts a number for %d
    // The addresses of our TCP, one of a family at most, with the length of the network's prefix. A device that did not exist
    // before is set up: brought up, given its MTU, and the kernel's end an address of the same network.
    struct address {
        ip_address ours;
        unsigned prefix = 24;
        std::optional<ip_address> kernel;  // default: the network's first address, or its second if the first is ours
    };
    std::vector<address> addresses;
    std::uint16_t mtu = 1500;  // 552 to 65535 (1280 with IPv6)
    bool offloads = true;      // TCP segmentation and checksums, both ways; without those the kernel lacks
    // For experiments: asked for every packet; true loses it. What is sent then goes packet by packet.
    std::function<bool(bool sent)> lose;
};

// What went wrong, with the system call's error; `what` is one line for a person.
struct tun_error {
    boost::system::error_code code;
    std::string what;
    explicit operator bool() const { return static_cast<bool>(code); }
};

// "192.0.2.2/24" or "192.0.2.2/24,192.0.2.1": ours, and the kernel's. Nothing if it is not that.
std::optional<tun_options::address> parse_tun_address(std::string_view text);

class tun_device final : public packet_carrier {
public:
    // Which offloads are in use.
    struct offloads {
        bool checksum = false;          // sent and received
        bool segmentation = false;      // TCP over IPv4 and IPv6, sent and received
        bool udp_segmentation = false;  // USO: the kernel may hand us large UDP packets, which we do not speak
    };

    // Nothing on error. Not privileged users can use a device that was made for them (ip tuntap add ... user NAME).
    static std::unique_ptr<tun_device> open(const boost::asio::any_io_executor& executor, const tun_options& options,
                                            tun_error& why);
    ~tun_device() override;

    const std::string& device_name() const { return name_; }
    const offloads& enabled() const { return offloads_; }

    void start(carrier_hooks hooks) override;
    void close() override;
    std::size_t receive(tcp::endpoint& to, time_point now) override;
    send_result send(const train& t, std::size_t& progress) override;
    std::uint16_t mtu(bool) const override { return mtu_; }
    std::vector<ip_address> addresses() const override { return addresses_; }
    bool completes_checksums() const override { return offloads_.checksum; }
    boost::system::error_code open_local(const ip_endpoint& remote, ip_endpoint& local) override;
    boost::system::error_code open_listener(ip_endpoint& local) override;
    void close_local(const ip_endpoint&) override {}
    const carrier_statistics& statistics() const override { return statistics_; }
    std::string_view name() const override { return "tun"; }

private:
    struct waiter;

    tun_device(const boost::asio::any_io_executor& executor, int fd, std::string name, const tun_options& options);

    void negotiate_offloads(int fd, bool wanted);

    std::string name_;
    std::vector<ip_address> addresses_;
    std::uint16_t mtu_;
    offloads offloads_;
    std::function<bool(bool sent)> lose_;
    std::shared_ptr<waiter> waiter_;  // outlives us where a handler waits
    std::vector<std::uint8_t> buffer_;
    carrier_statistics statistics_;
};

}  // namespace tandem::net
