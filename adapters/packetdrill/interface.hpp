// The interface packetdrill expects of a user-space stack in a shared object (its packetdrill.h): the order of the members is the
// binary interface. Every result is plain POSIX: -1 and errno.
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>

extern "C" {

struct packetdrill_interface {
    void* userdata;  // the first argument of every call
    void (*free)(void* userdata);
    int (*socket)(void* userdata, int domain, int type, int protocol);
    int (*bind)(void* userdata, int fd, const struct sockaddr* address, socklen_t size);
    int (*listen)(void* userdata, int fd, int backlog);
    int (*accept)(void* userdata, int fd, struct sockaddr* address, socklen_t* size);
    int (*connect)(void* userdata, int fd, const struct sockaddr* address, socklen_t size);
    ssize_t (*read)(void* userdata, int fd, void* buffer, size_t size);
    ssize_t (*readv)(void* userdata, int fd, const struct iovec* pieces, int count);
    ssize_t (*recv)(void* userdata, int fd, void* buffer, size_t size, int flags);
    ssize_t (*recvfrom)(void* userdata, int fd, void* buffer, size_t size, int flags, struct sockaddr* address,
                        socklen_t* address_size);
    ssize_t (*recvmsg)(void* userdata, int fd, struct msghdr* message, int flags);
    ssize_t (*write)(void* userdata, int fd, const void* buffer, size_t size);
    ssize_t (*writev)(void* userdata, int fd, const struct iovec* pieces, int count);
    ssize_t (*send)(void* userdata, int fd, const void* buffer, size_t size, int flags);
    ssize_t (*sendto)(void* userdata, int fd, const void* buffer, size_t size, int flags, const struct sockaddr* address,
                      socklen_t address_size);
    ssize_t (*sendmsg)(void* userdata, int fd, const struct msghdr* message, int flags);
    int (*fcntl)(void* userdata, int fd, int command, ...);
    int (*ioctl)(void* userdata, int fd, unsigned long request, ...);
    int (*close)(void* userdata, int fd);
    int (*shutdown)(void* userdata, int fd, int how);
    int (*getsockopt)(void* userdata, int fd, int level, int name, void* value, socklen_t* size);
    int (*setsockopt)(void* userdata, int fd, int level, int name, const void* value, socklen_t size);
    int (*poll)(void* userdata, struct pollfd* fds, nfds_t count, int timeout);
    // A packet for the stack, from its IP header on.
    int (*netdev_send)(void* userdata, const void* packet, size_t size);
    // The next packet the stack sent, and when, in microseconds of gettimeofday's clock. Waits for it; *size 0: none will come.
    int (*netdev_receive)(void* userdata, void* buffer, size_t* size, long long* time_usecs);
    int (*usleep)(void* userdata, useconds_t usecs);
    int (*gettimeofday)(void* userdata, struct timeval* time, struct timezone* zone);
    int (*epoll_create)(void* userdata, int size);
    int (*epoll_ctl)(void* userdata, int epoll_fd, int operation, int fd, struct epoll_event* event);
    int (*epoll_wait)(void* userdata, int epoll_fd, struct epoll_event* events, int max_events, int timeout);
    int (*pipe)(void* userdata, int fds[2]);
    int (*splice)(void* userdata, int in, loff_t* in_offset, int out, loff_t* out_offset, size_t size, unsigned flags);
};

// `flags` is the text of --so_flags, null without one: see settings.hpp.
void packetdrill_interface_init(const char* flags, struct packetdrill_interface* interface);

// Beyond packetdrill's own interface, for test programs: packets that were sent and not received yet.
size_t tandem_packetdrill_pending(void* userdata);

}  // extern "C"
