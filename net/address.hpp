// Between tandem's address values, the operating system's and Asio's.
#pragma once

#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/basic_endpoint.hpp>

#include <tandem/bytes/address.hpp>

namespace tandem::net {

// Writes `from` to `to`; returns how many bytes of it are used.
socklen_t to_sockaddr(const ip_endpoint& from, sockaddr_storage& to);
// IPv4-mapped IPv6 addresses become IPv4. Other families give an unspecified endpoint.
ip_endpoint from_sockaddr(const sockaddr_storage& from);

ip_address from_asio(const boost::asio::ip::address& from);
boost::asio::ip::address to_asio(const ip_address& from);

template <class Protocol>
ip_endpoint from_asio(const boost::asio::ip::basic_endpoint<Protocol>& from) {
    return {from_asio(from.address()), from.port()};
}
template <class Protocol>
boost::asio::ip::basic_endpoint<Protocol> to_asio(const ip_endpoint& from) {
    return {to_asio(from.address), from.port};
}

}  // namespace tandem::net
