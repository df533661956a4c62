// The shared object's symbols: packetdrill's interface, and the getsockopt() its scripts' code blocks call behind the interface's
// back.
#include <dlfcn.h>

#include <cerrno>
#include <cstdarg>
#include <cstring>

#include "interface.hpp"
#include "stack.hpp"

#define TANDEM_EXPORT __attribute__((visibility("default")))

namespace tandem::packetdrill {
namespace {

stack* live = nullptr;  // for getsockopt(), which is told no userdata

stack& of(void* userdata) { return *static_cast<stack*>(userdata); }

// Minus an errno becomes -1 and errno.
template <class T>
T result(T value) {
    if (value >= 0) return value;
    errno = static_cast<int>(-value);
    return -1;
}

msghdr message_of(iovec& piece) {
    msghdr m{};
    m.msg_iov = &piece;
    m.msg_iovlen = 1;
    return m;
}

ssize_t receive(void* u, int fd, void* buffer, size_t size, int flags, sockaddr* address = nullptr,
                socklen_t* address_size = nullptr) {
    iovec piece{buffer, size};
    auto m = message_of(piece);
    if (address && address_size) {
        m.msg_name = address;
        m.msg_namelen = *address_size;
    }
    const auto n = of(u).receive(fd, m, flags);
    if (n >= 0 && address && address_size) *address_size = m.msg_namelen;
    return result(n);
}

ssize_t send(void* u, int fd, const void* buffer, size_t size, int flags) {
    iovec piece{const_cast<void*>(buffer), size};
    return result(of(u).send(fd, message_of(piece), flags));
}

msghdr message_of(const iovec* pieces, int count) {
    msghdr m{};
    m.msg_iov = const_cast<iovec*>(pieces);
    m.msg_iovlen = static_cast<std::size_t>(count);
    return m;
}

int call_fcntl(void* u, int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    const long argument = va_arg(arguments, long);
    va_end(arguments);
    return result(of(u).fcntl(fd, command, argument));
}

int call_ioctl(void* u, int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    auto* out = va_arg(arguments, int*);
    va_end(arguments);
    return result(of(u).ioctl(fd, request, out));
}

int netdev_send(void* u, const void* packet, size_t size) {
    auto& h = of(u).host();
    const auto l = h.lock();
    h.receive({static_cast<const std::uint8_t*>(packet), size});
    return 0;
}

int netdev_receive(void* u, void* buffer, size_t* size, long long* time_usecs) {
    auto& h = of(u).host();
    auto l = h.lock();
    const auto sent = h.next_sent(l);
    const auto room = *size;
    *size = 0;
    if (!sent) return 0;
    *size = std::min(room, sent->bytes.size());
    std::memcpy(buffer, sent->bytes.data(), *size);
    *time_usecs = sent->at;
    return 0;
}

int call_usleep(void* u, useconds_t usecs) {
    auto& h = of(u).host();
    auto l = h.lock();
    h.sleep(l, std::chrono::microseconds(usecs));
    return 0;
}

int call_gettimeofday(void* u, timeval* time, struct timezone*) {
    auto& h = of(u).host();
    auto l = h.lock();
    const auto now = h.read_clock(l);
    time->tv_sec = now / 1'000'000;
    time->tv_usec = now % 1'000'000;
    return 0;
}

void fill_sockets(packetdrill_interface& i) {
    i.socket = [](void* u, int domain, int type, int protocol) { return result(of(u).socket(domain, type, protocol)); };
    i.bind = [](void* u, int fd, const sockaddr* a, socklen_t n) { return result(of(u).bind(fd, a, n)); };
    i.listen = [](void* u, int fd, int backlog) { return result(of(u).listen(fd, backlog)); };
    i.accept = [](void* u, int fd, sockaddr* a, socklen_t* n) { return result(of(u).accept(fd, a, n)); };
    i.connect = [](void* u, int fd, const sockaddr* a, socklen_t n) { return result(of(u).connect(fd, a, n)); };
    i.close = [](void* u, int fd) { return result(of(u).close(fd)); };
    i.shutdown = [](void* u, int fd, int how) { return result(of(u).shutdown(fd, how)); };
    i.fcntl = call_fcntl;
    i.ioctl = call_ioctl;
    i.getsockopt = [](void* u, int fd, int level, int name, void* v, socklen_t* n) {
        return result(of(u).get_option(fd, level, name, v, n));
    };
    i.setsockopt = [](void* u, int fd, int level, int name, const void* v, socklen_t n) {
        return result(of(u).set_option(fd, level, name, v, n));
    };
}

void fill_transfer(packetdrill_interface& i) {
    i.read = [](void* u, int fd, void* b, size_t n) { return receive(u, fd, b, n, 0); };
    i.readv = [](void* u, int fd, const iovec* p, int n) {
        auto m = message_of(p, n);
        return result(of(u).receive(fd, m, 0));
    };
    i.recv = [](void* u, int fd, void* b, size_t n, int flags) { return receive(u, fd, b, n, flags); };
    i.recvfrom = [](void* u, int fd, void* b, size_t n, int flags, sockaddr* a, socklen_t* an) {
        return receive(u, fd, b, n, flags, a, an);
    };
    i.recvmsg = [](void* u, int fd, msghdr* m, int flags) { return result(of(u).receive(fd, *m, flags)); };
    i.write = [](void* u, int fd, const void* b, size_t n) { return send(u, fd, b, n, 0); };
    i.writev = [](void* u, int fd, const iovec* p, int n) { return result(of(u).send(fd, message_of(p, n), 0)); };
    i.send = [](void* u, int fd, const void* b, size_t n, int flags) { return send(u, fd, b, n, flags); };
    // An address says nothing to a stream socket (MSG_FASTOPEN, where it would, is refused).
    i.sendto = [](void* u, int fd, const void* b, size_t n, int flags, const sockaddr*, socklen_t) {
        return send(u, fd, b, n, flags);
    };
    i.sendmsg = [](void* u, int fd, const msghdr* m, int flags) { return result(of(u).send(fd, *m, flags)); };
    i.pipe = [](void* u, int fds[2]) { return result(of(u).pipe(fds)); };
    i.splice = [](void* u, int in, loff_t*, int out, loff_t*, size_t n, unsigned flags) {
        return static_cast<int>(result(of(u).splice(in, out, n, flags)));
    };
}

void fill_waiting(packetdrill_interface& i) {
    i.poll = [](void* u, pollfd* fds, nfds_t n, int timeout) { return result(of(u).poll(fds, n, timeout)); };
    i.epoll_create = [](void* u, int) { return result(of(u).epoll_create()); };
    i.epoll_ctl = [](void* u, int ep, int op, int fd, epoll_event* e) { return result(of(u).epoll_control(ep, op, fd, e)); };
    i.epoll_wait = [](void* u, int ep, epoll_event* e, int n, int timeout) {
        return result(of(u).epoll_wait(ep, e, n, timeout));
    };
    i.netdev_send = netdev_send;
    i.netdev_receive = netdev_receive;
    i.usleep = call_usleep;
    i.gettimeofday = call_gettimeofday;
}

}  // namespace
}  // namespace tandem::packetdrill

extern "C" {

TANDEM_EXPORT void packetdrill_interface_init(const char* flags, packetdrill_interface* interface) {
    using namespace tandem::packetdrill;
    *interface = {};
    interface->userdata = live = new stack(flags);
    interface->free = [](void* u) {
        if (live == u) live = nullptr;
        delete &of(u);
    };
    fill_sockets(*interface);
    fill_transfer(*interface);
    fill_waiting(*interface);
}

TANDEM_EXPORT size_t tandem_packetdrill_pending(void* userdata) {
    auto& h = tandem::packetdrill::of(userdata).host();
    const auto l = h.lock();
    return h.pending();
}

// With LD_PRELOAD: the code blocks of scripts ask the C library about sockets that are ours.
TANDEM_EXPORT int getsockopt(int fd, int level, int name, void* value, socklen_t* size) noexcept {
    using namespace tandem::packetdrill;
    if (live && live->has(fd)) return result(live->get_option(fd, level, name, value, size));
    static const auto next = reinterpret_cast<int (*)(int, int, int, void*, socklen_t*)>(dlsym(RTLD_NEXT, "getsockopt"));
    return next(fd, level, name, value, size);
}

}  // extern "C"
