#include <tandem/net/address_watcher.hpp>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include <tandem/net/address.hpp>

namespace tandem::net {

std::optional<ip_address> source_address(const ip_endpoint& remote) {
    // A UDP socket that is connected has been routed.
    const int fd = ::socket(remote.address.is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return std::nullopt;
    sockaddr_storage to{}, local{};
    const auto to_size = to_sockaddr(remote, to);
    socklen_t size = sizeof local;
    const bool routed = ::connect(fd, reinterpret_cast<const sockaddr*>(&to), to_size) == 0 &&
                        ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) == 0;
    ::close(fd);
    if (!routed) return std::nullopt;
    return from_sockaddr(local).address;
}

boost::system::error_code address_watcher::open() {
    const auto failure = [] { return boost::system::error_code(errno, boost::system::system_category()); };
    close();
    const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return failure();
    sockaddr_nl groups{};
    groups.nl_family = AF_NETLINK;
    // Routes too: an address is of use only once there is a way from it.
    groups.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&groups), sizeof groups) != 0) {
        const auto error = failure();
        ::close(fd);
        return error;
    }
    boost::system::error_code error;
    descriptor_->assign(fd, error);
    if (error) ::close(fd);
    return error;
}

void address_watcher::close() {
    boost::system::error_code ignored;
    if (descriptor_ && descriptor_->is_open()) descriptor_->close(ignored);
}

// What changed does not matter: whoever waits asks the kernel how things are. ENOBUFS, messages lost, is a change like any other.
void address_watcher::drain(boost::asio::posix::stream_descriptor& descriptor) {
    std::array<char, 8192> message;
    while (descriptor.is_open()) {
        if (::recv(descriptor.native_handle(), message.data(), message.size(), MSG_DONTWAIT) < 0 && errno != ENOBUFS &&
            errno != EINTR)
            return;
    }
}

}  // namespace tandem::net
