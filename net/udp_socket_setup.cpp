// Opening a UDP socket: the options QUIC wants, each of which a kernel may refuse.
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>

#include <cerrno>
#include <cstdio>

#include <tandem/net/address.hpp>
#include <tandem/net/udp_socket.hpp>

namespace tandem::net {

namespace {

bool set_option(int fd, int level, int name, int value) { return ::setsockopt(fd, level, name, &value, sizeof value) == 0; }

boost::system::error_code system_error(int error) { return {error, boost::system::system_category()}; }

}  // namespace

std::string buffer_shortfall::to_string() const {
    char line[160];
    std::snprintf(line, sizeof line, "UDP buffer too small: wanted %zu KiB, got %zu KiB; to raise it: sysctl -w %s=%zu",
                  wanted >> 10, got >> 10, sysctl, wanted);
    return line;
}

boost::system::error_code udp_socket::open(const ip_endpoint& local, const udp_options& options) {
    using boost::asio::ip::udp;
    close();
    boost::system::error_code error;
    socket_.open(local.address.is_v6 ? udp::v6() : udp::v4(), error);
    if (error) return error;
    socket_.native_non_blocking(true, error);
    if (error) return error;
    set_up(socket_.native_handle(), local.address.is_v6, options);
    const auto share = [&] { set_option(socket_.native_handle(), SOL_SOCKET, SO_REUSEPORT, 1); };
    if (options.sharing == port_sharing::further) share();
    socket_.bind(to_asio<udp>(local), error);
    if (options.sharing == port_sharing::first) share();  // not before: the port must not be another program's already
    if (error) {
        close();
        return error;
    }
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (::getsockname(socket_.native_handle(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) return system_error(errno);
    local_ = from_sockaddr(bound);
    return {};
}

void udp_socket::set_up(int fd, bool v6, const udp_options& options) {
    shortfalls_.clear();
    set_buffer(fd, true, options.receive_buffer);
    set_buffer(fd, false, options.send_buffer);
    set_option(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
    report_errors_ = options.report_errors;
    if (v6) {
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
        set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
        set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO);  // RFC 9000 14: no fragmentation
        set_option(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
        if (report_errors_) set_option(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
    } else {
        set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
        set_option(fd, IPPROTO_IP, IP_RECVTOS, 1);
        set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);  // RFC 9000 14: no fragmentation
        if (report_errors_) set_option(fd, IPPROTO_IP, IP_RECVERR, 1);
    }
    // Kernels before 4.18 (GSO) and 5.0 (GRO) refuse; then datagrams go and come one by one.
    segmentation_offload_ = options.segmentation_offload && set_option(fd, SOL_UDP, UDP_SEGMENT, 0);
    if (options.receive_offload) set_option(fd, SOL_UDP, UDP_GRO, 1);
}

void udp_socket::set_buffer(int fd, bool receive, std::size_t wanted) {
    if (wanted == 0) return;
    auto value = static_cast<int>(wanted);
    // FORCE passes over the limit where the process may (CAP_NET_ADMIN).
    if (!set_option(fd, SOL_SOCKET, receive ? SO_RCVBUFFORCE : SO_SNDBUFFORCE, value)) {
        set_option(fd, SOL_SOCKET, receive ? SO_RCVBUF : SO_SNDBUF, value);
    }
    int got = 0;
    socklen_t size = sizeof got;
    if (::getsockopt(fd, SOL_SOCKET, receive ? SO_RCVBUF : SO_SNDBUF, &got, &size) != 0) return;
    auto usable = static_cast<std::size_t>(got) / 2;  // Linux doubles what is set, for its own bookkeeping
    if (usable < wanted) shortfalls_.push_back({receive ? "net.core.rmem_max" : "net.core.wmem_max", wanted, usable});
}

}  // namespace tandem::net
