#include "stack_socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace tandem::packetdrill {
namespace {

constexpr std::uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

bool from_sockaddr(const sockaddr* in, socklen_t size, bool v6, ip_endpoint& out) {
    if (!in || size < sizeof(sa_family_t)) return false;
    if (in->sa_family == AF_INET && !v6 && size >= sizeof(sockaddr_in)) {
        sockaddr_in a;
        std::memcpy(&a, in, sizeof a);
        out = {};
        std::memcpy(out.address.bytes.data(), &a.sin_addr, 4);
        out.port = ntohs(a.sin_port);
        return true;
    }
    if (in->sa_family != AF_INET6 || !v6 || size < sizeof(sockaddr_in6)) return false;
    sockaddr_in6 a;
    std::memcpy(&a, in, sizeof a);
    out = {};
    const auto* bytes = a.sin6_addr.s6_addr;
    if (std::equal(std::begin(mapped_prefix), std::end(mapped_prefix), bytes)) {
        std::copy_n(bytes + 12, 4, out.address.bytes.begin());
    } else {
        out.address.is_v6 = true;
        std::copy_n(bytes, 16, out.address.bytes.begin());
    }
    out.port = ntohs(a.sin6_port);
    return true;
}

void to_sockaddr(const ip_endpoint& in, bool v6, sockaddr* out, socklen_t* size) {
    if (!out || !size) return;
    sockaddr_storage storage{};
    socklen_t length;
    if (v6) {
        sockaddr_in6 a{};
        a.sin6_family = AF_INET6;
        a.sin6_port = htons(in.port);
        auto* bytes = a.sin6_addr.s6_addr;
        if (in.address.is_v6) {
            std::copy_n(in.address.bytes.begin(), 16, bytes);
        } else {
            std::copy(std::begin(mapped_prefix), std::end(mapped_prefix), bytes);
            std::copy_n(in.address.bytes.begin(), 4, bytes + 12);
        }
        length = sizeof a;
        std::memcpy(&storage, &a, length);
    } else {
        sockaddr_in a{};
        a.sin_family = AF_INET;
        a.sin_port = htons(in.port);
        std::memcpy(&a.sin_addr, in.address.bytes.data(), 4);
        length = sizeof a;
        std::memcpy(&storage, &a, length);
    }
    std::memcpy(out, &storage, std::min<std::size_t>(*size, length));
    *size = length;
}

}  // namespace tandem::packetdrill
