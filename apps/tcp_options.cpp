#include "tcp_options.hpp"

#include <CLI/CLI.hpp>

#include <tandem/net/tcp_stack.hpp>
#include <tandem/net/tun_device.hpp>
#include <tandem/net/udp_encapsulation.hpp>
#include <tandem/tcp/qlog.hpp>

#include "exit_code.hpp"

namespace tandem::apps {

void add_tcp_options(CLI::App& sub, tcp_options& o, const std::string& group) {
    sub.add_option(
           "--tcp", o.tcp,
           "Whose TCP: kernel; tun: our own on a TUN device; udp: our own in UDP datagrams, for two tandems, without privileges")
        ->check(CLI::IsMember({"kernel", "tun", "udp"}))
        ->capture_default_str()
        ->group(group);
    sub.add_option("--tun-device", o.tun_device,
                   "Name of the TUN device; made if it is not there, which needs root. %d: the next number")
        ->capture_default_str()
        ->group(group);
    sub.add_option(
           "--tun-address", o.tun_addresses,
           "ADDRESS/PREFIX[,KERNEL]: the address of our TCP on the device, and the kernel's on its end of a device made here "
           "(default: the network's first); once per address family")
        ->take_all()
        ->allow_extra_args(false)
        ->group(group);
    sub.add_option("--mtu", o.mtu, "Bytes of the largest IP packet sent and announced, with --tcp=tun and --tcp=udp")
        ->check(CLI::Range(576, 65535))
        ->capture_default_str()
        ->group(group);
    sub.add_option("--tcp-ecn", o.ecn,
                   "Explicit Congestion Notification of our own TCP: never; when-asked; always: also asked for")
        ->check(CLI::IsMember({"never", "when-asked", "always"}))
        ->capture_default_str()
        ->group(group);
    sub.add_option("--mtu-probing", o.mtu_probing,
                   "How our own TCP finds larger segments: never; after-black-hole: when full ones vanish; always")
        ->check(CLI::IsMember({"never", "after-black-hole", "always"}))
        ->capture_default_str()
        ->group(group);
    sub.add_flag("--no-offload", o.no_offload, "Packet by packet instead of 64 KiB at a time, with --tcp=tun and --tcp=udp")
        ->group(group);
}

own_tcp_result make_tcp(const boost::asio::any_io_executor& executor, const tcp_options& o, const std::string& congestion,
                        std::shared_ptr<qlog::store> logs) {
    own_tcp_result out;
    net::tcp_stack_options options;
    if (const auto kind = recovery::parse_controller(congestion)) options.connection.controller.kind = *kind;
    options.connection.mtu = static_cast<std::uint16_t>(o.mtu);
    options.connection.ecn = o.ecn == "never"    ? tcp::ecn_use::never
                             : o.ecn == "always" ? tcp::ecn_use::always
                                                 : tcp::ecn_use::when_asked;
    options.connection.probing = o.mtu_probing == "never"    ? tcp::mtu_probing::never
                                 : o.mtu_probing == "always" ? tcp::mtu_probing::always
                                                             : tcp::mtu_probing::after_black_hole;
    if (logs) options.connection.tracer = tcp::make_qlog_tracer(std::move(logs));
    std::unique_ptr<net::packet_carrier> carrier;
    if (o.tcp == "udp") {
        net::udp_encapsulation_options udp;
        udp.mtu = static_cast<std::uint16_t>(o.mtu);
        udp.udp.segmentation_offload = udp.udp.receive_offload = !o.no_offload;
        carrier = std::make_unique<net::udp_encapsulation>(executor, udp);
    } else {
        net::tun_options tun;
        tun.name = o.tun_device;
        tun.mtu = static_cast<std::uint16_t>(o.mtu);
        tun.offloads = !o.no_offload;
        for (const auto& text : o.tun_addresses) {
            const auto address = net::parse_tun_address(text);
            if (!address) {
                out.error = "--tun-address " + text + " is not ADDRESS/PREFIX or ADDRESS/PREFIX,KERNEL-ADDRESS";
                out.exit_code = exit_code::usage;
                return out;
            }
            tun.addresses.push_back(*address);
            out.addresses.push_back(address->ours);
        }
        if (tun.addresses.empty()) {
            out.error = "--tcp=tun needs --tun-address, the address that our TCP shall have";
            out.exit_code = exit_code::usage;
            return out;
        }
        net::tun_error why;
        carrier = net::tun_device::open(executor, tun, why);
        if (!carrier) {
            out.error = why.what + ": " + why.code.message();
            out.exit_code = why.code == boost::asio::error::invalid_argument ? exit_code::usage : exit_code::address_unusable;
            return out;
        }
    }
    out.stack = std::make_shared<net::tcp_stack>(executor, std::move(carrier), options);
    return out;
}

}  // namespace tandem::apps
