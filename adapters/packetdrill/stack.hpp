// The system calls, on the stack of a host. Results are those of the kernel: not negative, or minus an errno.
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <memory>
#include <unordered_map>

#include "host.hpp"

namespace tandem::packetdrill {

class stack {
public:
    explicit stack(const char* flags) : host_(flags) {}
    ~stack();

    tandem::packetdrill::host& host() { return host_; }
    // Whether a descriptor is one of ours.
    bool has(int fd);

    // stack.cpp
    int socket(int domain, int type, int protocol);
    int bind(int fd, const sockaddr* address, socklen_t size);
    int listen(int fd, int backlog);
    int accept(int fd, sockaddr* address, socklen_t* size);
    int connect(int fd, const sockaddr* address, socklen_t size);
    int shutdown(int fd, int how);
    int close(int fd);
    int fcntl(int fd, int command, long argument);
    int ioctl(int fd, unsigned long request, int* out);

    // stack_transfer.cpp
    ssize_t receive(int fd, msghdr& message, int flags);
    ssize_t send(int fd, const msghdr& message, int flags);
    int pipe(int fds[2]);
    ssize_t splice(int in, int out, size_t size, unsigned flags);

    // stack_options.cpp
    int get_option(int fd, int level, int name, void* value, socklen_t* size);
    int set_option(int fd, int level, int name, const void* value, socklen_t size);

    // stack_poll.cpp
    int poll(pollfd* fds, nfds_t count, int timeout_ms);
    int epoll_create();
    int epoll_control(int epoll_fd, int operation, int fd, const epoll_event* event);
    int epoll_wait(int epoll_fd, epoll_event* events, int max_events, int timeout_ms);

private:
    using lock_type = tandem::packetdrill::host::lock_type;

    struct watched {
        socket_pointer socket;
        epoll_event event;
        std::uint64_t read_news_told = 0;
        std::uint64_t write_news_told = 0;
        bool told = false;
        bool disabled = false;  // EPOLLONESHOT
    };
    struct epoll_set {
        std::vector<std::pair<int, watched>> sockets;  // in the order in which they were added
    };

    socket_pointer find(int fd);
    int add(const socket_pointer& s);
    int begin_connect(stack_socket& s, const socket_pointer& pointer, const ip_endpoint& to);
    int finish_connect(lock_type& l, stack_socket& s);
    void end(stack_socket& s);
    void disconnect(stack_socket& s);
    int linger(lock_type& l, stack_socket& s);
    int stop_listening(stack_socket& s);
    std::uint16_t free_port(const ip_address& at) const;
    bool port_taken(const stack_socket& s, const ip_endpoint& at) const;

    std::size_t send_room(const stack_socket& s);
    std::size_t take(stack_socket& s, msghdr& message, std::size_t already, int flags);
    void describe(stack_socket& s, msghdr& message);
    short ready_for(stack_socket& s);
    std::uint32_t due(watched& w);

    int get_socket_option(stack_socket& s, int name, std::vector<std::uint8_t>& out);
    int get_tcp_option(stack_socket& s, int name, std::vector<std::uint8_t>& out);
    int set_socket_option(stack_socket& s, int name, int value, const void* raw, socklen_t size);
    int set_tcp_option(stack_socket& s, int name, int value, const void* raw, socklen_t size);
    void apply(stack_socket& s, int name);
    std::vector<std::uint8_t> tcp_information(stack_socket& s);

    tandem::packetdrill::host host_;
    std::unordered_map<int, socket_pointer> sockets_;
    std::unordered_map<int, epoll_set> epolls_;
};

}  // namespace tandem::packetdrill
