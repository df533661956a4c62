#include <tandem/net/address.hpp>

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace tandem::net {

namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

ip_address from_v6_bytes(const std::uint8_t* bytes) {
    if (std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes)) {
        return ip_address::v4(bytes[12], bytes[13], bytes[14], bytes[15]);
    }
    ip_address out;
    out.is_v6 = true;
    std::copy_n(bytes, 16, out.bytes.begin());
    return out;
}

}  // namespace

socklen_t to_sockaddr(const ip_endpoint& from, sockaddr_storage& to) {
    std::memset(&to, 0, sizeof to);
    if (from.address.is_v6) {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(from.port);
        std::memcpy(&v6.sin6_addr, from.address.bytes.data(), 16);
        std::memcpy(&to, &v6, sizeof v6);
        return sizeof v6;
    }
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(from.port);
    std::memcpy(&v4.sin_addr, from.address.bytes.data(), 4);
    std::memcpy(&to, &v4, sizeof v4);
    return sizeof v4;
}

ip_endpoint from_sockaddr(const sockaddr_storage& from) {
    ip_endpoint out;
    if (from.ss_family == AF_INET) {
        sockaddr_in v4;
        std::memcpy(&v4, &from, sizeof v4);
        std::memcpy(out.address.bytes.data(), &v4.sin_addr, 4);
        out.port = ntohs(v4.sin_port);
    } else if (from.ss_family == AF_INET6) {
        sockaddr_in6 v6;
        std::memcpy(&v6, &from, sizeof v6);
        out.address = from_v6_bytes(v6.sin6_addr.s6_addr);
        out.port = ntohs(v6.sin6_port);
    }
    return out;
}

ip_address from_asio(const boost::asio::ip::address& from) {
    if (from.is_v6()) return from_v6_bytes(from.to_v6().to_bytes().data());
    auto bytes = from.to_v4().to_bytes();
    return ip_address::v4(bytes[0], bytes[1], bytes[2], bytes[3]);
}

boost::asio::ip::address to_asio(const ip_address& from) {
    if (from.is_v6) {
        boost::asio::ip::address_v6::bytes_type bytes;
        std::copy_n(from.bytes.begin(), 16, bytes.begin());
        return boost::asio::ip::address_v6(bytes);
    }
    boost::asio::ip::address_v4::bytes_type bytes;
    std::copy_n(from.bytes.begin(), 4, bytes.begin());
    return boost::asio::ip::address_v4(bytes);
}

}  // namespace tandem::net
