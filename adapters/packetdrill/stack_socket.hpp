// One socket of the adapter: what POSIX wants to know of it beside the connection.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <utility>

#include <tandem/bytes/address.hpp>
#include <tandem/tcp/config.hpp>
#include <tandem/tcp/event.hpp>

namespace tandem::packetdrill {

struct stack_socket {
    enum class phase : std::uint8_t { fresh, listening, connecting, connected, over };

    int fd = -1;
    bool v6 = false;  // AF_INET6; its addresses may be mapped IPv4
    bool v6_only = false;
    bool nonblocking = false;
    phase now = phase::fresh;

    bool bound = false;
    ip_endpoint local;
    ip_endpoint remote;
    tcp::connection_handle connection;
    tcp::config config;                          // of the connection to come; a listener's are its connections'
    std::map<std::pair<int, int>, int> options;  // (level, name): what was set and only has to be told again

    int error = 0;                // SO_ERROR
    bool told_connected = false;  // a nonblocking connect() was asked how it went
    bool read_shut = false;       // shutdown(SHUT_RD)
    bool write_shut = false;
    bool peer_closed = false;
    linger lingering{};
    std::size_t send_buffer = 0;  // bytes unacknowledged and unsent, at most
    bool corked = false;
    std::uint64_t unsent_low_water = UINT64_MAX;  // TCP_NOTSENT_LOWAT
    int read_low_water = 1;                       // SO_RCVLOWAT
    std::uint64_t bytes_acknowledged_base = 0;

    int backlog = 0;
    std::deque<std::shared_ptr<stack_socket>> queue;  // of a listener: to be accepted

    // For edge-triggered epoll: how often there was news.
    std::uint64_t read_news = 0;
    std::uint64_t write_news = 0;
    bool write_failed = false;  // a write found no room: room is news then
};

using socket_pointer = std::shared_ptr<stack_socket>;

// Between sockaddr and ip_endpoint; mapped IPv4 addresses are IPv4. False: not an address of the socket's family.
bool from_sockaddr(const sockaddr* in, socklen_t size, bool v6, ip_endpoint& out);
void to_sockaddr(const ip_endpoint& in, bool v6, sockaddr* out, socklen_t* size);

}  // namespace tandem::packetdrill
