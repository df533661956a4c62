#include <tandem/net/route.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include <tandem/net/address.hpp>

namespace tandem::net {
namespace {

// A UDP socket that is connected has been routed. It answers `ask`, whose answer to a failure is its default.
template <class Ask>
auto routed(const ip_endpoint& remote, Ask ask) -> decltype(ask(0)) {
    const int fd = ::socket(remote.address.is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return {};
    sockaddr_storage to{};
    const auto size = to_sockaddr(remote, to);
    decltype(ask(fd)) answer{};
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), size) == 0) answer = ask(fd);
    ::close(fd);
    return answer;
}

}  // namespace

std::optional<ip_address> source_address(const ip_endpoint& remote) {
    return routed(remote, [](int fd) -> std::optional<ip_address> {
        sockaddr_storage local{};
        socklen_t size = sizeof local;
        if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) != 0) return std::nullopt;
        return from_sockaddr(local).address;
    });
}

std::size_t largest_udp_payload(const ip_endpoint& remote) {
    constexpr std::size_t udp_header = 8;
    const bool v6 = remote.address.is_v6;
    const std::size_t headers = (v6 ? 40 : 20) + udp_header;
    // The length fields of IPv4 count the IP header, those of IPv6 do not.
    const std::size_t longest = 65535 - (v6 ? udp_header : headers);
    return routed(remote, [=](int fd) -> std::size_t {
        int mtu = 0;
        socklen_t size = sizeof mtu;
        const int known =
            v6 ? ::getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &size) : ::getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &size);
        if (known != 0 || mtu < 0 || static_cast<std::size_t>(mtu) <= headers) return 0;
        return std::min(static_cast<std::size_t>(mtu) - headers, longest);
    });
}

}  // namespace tandem::net
