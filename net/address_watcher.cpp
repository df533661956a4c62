#include <tandem/net/address_watcher.hpp>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace tandem::net {

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
